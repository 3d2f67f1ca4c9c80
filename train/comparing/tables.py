"""comparison.md of a grid: the paper's tables in its shape, what separates the cells, and how it was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from train.comparing.paper import SOURCE, figures_of
from train.comparing.plan import IMAGE_ONLY, PAPER_COLUMNS
from train.comparing.words import DIRECTIONS, VERSIONS, difference_in_words, measure_in_words, number
from train.evaluating.report import table

PICTURES = {
    "kappa.png": "Kappa from the picture alone, mean over seeds, 95% over patients or lesions",
    "retrieval.png": "Retrieval by training notes, diagnosis masked and as written; the mark is chance",
    "differences.png": "Differences on the same cases, with 95% intervals",
    "queries.png": "Strategies as queries, on the same lesions through the same models",
}


def write_markdown(told: Mapping[str, Any], pictures: Sequence[str]) -> str:
    """The whole comparison.md.

    Args:
        told: What comparison.json holds.
        pictures: Names of the pictures that were drawn.
    """
    parts = [
        "# Comparison of note strategies",
        "Research use only, never a diagnosis.",
        _summary(told),
        _kappa(told),
        _retrieval(told, 3, "image_to_text"),
        _retrieval(told, 4, "text_to_image"),
        _cosine(told),
        _differences(told),
        _others(told),
        _queries(told),
        *(f"![{words}]({name})" for name, words in PICTURES.items() if name in pictures),
        _left_out(told),
        _method(told),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def caption(told: Mapping[str, Any], what: str) -> str:
    """Where the figures of a table come from: data, split, seeds, device, command."""
    seeds = ", ".join(map(str, told["seeds"]))
    return (
        f"{what} Data: {told['cases']}; held-out cases only; seed{'s' if len(told['seeds']) > 1 else ''} {seeds};"
        f" device {told['device'] or 'unknown'}; `{told['command']}`."
    )


def _summary(told: Mapping[str, Any]) -> str:
    lines = []
    for row in _whole(told):
        name = _row(told, row)
        for each in told["differences"]:
            inside = each["row"] == f"{row['partition']}, {row['row']}"
            if inside and each["measure"] == "kappa" and each["second"] == IMAGE_ONLY:
                lines.append(difference_in_words({**each, "row": name}))
        for each in _figures(told, row, kind="map", version="masked", columns=PAPER_COLUMNS):
            if each["queries"] != each["recipe"] or each["chance"] is None:
                continue
            above = each["ci"] is not None and each["ci"][0] > each["chance"]
            verdict = "above chance" if above else "not told from chance"
            figures = f"{number(each['mean'], each['ci'])}, chance {number(each['chance'])}"
            lines.append(
                f"{name}: with the diagnosis masked, {DIRECTIONS[each['direction']]} search of {each['recipe']} is"
                f" {verdict} ({figures})."
            )
    if not lines:
        return "## In plain words\n\nNothing is finished that could be compared yet."
    rule = (
        "An interval that holds 0 allows no statement either way: it is no proof that two cells are alike. A difference"
        " counts as told only if its interval leaves 0 out and every seed shows the same sign. Notes that name the"
        " class give retrieval as written nearly away; the masked figure is the headline."
    )
    return "## In plain words\n\n" + "\n".join(f"- {line}" for line in lines) + f"\n\n{rule}"


def _kappa(told: Mapping[str, Any]) -> str:
    what = "Unweighted kappa from the picture alone, mean over seeds [95% over patients or lesions]."
    return f"## Table 2: classification\n\n{_paper_table(told, 2, kind='kappa')}\n\n{caption(told, what)}"


def _retrieval(told: Mapping[str, Any], number_of: int, direction: str) -> str:
    parts = [f"## Table {number_of}: {DIRECTIONS[direction]}, mAP"]
    for version, title in VERSIONS.items():
        rows = _paper_table(told, number_of, kind="map", version=version, direction=direction)
        parts.append(f"### {title[0].upper()}{title[1:]}\n\n{rows}")
    what = (
        "Mean average precision, relevant is the query's class, mean over seeds [95%]; in brackets, what the same"
        " rankings score when the classes of the queries are shuffled. The paper's figures are of notes as written;"
        " which of its two tables searches in which direction is not known."
    )
    return "\n\n".join([*parts, caption(told, what)])


def _cosine(told: Mapping[str, Any]) -> str:
    parts = ["## Table 5: paired cosine"]
    for version, title in VERSIONS.items():
        parts.append(f"### {title[0].upper()}{title[1:]}\n\n{_paper_table(told, 5, kind='cosine', version=version)}")
    what = (
        "Cosine of a picture and its own note, mean over seeds [95%]; in brackets, to another case's note: the gap"
        " counts, as a collapsed space has a high cosine everywhere."
    )
    return "\n\n".join([*parts, caption(told, what)])


def _paper_table(told: Mapping[str, Any], number_of: int, **wanted: str) -> str:
    """Rows are partitions and data sets, columns strategies; then the paper's own figures in columns of theirs."""
    ours = {name: title for name, title in PAPER_COLUMNS.items() if name != IMAGE_ONLY or wanted["kind"] == "kappa"}
    published = figures_of(number_of) if wanted.get("version") != "masked" else {}
    theirs = [title for title in PAPER_COLUMNS.values() if any(title in row for row in published.values())]
    missing = {each["name"] for each in told["left_out"]}
    rows = []
    for row in told["rows"]:
        found = {each["recipe"]: each for each in _figures(told, row, columns=ours, **wanted) if _own(each)}
        if not found:
            continue
        cells = [_cell(found[name]) if name in found else _gap(f"{row['partition']}/{name}", missing) for name in ours]
        rows.append([_row(told, row), f"{row['n_cases']} / {row['n_groups']}", *cells, *("–" for _ in theirs)])
    for name, row in published.items():
        rows.append([f"paper: {name}", "", *("" for _ in ours), *(row.get(title, "?") for title in theirs)])
    return table(["partition, data", "cases / groups", *ours.values(), *(f"{title} (paper)" for title in theirs)], rows)


def _own(figure: Mapping[str, Any]) -> bool:
    """Whether a cell was searched with notes of the strategy that it is named after."""
    return figure["queries"] in ("", figure["recipe"])


def _cell(figure: Mapping[str, Any]) -> str:
    chance = f" ({number(figure['chance'])})" if figure["chance"] is not None else ""
    return number(figure["mean"], figure["ci"]) + chance


def _gap(name: str, missing: set[str]) -> str:
    return "left out" if name in missing else "–"


def _differences(told: Mapping[str, Any]) -> str:
    chosen = [each for each in told["differences"] if each["second"] == IMAGE_ONLY]
    what = "Strategy minus image-only on the same cases, paired; trained with the same budget and seeds."
    return _difference_table(told, "## Against image-only", chosen, what)


def _others(told: Mapping[str, Any]) -> str:
    """What else was trained: losses left out, frozen text."""
    extra = [cell for cell in told["cells"] if cell["column"] is None and cell["seeds"]]
    if not extra:
        return ""
    names = {cell["recipe"]: cell["about"] for cell in extra}
    measures = ["kappa", *(f"map:{{}}:masked:{way}" for way in DIRECTIONS), "cosine:{}:masked"]
    rows = []
    for row in _whole(told):
        for recipe in ["m", *names]:
            found = {_key(each): each for each in told["figures"] if _is(each, row) and each["recipe"] == recipe}
            queries = next((each["queries"] for each in found.values() if each["queries"]), "")
            cells = [found.get(measure.format(queries)) for measure in measures]
            if any(cells):
                said = [_cell(each) if each else "–" for each in cells]
                rows.append([_row(told, row), recipe, names.get(recipe, "all losses"), *said])
    header = ["partition", "cell", "what is special", *(measure_in_words(each.format("m")) for each in measures)]
    chosen = [each for each in told["differences"] if each["first"] in names]
    rest = _difference_table(told, "### What it changes", chosen, "On the same cases, paired.")
    return f"## Losses and text encoders\n\n{table(header, rows)}\n\n{caption(told, 'As above.')}\n\n{rest}"


def _queries(told: Mapping[str, Any]) -> str:
    """Notes of several writers for the same lesions, searched through models trained on notes of one strategy."""
    cells = [cell for cell in told["cells"] if len(cell["queries"]) > 1]
    if not cells:
        return ""
    parts = ["## Strategies as queries, on the same lesions"]
    for cell in cells:
        row = {"partition": cell["partition"], "row": "all"}
        inside = [each for each in told["figures"] if _is(each, row) and each["recipe"] == cell["recipe"]]
        measures = [(kind, version, way) for version in VERSIONS for kind, way in _searches()]
        rows = []
        for queries in cell["queries"]:
            found = {
                (each["kind"], each["version"], each["direction"]): each
                for each in inside
                if each["queries"] == queries
            }
            rows.append([queries, *(_cell(found[each]) for each in measures)])
        header = ["notes", *(measure_in_words(":".join(filter(None, (k, v, w)))) for k, v, w in measures)]
        cases = next(each["n_cases"] for each in told["rows"] if _is({**each, "recipe": ""}, row))
        what = (
            f"No model was trained on these notes: there are too few. {cell['recipe']} was trained on template notes of"
            f" other lesions, and each strategy's notes of the same {cases} lesions, all of them held out, are searched"
            " with, picture to note and note to picture among just these lesions."
        )
        chosen = [
            each
            for each in told["differences"]
            if each["row"] == f"{cell['partition']}, all" and " notes" in each["first"]
        ]
        rest = _difference_table(told, "### Strategy against strategy", chosen, "The same lesions and models, paired.")
        parts += [table(header, rows), caption(told, what), rest]
    return "\n\n".join(parts)


def _searches() -> list[tuple[str, str]]:
    return [*(("map", way) for way in DIRECTIONS), ("cosine", "")]


def _difference_table(told: Mapping[str, Any], title: str, chosen: Sequence[Mapping[str, Any]], what: str) -> str:
    if not chosen:
        return ""
    rows = [
        [
            each["row"],
            each["first"],
            each["second"],
            measure_in_words(each["measure"]),
            number(each["value"], each["ci"], signed=True),
            ", ".join(f"{value:+.3f}" for value in each["by_seed"]),
            each["verdict"],
        ]
        for each in chosen
    ]
    header = ["partition, data", "first", "second", "measure", "first minus second [95%]", "by seed", "verdict"]
    return f"{title}\n\n{table(header, rows)}\n\n{caption(told, what)}"


def _left_out(told: Mapping[str, Any]) -> str:
    if not told["left_out"]:
        return ""
    rows = [[each["name"], each["reason"]] for each in told["left_out"]]
    return f"## Left out\n\n{table(['cell', 'why'], rows)}"


def _method(told: Mapping[str, Any]) -> str:
    draws = f"{told['bootstrap']} draws"
    lines = [
        "Every cell learns with the same budget, seeds and settings, but for what its name says; the best epoch is"
        " chosen on validation cases.",
        f"Intervals: 95%, by drawing patients or lesions anew ({draws}), the same draws for both sides of a difference."
        " They do not cover what another seed would change; that is told seed by seed.",
        "No patient, lesion or identical picture is on both sides of a partition. Drawn lesions are never pooled with"
        " photographs.",
        *told["told"],
        f"The paper's figures: {SOURCE}; other data, other network. `?` is not public.",
        f"Notes: {told['notes']}; query notes: {told['query_notes'] or 'none'};"
        f" {', '.join(f'{name} {version}' for name, version in told['versions'].items())}.",
    ]
    return "## How it was measured\n\n" + "\n".join(f"- {line}" for line in lines)


def _whole(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [row for row in told["rows"] if row["row"] in ("all", "test, all", "external, all")]


def _row(told: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    return f"{told['partitions'][row['partition']]}, {row['row']}"


def _is(figure: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    return bool(figure["partition"] == row["partition"] and figure["row"] == row["row"])


def _key(figure: Mapping[str, Any]) -> str:
    return ":".join(filter(None, (figure[name] for name in ("kind", "queries", "version", "direction"))))


def _figures(
    told: Mapping[str, Any], row: Mapping[str, Any], *, columns: Mapping[str, str], **wanted: str
) -> list[Mapping[str, Any]]:
    return [
        each
        for each in told["figures"]
        if _is(each, row) and each["recipe"] in columns and all(each[key] == value for key, value in wanted.items())
    ]
