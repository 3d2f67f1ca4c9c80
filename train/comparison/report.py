"""Tables of comparison.json as data frames, and the page comparison.md of a grid and of the hallucination study."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .plan import IMAGE_ONLY, PAPER_COLUMNS
from .results import DIRECTIONS, HIGHER, KAPPA, LOWER, VERSIONS, split_measure

Results = Mapping[str, Any]  # content of comparison.json
FOLDER = Path(__file__).parent
WHOLE = ("all", "test, all", "external, all")  # rows of all held-out cases of a partition
KINDS = {KAPPA: "kappa", "balanced_accuracy": "balanced accuracy", "map": "mAP", "cosine": "paired cosine"}
GAP = "–"


def fill_page(template: str, results: Results, **values: Any) -> str:
    """Fill a template of this folder with results and tables; a missing value is an error."""
    environment = Environment(  # Markdown needs no escaping  # noqa: S701  # nosec B701
        loader=FileSystemLoader(FOLDER), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["percent"] = lambda share: f"{100 * share:g}%"
    return environment.get_template(template).render({**results, **values}) + "\n"


def number(value: float | None, low: float | None = None, high: float | None = None, *, sign: str = "") -> str:
    """Return a figure to three places with its interval, or a dash if it is undefined."""
    if value is None or math.isnan(value):
        return GAP
    return f"{value:{sign}.3f}" + ("" if pd.isna(low) else f" [{low:{sign}.3f}, {high:{sign}.3f}]")


def measure_name(measure: str) -> str:
    """Return a readable name: "map:m:masked:image_to_text" is "mAP image to note, diagnosis masked"."""
    parts = split_measure(measure)
    name = " ".join(filter(None, (KINDS[parts["kind"]], DIRECTIONS.get(parts["direction"]))))
    return ", ".join(filter(None, (name, VERSIONS.get(parts["version"]))))


def figures_table(results: Results) -> pd.DataFrame:
    """Return one row per figure: partition, row, title, recipe, kind, queries, version, direction, mean, low, high, ...

    "own" marks figures without notes or with query notes of the cell's own strategy; "queried" those of a cell with
    several sets of query notes.
    """
    columns = ["partition", "row", "recipe", "kind", "queries", "version", "direction", "mean", "ci", "by_seed"]
    table = _with_titles(results, pd.DataFrame(results["figures"], columns=[*columns, "chance"]))
    sizes = pd.DataFrame(results["rows"], columns=["partition", "row", "n_cases", "n_groups"])
    table = table.merge(sizes, how="left", on=["partition", "row"])
    several = {cell["name"] for cell in results["cells"] if len(cell["queries"]) > 1}
    table["own"] = (table["queries"] == "") | (table["queries"] == table["recipe"])
    table["queried"] = (table["partition"] + "/" + table["recipe"]).isin(several)
    records = table.to_dict("records")
    names = [(each["kind"], each["queries"], each["version"], each["direction"]) for each in records]
    table["measure"] = [measure_name(":".join(each)) for each in names]
    table["text"] = [_cell_text(each, len(results["seeds"])) for each in records]
    return table


def differences_table(results: Results) -> pd.DataFrame:
    """Return one row per difference: partition, row, title, first, second, measure, value, low, high, by_seed, ..."""
    columns = ["partition", "row", "first", "second", "measure", "value", "ci", "by_seed", "verdict"]
    table = _with_titles(results, pd.DataFrame(results["differences"], columns=columns))
    table["name"] = table["measure"].map(measure_name)
    table["version"] = [split_measure(each)["version"] for each in table["measure"]]
    ends = zip(table["value"], table["low"], table["high"], strict=True)
    table["text"] = [number(*each, sign="+") for each in ends]
    table["seeds"] = table["by_seed"].map(len)
    table["significant"] = table["verdict"].isin([HIGHER, LOWER])
    return table


def _with_titles(results: Results, table: pd.DataFrame) -> pd.DataFrame:
    table["title"] = table["partition"].map(results["partitions"]) + ", " + table["row"]
    table["low"], table["high"] = ([ci[end] if ci else math.nan for ci in table["ci"]] for end in (0, 1))
    return table


def _cell_text(figure: Mapping[str, Any], n_seeds: int) -> str:
    chance = "" if pd.isna(figure["chance"]) else f" ({number(figure['chance'])})"
    seeds = len(figure["by_seed"])
    rest = f", {seeds} of {n_seeds} seeds" if seeds < n_seeds else ""
    return number(figure["mean"], figure["low"], figure["high"]) + chance + rest


def write_grid_page(results: Results, plots: Mapping[str, str]) -> str:
    """Return comparison.md of a grid.

    Args:
        results: Content of comparison.json.
        plots: Titles of the plots drawn, by file name.
    """
    figures, differences = figures_table(results), differences_table(results)
    baseline = differences[differences["second"] == IMAGE_ONLY]
    single = [cell for cell in results["cells"] if cell["seeds"] and len(cell["queries"]) < 2]
    about = {cell["recipe"]: cell["about"] for cell in single if cell["column"] is None}
    others = figures[figures["row"].isin(WHOLE) & figures["recipe"].isin(["m", *about] if about else [])]
    others = others.rename(columns={"title": "partition, data", "recipe": "cell"})
    others = others.assign(description=others["cell"].map({"m": "all losses", **about}))
    headline = ["kappa", *(measure_name(f"map::masked:{way}") for way in DIRECTIONS), measure_name("cosine::masked")]
    queried = [cell for cell in results["cells"] if len(cell["queries"]) > 1]
    return fill_page(
        "grid.md.j2",
        results,
        plots=plots,
        note_versions=VERSIONS,
        summary=_grid_summary(figures, baseline[baseline["measure"] == KAPPA]),
        directions=DIRECTIONS,
        number=number,
        beside_paper=lambda *key: _beside_paper(results, figures, *key),
        baseline=_differences(baseline),
        other_cells=_pivot(
            others.rename(columns={"title": "partition, data"}), ["partition, data", "cell", "description"], headline
        ),
        other_differences=_differences(differences[differences["first"].isin(list(about))]),
        queried=[_queries(cell, figures, differences) for cell in queried],
    )


def _grid_summary(figures: pd.DataFrame, kappa: pd.DataFrame) -> list[dict[str, Any]]:
    """Return kappa against image-only, and masked retrieval against chance, for all held-out cases of a partition."""
    retrieval = figures[(figures["kind"] == "map") & (figures["version"] == "masked") & figures["chance"].notna()]
    retrieval = retrieval[retrieval["own"] | retrieval["queried"]]
    titles = figures.loc[figures["row"].isin(WHOLE), "title"].unique()
    return [
        {
            "differences": kappa[kappa["title"] == title].to_dict("records"),
            "retrieval": retrieval[retrieval["title"] == title].to_dict("records"),
        }
        for title in titles
        if title in {*kappa["title"], *retrieval["title"]}
    ]


def _beside_paper(
    results: Results, figures: pd.DataFrame, paper_table: int, kind: str, version: str, direction: str
) -> pd.DataFrame:
    """Return a row per data set and a column per strategy, with the paper's figures in columns of their own.

    The paper's notes name the diagnosis: its figures are not comparable to masked ones.
    """
    ours = [name for name in PAPER_COLUMNS if name != IMAGE_ONLY or kind == KAPPA]
    chosen = (figures[["kind", "version", "direction"]] == [kind, version, direction]).all(axis=1)
    chosen = figures[chosen & figures["own"] & figures["recipe"].isin(ours)]
    chosen = chosen.assign(size=chosen["n_cases"].astype(str) + " / " + chosen["n_groups"].astype(str))
    table = _pivot(chosen, ["partition", "title", "size"], ours, "recipe")
    for each in results["left_out"]:
        partition, _, recipe = each["name"].partition("/")
        if recipe in ours:
            table.loc[(table["partition"] == partition) & (table[recipe] == GAP), recipe] = "left out"
    table = table.drop(columns="partition").rename(columns=PAPER_COLUMNS)
    paper = pd.read_csv(FOLDER / "paper.csv", dtype={"value": str})
    paper = paper[paper["table"] == paper_table]
    if version != "masked" and len(paper):
        columns = [name for name in PAPER_COLUMNS.values() if name in set(paper["column"])]
        theirs = paper.pivot_table("value", "data", "column", aggfunc="first", sort=False)
        theirs = theirs.reindex(columns=columns).fillna("?").add_suffix(" (paper)")
        theirs = theirs.reset_index(names="title").assign(title=lambda each: "paper: " + each["title"])
        table = pd.concat([table.assign(**dict.fromkeys(theirs.columns[1:], GAP)), theirs]).fillna("")
    return table.rename(columns={"title": "partition, data", "size": "cases / groups"})


def _pivot(figures: pd.DataFrame, index: list[str], columns: Sequence[str], column: str = "measure") -> pd.DataFrame:
    """Return a row per value of `index`, in order of appearance, and a column per value of `column`."""
    if figures.empty:
        return pd.DataFrame(columns=[*index, *columns], dtype=object)
    table = figures.pivot_table("text", index, column, aggfunc="first", sort=False)
    return table.reindex(columns=columns).astype(object).fillna(GAP).reset_index()


def _differences(table: pd.DataFrame) -> pd.DataFrame:
    single = table["significant"] & (table["seeds"] == 1)
    return pd.DataFrame(
        {
            "partition, data": table["title"],
            "first": table["first"],
            "second": table["second"],
            "measure": table["name"],
            "first minus second [95%]": table["text"],
            "by seed": [", ".join(f"{value:+.3f}" for value in each) for each in table["by_seed"]],
            "verdict": table["verdict"].where(~single, table["verdict"] + " in the one seed run"),
        }
    )


def _queries(cell: Mapping[str, Any], figures: pd.DataFrame, differences: pd.DataFrame) -> dict[str, Any]:
    """Return the results of several sets of query notes for the same lesions, with models trained on one strategy."""
    chosen = figures[(figures["partition"] == cell["partition"]) & (figures["row"] == "all")]
    chosen = chosen[(chosen["recipe"] == cell["recipe"]) & (chosen["queries"] != "")]
    keys = [
        key
        for version in VERSIONS
        for key in (*(f"map::{version}:{direction}" for direction in DIRECTIONS), f"cosine::{version}")
    ]
    pairs = differences[(differences["partition"] == cell["partition"]) & (differences["row"] == "all")]
    pairs = pairs[pairs["first"].str.endswith(" notes")].sort_values("version", ascending=False, kind="stable")
    return {
        "recipe": cell["recipe"],
        "n_cases": chosen["n_cases"].iloc[0],
        "figures": _pivot(chosen.rename(columns={"queries": "notes"}), ["notes"], [measure_name(key) for key in keys]),
        "differences": _differences(pairs),
    }
