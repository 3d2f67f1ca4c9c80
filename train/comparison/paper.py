"""All result figures of arXiv 2511.21827 that could be found, to stand beside ours.

Source: public digests of the paper (its abstract page and what is told of its results); most cells of its tables 2 to
5 are in no text that could be had. They do not say whether a figure is a mean over repeats, nor in
which direction table 3 searches. Its data sets are not ours, and its notes name the diagnosis: beside our figures with
notes as written these are orientation, beside masked ones they would say nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

SOURCE = "arXiv 2511.21827, as far as its figures are public"


@dataclass(frozen=True)
class PaperFigure:
    """One published figure.

    Attributes:
        table: Number of the paper's table.
        row: Data set and partition.
        column: As in `train.comparison.plan.PAPER_COLUMNS`' values.
        value: As printed; a range over data sets where only that is known.
    """

    table: int
    row: str
    column: str
    value: str


FIGURES = (
    PaperFigure(2, "SKINL2, external", "Img", "0.686"),
    PaperFigure(2, "SKINL2, external", "M+P2", "0.743"),
    PaperFigure(2, "Fitzpatrick17k, external", "Img", "0.418"),
    PaperFigure(2, "Fitzpatrick17k, external", "P3", "0.456"),
    PaperFigure(3, "BCN20000, direction not stated", "M+P1", "0.787"),
    PaperFigure(3, "BCN20000, direction not stated", "M+P2", "0.782"),
    PaperFigure(3, "BCN20000, direction not stated", "P3", "0.510"),
    PaperFigure(5, "range over the data sets", "M+P2", "0.689 to 0.797"),
    PaperFigure(5, "range over the data sets", "P3", "0.204 to 0.312"),
)


def figures_of(table: int) -> dict[str, dict[str, str]]:
    """The figures of a table, by row and column."""
    rows: dict[str, dict[str, str]] = {}
    for each in FIGURES:
        if each.table == table:
            rows.setdefault(each.row, {})[each.column] = each.value
    return rows
