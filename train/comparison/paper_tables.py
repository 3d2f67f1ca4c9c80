"""The paper's tables 2 to 5 in the paper's shape, each retrieval and alignment table beside its masked twin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..evaluation.metric_format import DIRECTIONS, VERSIONS, table
from .paper import figures_of
from .plan import IMAGE_ONLY, PAPER_COLUMNS
from .report_lookup import caption, cell_text, figures_in, row_title, searched_with_own


def kappa_table(told: Mapping[str, Any]) -> str:
    """Table 2."""
    what = "Unweighted kappa from the picture alone, mean over seeds [95% over patients or lesions]."
    return f"## Table 2: classification\n\n{_paper_table(told, 2, kind='kappa')}\n\n{caption(told, what)}"


def retrieval_tables(told: Mapping[str, Any], number_of: int, direction: str) -> str:
    """Table 3 or 4, masked first."""
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


def cosine_tables(told: Mapping[str, Any]) -> str:
    """Table 5, masked first."""
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
        found = {
            each["recipe"]: each for each in figures_in(told, row, columns=ours, **wanted) if searched_with_own(each)
        }
        if found:
            gaps = {name: "left out" if f"{row['partition']}/{name}" in missing else "–" for name in ours}
            cells = [cell_text(found[name], told) if name in found else gaps[name] for name in ours]
            rows.append([row_title(told, row), f"{row['n_cases']} / {row['n_groups']}", *cells, *("–" for _ in theirs)])
    for name, row in published.items():
        rows.append([f"paper: {name}", "", *("" for _ in ours), *(row.get(title, "?") for title in theirs)])
    if not rows:
        return "Nothing is finished for this table yet."
    return table(["partition, data", "cases / groups", *ours.values(), *(f"{title} (paper)" for title in theirs)], rows)
