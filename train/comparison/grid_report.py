"""comparison.json of a grid: every figure and difference as plain values, from which tables and pictures are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

from ..evaluation.metric_format import DIRECTIONS, VERSIONS
from .cell_results import Measure, Runs, figures_on
from .cells import Cell, LeftOut
from .differences import Difference, difference
from .plan import PAPER_COLUMNS, GridPlan

CLASSES = (Measure("kappa"), Measure("balanced_accuracy"))


def searches(queries: str) -> tuple[Measure, ...]:
    """Retrieval both ways and alignment with one set of query notes, masked first."""
    maps = [Measure("map", queries, version, way) for version in VERSIONS for way in DIRECTIONS]
    return (*maps, *(Measure("cosine", queries, version) for version in VERSIONS))


def collect(
    plan: GridPlan, cells: Sequence[Cell], runs: Mapping[str, Runs], left_out: Sequence[LeftOut], *, n_boot: int
) -> dict[str, Any]:
    """Everything that the tables of a grid tell.

    Args:
        plan: Of the comparison.
        cells: All of its cells.
        runs: By cell name, what is finished.
        left_out: Cells that were not run or failed.
        n_boot: Draws for the intervals.
    """
    there = [cell for cell in cells if cell.name in runs]
    rows, figures, differences = [], [], []
    for partition in plan.partitions:
        inside = [cell for cell in there if cell.partition == partition]
        for row in runs[inside[0].name].rows if inside else ():
            first = runs[inside[0].name]
            mask = first.rows[row]
            groups = first.table.loc[mask, "group"].nunique()
            rows.append({"partition": partition, "row": row, "n_cases": int(mask.sum()), "n_groups": int(groups)})
            for cell in inside:
                figures += _figures(cell, runs[cell.name], row, n_boot)
            found = _against(inside, runs, row, n_boot)
            if row == "all":
                found += [each for cell in inside for each in _between_sets(cell, runs[cell.name], row, n_boot)]
            place = {"partition": partition, "row": row}
            differences += [{**asdict(each), **place, "verdict": each.verdict} for each in found]
    return {
        "partitions": {name: each.title or name for name, each in plan.partitions.items()},
        "cells": [_cell(cell, plan, runs.get(cell.name)) for cell in cells],
        "left_out": [asdict(each) for each in left_out],
        "rows": rows,
        "figures": figures,
        "differences": differences,
    }


def _cell(cell: Cell, plan: GridPlan, found: Runs | None) -> dict[str, Any]:
    recipe = plan.cells[cell.recipe]
    return {
        "name": cell.name,
        "partition": cell.partition,
        "recipe": cell.recipe,
        "column": PAPER_COLUMNS.get(cell.recipe),
        "about": recipe.about,
        "queries": list(found.queries) if found else [],
        "seeds": list(found.tables) if found else [],
        "device": next(iter(found.facts.values()))["device"] if found else None,
    }


def _figures(cell: Cell, found: Runs, row: str, n_boot: int) -> list[dict[str, Any]]:
    measures = [*CLASSES, *(each for name in found.queries for each in searches(name))]
    told = figures_on(found, row, measures, n_boot=n_boot)
    return [
        {"partition": cell.partition, "row": row, "recipe": cell.recipe, **asdict(each), **asdict(told[each.key])}
        for each in measures
    ]


def _against(cells: Sequence[Cell], runs: Mapping[str, Runs], row: str, n_boot: int) -> list[Difference]:
    """Each cell against the one its recipe names; searches too where both read notes of the same strategy."""
    by_recipe = {cell.recipe: cell for cell in cells}
    found = []
    for cell in cells:
        other = by_recipe.get(cell.against)
        if other is None:
            continue
        shared = [name for name in runs[cell.name].queries if name in runs[other.name].queries]
        measures = [*CLASSES, *(each for name in shared for each in searches(name))]
        names = (cell.recipe, other.recipe)
        for each in measures:
            found.append(difference(runs[cell.name], runs[other.name], row, (each, each), names, n_boot=n_boot))
    return [each for each in found if each is not None]


def _between_sets(cell: Cell, found: Runs, row: str, n_boot: int) -> list[Difference]:
    """Sets of query notes against each other, through the same models and on the same lesions."""
    told = []
    for second, first in combinations(found.queries, 2):
        names = (f"{first} notes", f"{second} notes")
        for pair in zip(searches(first), searches(second), strict=True):
            told.append(difference(found, found, row, pair, names, n_boot=n_boot))
    return [each for each in told if each is not None]
