"""comparison.md of a grid: a summary, the paper's tables 2 to 5 beside ours, paired differences, and the method."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from .plan import IMAGE_ONLY, PAPER_COLUMNS
from .results import DIRECTIONS, HIGHER, LOWER, UNCLEAR, VERSIONS, Measure

Results = Mapping[str, Any]  # content of comparison.json
WHOLE = ("all", "test, all", "external, all")  # rows of all held-out cases of a partition
SEARCHES = [*(("map", f":{direction}") for direction in DIRECTIONS), ("cosine", "")]
KINDS = {"kappa": "kappa", "balanced_accuracy": "balanced accuracy", "map": "mAP", "cosine": "paired cosine"}
PLOTS = {
    "kappa.png": "Kappa from the image alone, mean over seeds, 95% over patients or lesions",
    "retrieval.png": "Retrieval by training notes, diagnosis masked and as written; the mark is chance",
    "differences.png": "Differences on the same cases, with 95% intervals",
    "queries.png": "Strategies as queries, on the same lesions with the same models",
}
# Results of arXiv 2511.21827 in its abstract and public summaries, by table, row and column; its other figures are not
# public. Whether they are means over repeats, and in which direction table 3 searches, is not stated. Other data sets,
# and notes that name the diagnosis: they are comparable only to figures with notes as written.
PAPER: dict[int, dict[str, dict[str, str]]] = {
    2: {
        "SKINL2, external": {"Img": "0.686", "M+P2": "0.743"},
        "Fitzpatrick17k, external": {"Img": "0.418", "P3": "0.456"},
    },
    3: {"BCN20000, direction not stated": {"M+P1": "0.787", "M+P2": "0.782", "P3": "0.510"}},
    5: {"range over the data sets": {"M+P2": "0.689 to 0.797", "P3": "0.204 to 0.312"}},
}
RETRIEVAL = (
    "Mean average precision, relevant is the query's class, mean over seeds [95%]; in brackets, the same rankings with"
    " the classes of the queries shuffled (chance). The paper's figures are for notes as written; which of its two"
    " tables has which direction is not known."
)
TABLES: dict[int, tuple[str, dict[str, str], str]] = {
    2: (
        "classification",
        {"kind": "kappa"},
        "Unweighted kappa from the image alone, mean over seeds [95% over patients or lesions].",
    ),
    3: (f"{DIRECTIONS['image_to_text']}, mAP", {"kind": "map", "direction": "image_to_text"}, RETRIEVAL),
    4: (f"{DIRECTIONS['text_to_image']}, mAP", {"kind": "map", "direction": "text_to_image"}, RETRIEVAL),
    5: (
        "paired cosine",
        {"kind": "cosine"},
        "Cosine of an image and its own note, mean over seeds [95%]; in brackets, to another case's note: only the gap"
        " counts, since a collapsed space has a high cosine everywhere.",
    ),
}
INTERPRETATION = """\
An interval that holds 0 allows no conclusion; it does not show that two cells are equal. A difference is reported only
if its interval excludes 0 and every seed has the same sign. Notes that name the class nearly give away retrieval as
written; the masked figure is the headline."""


def write_report(results: Results, plots: Sequence[str]) -> str:
    """Return comparison.md.

    Args:
        results: Content of comparison.json.
        plots: Names of the plots that were drawn.
    """
    figures, differences = _frames(results)
    baseline = differences[differences["second"] == IMAGE_ONLY]
    parts = [
        "# Comparison of note strategies",
        "Research use only, never a diagnosis.",
        "## Summary",
        _summary(results, figures, baseline),
        *(_paper_table(results, figures, number) for number in TABLES),
        _differences(
            results,
            "## Against image-only",
            baseline,
            "Strategy minus image-only on the same cases, paired; same budget and seeds.",
        ),
        _other_cells(results, figures, differences),
        *(_queries(results, cell, figures, differences) for cell in results["cells"] if len(cell["queries"]) > 1),
        *(f"![{text}]({name})" for name, text in PLOTS.items() if name in plots),
        left_out(results),
        _method(results),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def number(value: float | None, ci: Sequence[float] | None = None, *, sign: str = "") -> str:
    """Return a figure to three places with its interval, or a dash if it is undefined."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:{sign}.3f}" + (f" [{ci[0]:{sign}.3f}, {ci[1]:{sign}.3f}]" if isinstance(ci, list | tuple) else "")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in (header, ["---"] * len(header), *rows))


def measure_name(key: str) -> str:
    """Return a readable name: "map:m:masked:image_to_text" is "mAP image to note, diagnosis masked"."""
    kind, *rest = key.split(":")
    name = " ".join([KINDS[kind], *(DIRECTIONS[word] for word in rest if word in DIRECTIONS)])
    return ", ".join([name, *(VERSIONS[word] for word in rest if word in VERSIONS)])


def left_out(results: Results) -> str:
    """Return the section on cells that were not run or failed."""
    rows = [[each["name"], each["reason"]] for each in results["left_out"]]
    return f"## Left out\n\n{markdown_table(['cell', 'reason'], rows)}" if rows else ""


def _frames(results: Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the figures and the differences, each with its measure, row title and text for a table."""
    columns = ["partition", "row", "recipe", *Measure._fields, "mean", "ci", "by_seed", "chance"]
    figures = pd.DataFrame(results["figures"], columns=columns)
    columns = ["first", "second", "measure", "value", "ci", "by_seed", "partition", "row", "verdict"]
    differences = pd.DataFrame(results["differences"], columns=columns)
    for frame in (figures, differences):
        frame["title"] = [_title(results, row) for row in frame.to_dict("records")]
    measures = [Measure(*parts) for parts in figures[list(Measure._fields)].itertuples(index=False)]
    figures["any_queries"] = [each._replace(queries="").key for each in measures]
    figures["text"] = [_cell_text(each, len(results["seeds"])) for each in figures.to_dict("records")]
    several = {cell["name"] for cell in results["cells"] if len(cell["queries"]) > 1}
    figures["own"] = figures["queries"].isin([""]) | (figures["queries"] == figures["recipe"])
    figures["queried"] = [name in several for name in figures["partition"] + "/" + figures["recipe"]]
    return figures, differences


def _title(results: Results, row: Mapping[str, Any]) -> str:
    return f"{results['partitions'][row['partition']]}, {row['row']}"


def _inside(frame: pd.DataFrame, row: Mapping[str, Any]) -> pd.DataFrame:
    return frame[(frame["partition"] == row["partition"]) & (frame["row"] == row["row"])]


def _cell_text(figure: Mapping[str, Any], n_seeds: int) -> str:
    chance = "" if pd.isna(figure["chance"]) else f" ({number(figure['chance'])})"
    seeds = len(figure["by_seed"])
    return number(figure["mean"], figure["ci"]) + chance + (f", {seeds} of {n_seeds} seeds" if seeds < n_seeds else "")


def _caption(results: Results, text: str) -> str:
    seeds = ", ".join(map(str, results["seeds"]))
    return (
        f"{text} Data: {results['cases']}; held-out cases only; seed{'s' if len(results['seeds']) > 1 else ''} {seeds};"
        f" device {results['device'] or 'unknown'}; `{results['command']}`."
    )


def _summary(results: Results, figures: pd.DataFrame, baseline: pd.DataFrame) -> str:
    """Return kappa against image-only, and masked retrieval against chance, for all held-out cases of a partition."""
    lines = []
    retrieval = figures[(figures["kind"] == "map") & (figures["version"] == "masked") & figures["chance"].notna()]
    retrieval = retrieval[retrieval["own"] | retrieval["queried"]]
    for row in results["rows"]:
        if row["row"] not in WHOLE:
            continue
        title = _title(results, row)
        kappa = baseline[baseline["measure"] == "kappa"]
        lines += [_difference_sentence(each) for each in _inside(kappa, row).to_dict("records")]
        for each in _inside(retrieval, row).to_dict("records"):
            above = isinstance(each["ci"], list | tuple) and each["ci"][0] > each["chance"]
            lines.append(
                f"{title}: with the diagnosis masked, {DIRECTIONS[each['direction']]} search with {each['queries']}"
                f" notes is {'above chance' if above else 'not distinguishable from chance'}"
                f" ({number(each['mean'], each['ci'])}, chance {number(each['chance'])})."
            )
    if not lines:
        return "No finished cells to compare yet."
    return "\n".join(f"- {line}" for line in lines) + f"\n\n{INTERPRETATION}"


def _difference_sentence(each: Mapping[str, Any]) -> str:
    subject = f"{each['title']}: {measure_name(each['measure'])} of {each['first']}"
    value, seeds = number(each["value"], each["ci"], sign="+"), len(each["by_seed"])
    if each["verdict"] in (HIGHER, LOWER):
        support = f"in all {seeds} seeds" if seeds > 1 else "one seed only: another may give a different result"
        return f"{subject} is {each['verdict']} than of {each['second']} by {value}, {support}."
    reason = UNCLEAR if each["verdict"] == UNCLEAR else "too few patients or lesions for an interval"
    return f"{subject} and of {each['second']}: {reason}, {value}."


def _paper_table(results: Results, figures: pd.DataFrame, table: int) -> str:
    """Return one of the paper's tables, retrieval and alignment with the diagnosis masked first."""
    title, wanted, text = TABLES[table]
    parts = [f"## Table {table}: {title}"]
    for version, name in ({"": ""} if table == 2 else VERSIONS).items():
        parts += [f"### {name.capitalize()}"] if name else []
        chosen = figures[figures["own"] & (figures["version"] == version)]
        for key, value in wanted.items():
            chosen = chosen[chosen[key] == value]
        parts.append(_beside_paper(results, chosen, table, {} if version == "masked" else PAPER.get(table, {})))
    return "\n\n".join([*parts, _caption(results, text)])


def _beside_paper(
    results: Results, figures: pd.DataFrame, table: int, published: Mapping[str, Mapping[str, str]]
) -> str:
    """Return a row per data set and a column per strategy, with the paper's figures in columns of their own."""
    ours = [name for name in PAPER_COLUMNS if name != IMAGE_ONLY or table == 2]
    theirs = [title for title in PAPER_COLUMNS.values() if any(title in row for row in published.values())]
    skipped = {each["name"] for each in results["left_out"]}
    rows: list[list[str]] = []
    for row in results["rows"]:
        inside = _inside(figures, row).set_index("recipe")["text"]
        if inside.index.isin(ours).any():
            gaps = {name: "left out" if f"{row['partition']}/{name}" in skipped else "–" for name in ours}
            texts = [inside.get(name, gaps[name]) for name in ours]
            rows.append([_title(results, row), f"{row['n_cases']} / {row['n_groups']}", *texts, *("–" for _ in theirs)])
    for name, values in published.items():
        rows.append([f"paper: {name}", "", *("" for _ in ours), *(values.get(title, "?") for title in theirs)])
    if not rows:
        return "Nothing is finished for this table yet."
    header = [*(PAPER_COLUMNS[name] for name in ours), *(f"{title} (paper)" for title in theirs)]
    return markdown_table(["partition, data", "cases / groups", *header], rows)


def _differences(results: Results, heading: str, differences: pd.DataFrame, text: str) -> str:
    rows = []
    for each in differences.to_dict("records"):
        single = each["verdict"] in (HIGHER, LOWER) and len(each["by_seed"]) == 1
        rows.append(
            [
                *(each["title"], each["first"], each["second"], measure_name(each["measure"])),
                number(each["value"], each["ci"], sign="+"),
                ", ".join(f"{value:+.3f}" for value in each["by_seed"]),
                f"{each['verdict']} in the one seed run" if single else each["verdict"],
            ]
        )
    if not rows:
        return ""
    header = ["partition, data", "first", "second", "measure", "first minus second [95%]", "by seed", "verdict"]
    return f"{heading}\n\n{markdown_table(header, rows)}\n\n{_caption(results, text)}"


def _pivot(figures: pd.DataFrame, index: list[str], measures: Sequence[str]) -> str:
    """Return a table with a row per value of `index`, in order of appearance, and a column per measure."""
    figures = figures.drop_duplicates([*index, "any_queries"])
    rows = figures[index].drop_duplicates()
    texts = figures.set_index([*index, "any_queries"])["text"].to_dict()
    cells = [[*row, *(texts.get((*row, measure), "–") for measure in measures)] for row in rows.itertuples(index=False)]
    return markdown_table([*index, *map(measure_name, measures)], cells)


def _other_cells(results: Results, figures: pd.DataFrame, differences: pd.DataFrame) -> str:
    """Return the cells outside the paper's tables: single losses, text encoders."""
    single = [cell for cell in results["cells"] if cell["seeds"] and len(cell["queries"]) < 2]
    about = {cell["recipe"]: cell["about"] for cell in single if cell["column"] is None}
    if not about:
        return ""
    chosen = figures[figures["row"].isin(WHOLE) & figures["recipe"].isin(["m", *about])]
    chosen = chosen.assign(cell=chosen["recipe"], description=chosen["recipe"].map({"m": "all losses", **about}))
    measures = ["kappa", *(f"map:masked:{direction}" for direction in DIRECTIONS), "cosine:masked"]
    table = _pivot(
        chosen.rename(columns={"title": "partition, data"}), ["partition, data", "cell", "description"], measures
    )
    against = differences[differences["first"].isin(list(about))]
    rest = _differences(results, "### Differences", against, "On the same cases, paired.")
    return f"## Losses and text encoders\n\n{table}\n\n{_caption(results, 'As above.')}\n\n{rest}"


def _queries(results: Results, cell: Mapping[str, Any], figures: pd.DataFrame, differences: pd.DataFrame) -> str:
    """Return the results of several sets of query notes for the same lesions, with models trained on one strategy."""
    place = {"partition": cell["partition"], "row": "all"}
    chosen = _inside(figures[(figures["recipe"] == cell["recipe"]) & (figures["queries"] != "")], place)
    measures = [f"{kind}:{version}{way}" for version in VERSIONS for kind, way in SEARCHES]
    cases = next(each["n_cases"] for each in results["rows"] if place.items() <= each.items())
    text = (
        f"No model was trained on these notes: there are too few. {cell['recipe']} was trained on template notes of"
        " other lesions (also of drawn ones with their findings, where the cases hold some); each strategy's notes of"
        f" the same {cases} held-out lesions are the queries, and the gallery is these lesions only."
    )
    pairs = _inside(differences[differences["first"].str.endswith(" notes")], place)
    pairs = pairs.sort_values("measure", key=lambda keys: keys.str.contains("as_written"), kind="stable")
    parts = [
        "## Strategies as queries, on the same lesions",
        _pivot(chosen.assign(notes=chosen["queries"]), ["notes"], measures),
        _caption(results, text),
        _differences(results, "### Strategy against strategy", pairs, "The same lesions and models, paired."),
    ]
    return "\n\n".join(parts)


def _method(results: Results) -> str:
    lines = [
        "Every cell has the same budget, seeds and settings, except for what its name says; the best epoch is selected"
        " on validation cases.",
        f"Intervals: 95%, bootstrap over patients or lesions ({results['bootstrap']} draws), the same draws for both"
        " sides of a difference. They do not cover the choice of the seed; each seed's result is listed.",
        "No patient, lesion or identical image is on both sides of a partition. Drawn lesions are never pooled with"
        " photographs.",
        *results["told"],
        "The paper's figures: arXiv 2511.21827, as far as they are public (`?` is not); other data, other network.",
        f"Notes: {results['notes']}; query notes: {results['query_notes'] or 'none'}; {software(results)}.",
    ]
    return "## Method\n\n" + "\n".join(f"- {line}" for line in lines)


def software(results: Results) -> str:
    """Return the versions of the software as one line."""
    return ", ".join(f"{name} {version}" for name, version in results["versions"].items())
