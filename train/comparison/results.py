"""Results of the finished cells, and paired differences between them with 95% intervals: comparison.json of a grid.

A measure is "kappa", "balanced_accuracy", "map:QUERIES:VERSION:DIRECTION" or "cosine:QUERIES:VERSION": QUERIES is a set
of query notes, VERSION a key of `VERSIONS`, DIRECTION a key of `DIRECTIONS`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..metrics.bootstrap import Statistic, intervals, over_seeds, paired_difference, weighted_mean
from ..metrics.classification import balanced_accuracy, cohen_kappa, confusion_matrix
from .plan import PAPER_COLUMNS, Cell, GridPlan
from .runner import FACTS, TABLE

VERSIONS = {"masked": "diagnosis masked", "as_written": "as written"}
DIRECTIONS = {"image_to_text": "image to note", "text_to_image": "note to image"}
MODALITIES = {"dermoscopy": "dermoscopic", "clinical": "clinical"}
DRAWN = "drawn"  # synthetic lesions are easy: they are never pooled with photographs
HIGHER, LOWER, UNCLEAR, UNKNOWN = "higher", "lower", "no significant difference", "too few lesions"
KAPPA = "kappa"
CLASSIFICATION = {KAPPA: cohen_kappa, "balanced_accuracy": balanced_accuracy}


def retrieval_measures(queries: str) -> list[str]:
    """Return retrieval in both directions and alignment with one set of query notes, masked first."""
    maps = [f"map:{queries}:{version}:{direction}" for version in VERSIONS for direction in DIRECTIONS]
    return [*maps, *(f"cosine:{queries}:{version}" for version in VERSIONS)]


def split_measure(measure: str) -> dict[str, str]:
    """Return the parts of a measure: "kind", "queries", "version", "direction"; empty where it has none."""
    return dict(zip(("kind", "queries", "version", "direction"), [*measure.split(":"), "", "", ""], strict=False))


def rows_of(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the (n,) masks of the table rows by name: all photographs, each modality, each source.

    Args:
        table: n held-out cases (source, modality, split); with two splits, names start with "test, " or "external, ".
    """
    rows: dict[str, np.ndarray] = {}
    for split in ("test", "external"):
        cases = table["split"] == split
        if not cases.any():
            continue
        photographs = cases & (table["source"] != DRAWN)
        found = {"all": photographs if photographs.any() else cases}
        if table.loc[photographs, "modality"].nunique() > 1:
            found |= {name: photographs & (table["modality"] == key) for key, name in MODALITIES.items()}
        sources = sorted(table.loc[cases, "source"].unique())
        found |= {name: cases & (table["source"] == name) for name in sources if len(sources) > 1}
        prefix = f"{split}, " if table["split"].nunique() > 1 else ""
        rows |= {prefix + name: mask.to_numpy() for name, mask in found.items()}
    return rows


@dataclass(frozen=True)
class CellRuns:
    """Finished runs of one cell, on the same cases in the same order."""

    tables: Mapping[int, pd.DataFrame]  # by seed, per_case.parquet sorted by case
    facts: Mapping[int, Mapping[str, Any]]  # by seed, per_case.json

    @classmethod
    def read(cls, folders: Mapping[int, Path]) -> CellRuns:
        """Read the run folders, by seed."""
        tables = {seed: pd.read_parquet(path / TABLE) for seed, path in folders.items()}
        facts = {seed: json.loads((path / FACTS).read_text(encoding="utf-8")) for seed, path in folders.items()}
        return cls({seed: each.sort_values("case_id", ignore_index=True) for seed, each in tables.items()}, facts)

    def only(self, seeds: Collection[int]) -> CellRuns:
        """Return the runs of these seeds."""
        kept = sorted(set(self.tables) & set(seeds))
        return CellRuns({seed: self.tables[seed] for seed in kept}, {seed: self.facts[seed] for seed in kept})

    @property
    def table(self) -> pd.DataFrame:
        """Cases."""
        return next(iter(self.tables.values()))

    @property
    def rows(self) -> dict[str, np.ndarray]:
        """Masks of the table rows (see `rows_of`)."""
        return rows_of(self.table)

    @property
    def device(self) -> str:
        """Device of the evaluation."""
        return str(next(iter(self.facts.values()))["device"])

    @property
    def queries(self) -> list[str]:
        """Names of the sets of query notes."""
        return list(next(iter(self.facts.values()))["queries"])

    def statistics(self, measure: str, mask: np.ndarray) -> list[Statistic]:
        """Return one statistic per seed: a function of the weights of the cases under the mask."""
        return [_statistic(table[mask], measure) for table in self.tables.values()]

    def values(self, measure: str, mask: np.ndarray) -> list[float]:
        """Return one value per seed."""
        return [each(np.ones(int(mask.sum()))) for each in self.statistics(measure, mask)]

    def chance(self, measure: str, row: str) -> list[float | None]:
        """Return the chance level per seed; None where it is unknown."""
        parts = split_measure(measure)
        levels = [facts["queries"][parts["queries"]][parts["version"]][row] for facts in self.facts.values()]
        return [each.get(parts["direction"] or "random_pairs") for each in levels]


def _statistic(table: pd.DataFrame, measure: str) -> Statistic:
    if measure not in CLASSIFICATION:
        return weighted_mean(table[measure.replace("map", "ap", 1)].to_numpy(np.float64))
    logits = table.filter(regex=r"^logit:\d+$").to_numpy()
    labels, predicted, classes = table["class_id"].to_numpy(), logits.argmax(axis=1), logits.shape[1]
    return lambda weights: CLASSIFICATION[measure](confusion_matrix(labels, predicted, classes, weights))


def figures_of(runs: CellRuns, row: str, measures: Sequence[str], *, n_boot: int) -> list[dict[str, Any]]:
    """Return the measures of a cell on a row of cases, all on the same bootstrap draws.

    Returns:
        For each measure its parts, "mean" over seeds, "ci" (95%, over patients or lesions; None with fewer than five),
        "by_seed", and "chance" (mean over seeds; None where it is zero by definition or unknown).
    """
    mask, found = runs.rows[row], []
    statistics = {each: over_seeds(runs.statistics(each, mask)) for each in measures}
    ends = intervals(statistics, runs.table["group"].to_numpy()[mask], n_boot=n_boot)
    for each in measures:
        values = runs.values(each, mask)
        levels = [] if each in CLASSIFICATION else [level for level in runs.chance(each, row) if level is not None]
        figure = {"mean": float(np.mean(values)), "ci": ends[each], "by_seed": values}
        found.append({**split_measure(each), **figure, "chance": float(np.mean(levels)) if levels else None})
    return found


def verdict_of(value: float, ci: Sequence[float] | None, by_seed: Sequence[float]) -> str:
    """Return the conclusion that the interval and the seeds allow.

    The interval covers only the choice of cases, so every seed must show the same sign too.
    """
    if ci is None:
        return UNKNOWN
    if ci[0] <= 0 <= ci[1] or len({each > 0 for each in by_seed}) > 1:
        return UNCLEAR
    return HIGHER if value > 0 else LOWER


def difference(
    first: CellRuns, second: CellRuns, row: str, measures: Sequence[str], names: Sequence[str], *, n_boot: int
) -> dict[str, Any] | None:
    """Return first minus second over the shared seeds, paired; None without such, or if the cases differ.

    Args:
        first: Runs of a cell.
        second: Likewise.
        row: Name of the row of cases.
        measures: Of the first and of the second; only the sets of query notes may differ.
        names: Of the first and of the second: of the cell, or of the set of query notes.
        n_boot: Draws for the interval.

    Returns:
        "first", "second", "measure", "value" (mean over seeds), "ci" (95%, the same draws of patients or lesions for
        both; None with fewer than five), "by_seed" and "verdict".
    """
    first, second = first.only(second.tables), second.only(first.tables)
    mask = first.rows.get(row) if first.tables else None
    if mask is None or not np.array_equal(first.table["case_id"], second.table["case_id"]):
        return None
    groups = first.table["group"].to_numpy()[mask]
    statistics = (first.statistics(measures[0], mask), second.statistics(measures[1], mask))
    value, ci = paired_difference(*statistics, groups, n_boot=n_boot)
    if not np.isfinite(value):
        return None
    pairs = zip(first.values(measures[0], mask), second.values(measures[1], mask), strict=True)
    by_seed = [one - other for one, other in pairs]
    named = {"first": names[0], "second": names[1], "measure": measures[0]}
    return {**named, "value": value, "ci": ci, "by_seed": by_seed, "verdict": verdict_of(value, ci, by_seed)}


def grid_results(plan: GridPlan, cells: Sequence[Cell], runs: Mapping[str, CellRuns], *, n_boot: int) -> dict[str, Any]:
    """Return the results of a grid as in comparison.json.

    Args:
        plan: Of the comparison.
        cells: All of its cells.
        runs: Finished runs by cell name.
        n_boot: Draws for the intervals.
    """
    rows, figures, differences = [], [], []
    for partition in plan.partitions:
        finished = [cell for cell in cells if cell.partition == partition and cell.name in runs]
        first = runs[finished[0].name] if finished else None
        for row, mask in ({} if first is None else first.rows).items():
            place = {"partition": partition, "row": row}
            groups = first.table.loc[mask, "group"].nunique()  # type: ignore[union-attr]
            rows.append({**place, "n_cases": int(mask.sum()), "n_groups": int(groups)})
            for cell in finished:
                measures = [*CLASSIFICATION, *chain.from_iterable(map(retrieval_measures, runs[cell.name].queries))]
                found = figures_of(runs[cell.name], row, measures, n_boot=n_boot)
                figures += [{**place, "recipe": cell.recipe, **each} for each in found]
            compared = [
                difference(one, other, row, pair, names, n_boot=n_boot)
                for one, other, pair, names in _comparisons(finished, runs, with_queries=row == "all")
            ]
            differences += [{**each, **place} for each in compared if each is not None]
    described = []
    for cell in cells:
        own, about = runs.get(cell.name), plan.cells[cell.recipe].about
        described.append(
            {
                "name": cell.name,
                "partition": cell.partition,
                "recipe": cell.recipe,
                "column": PAPER_COLUMNS.get(cell.recipe),
                "about": about,
                "queries": own.queries if own else [],
                "seeds": list(own.tables) if own else [],
                "device": own.device if own else None,
            }
        )
    return {
        **{"cases": plan.cases, "notes": plan.notes, "query_notes": plan.query_notes},
        "partitions": {name: each.title or name for name, each in plan.partitions.items()},
        "cells": described,
        "rows": rows,
        "figures": figures,
        "differences": differences,
        "device": next((found.device for found in runs.values()), None),
    }


def _comparisons(
    cells: Sequence[Cell], runs: Mapping[str, CellRuns], *, with_queries: bool
) -> Iterator[tuple[CellRuns, CellRuns, tuple[str, str], tuple[str, str]]]:
    """Yield the pairs of runs to compare in one partition, with the measure and the name of each side.

    Each recipe is compared with its `against`, retrieval where both have the same query notes; with `with_queries` also
    the sets of query notes of a cell with each other.
    """
    for cell in cells:
        found, other = runs[cell.name], runs.get(f"{cell.partition}/{cell.against}")
        if other is not None:
            shared = [each for name in found.queries if name in other.queries for each in retrieval_measures(name)]
            for measure in (*CLASSIFICATION, *shared):
                yield found, other, (measure, measure), (cell.recipe, cell.against)
    for found in (runs[cell.name] for cell in cells if with_queries):
        for second, first in combinations(found.queries, 2):
            for pair in zip(retrieval_measures(first), retrieval_measures(second), strict=True):
                yield found, found, pair, (f"{first} notes", f"{second} notes")
