"""Results of the finished cells, and paired differences between them with 95% intervals: comparison.json of a grid."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..metrics.bootstrap import Statistic, intervals, over_seeds, paired_difference, weighted_mean
from ..metrics.classification import cohen_kappa, confusion_matrix, recalls
from .plan import PAPER_COLUMNS, Cell, GridPlan
from .runner import FACTS, TABLE

VERSIONS = {"masked": "diagnosis masked", "as_written": "as written"}
DIRECTIONS = {"image_to_text": "image to note", "text_to_image": "note to image"}
MODALITIES = {"dermoscopy": "dermoscopic", "clinical": "clinical"}
DRAWN = "drawn"  # synthetic lesions are easy: they are never pooled with photographs
HIGHER, LOWER, UNCLEAR, UNKNOWN = "higher", "lower", "no difference can be told", "too few lesions"


class Measure(NamedTuple):
    """Figure of merit."""

    kind: str  # "kappa", "balanced_accuracy", "map" or "cosine"
    queries: str = ""  # set of query notes, for "map" and "cosine"
    version: str = ""  # key of `VERSIONS`, likewise
    direction: str = ""  # key of `DIRECTIONS`, for "map"

    @property
    def key(self) -> str:
        """Name in comparison.json, such as "map:m:masked:image_to_text"."""
        return ":".join(filter(None, self))


KAPPA = Measure("kappa")
CLASSIFICATION = (KAPPA, Measure("balanced_accuracy"))


def retrieval_measures(queries: str) -> list[Measure]:
    """Return retrieval in both directions and alignment with one set of query notes, masked first."""
    maps = [Measure("map", queries, version, direction) for version in VERSIONS for direction in DIRECTIONS]
    return [*maps, *(Measure("cosine", queries, version) for version in VERSIONS)]


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
    def queries(self) -> tuple[str, ...]:
        """Names of the sets of query notes."""
        return tuple(next(iter(self.facts.values()))["queries"])

    def statistics(self, measure: Measure, mask: np.ndarray) -> list[Statistic]:
        """Return one statistic per seed: a function of the weights of the cases under the mask."""
        return [_statistic(table[mask], measure) for table in self.tables.values()]

    def values(self, measure: Measure, mask: np.ndarray) -> list[float]:
        """Return one value per seed."""
        return [each(np.ones(int(mask.sum()))) for each in self.statistics(measure, mask)]

    def chance(self, measure: Measure, row: str) -> list[float | None]:
        """Return the chance level per seed; None where it is unknown."""
        key = measure.direction or "random_pairs"
        return [facts["queries"][measure.queries][measure.version][row].get(key) for facts in self.facts.values()]


def _statistic(table: pd.DataFrame, measure: Measure) -> Statistic:
    if measure.queries:
        column = measure.key.replace("map", "ap", 1)
        return weighted_mean(table[column].to_numpy(np.float64))
    logits = table.filter(regex=r"^logit:\d+$").to_numpy()
    labels, predicted, classes = table["class_id"].to_numpy(), logits.argmax(axis=1), logits.shape[1]

    def statistic(weights: np.ndarray) -> float:
        confusion = confusion_matrix(labels, predicted, classes, weights)
        if measure == KAPPA:
            return cohen_kappa(confusion)
        found = recalls(confusion)
        return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")

    return statistic


def figures_of(runs: CellRuns, row: str, measures: Sequence[Measure], *, n_boot: int) -> list[dict[str, Any]]:
    """Return the measures of a cell on a row of cases, all on the same bootstrap draws.

    Returns:
        For each measure its parts, "mean" over seeds, "ci" (95%, over patients or lesions; None with fewer than five),
        "by_seed", and "chance" (mean over seeds; None where it is zero by definition or unknown).
    """
    mask, found = runs.rows[row], []
    statistics = {each.key: over_seeds(runs.statistics(each, mask)) for each in measures}
    ends = intervals(statistics, runs.table["group"].to_numpy()[mask], n_boot=n_boot)
    for each in measures:
        values = runs.values(each, mask)
        known = [value for value in (runs.chance(each, row) if each.queries else ()) if value is not None]
        figure = {"mean": float(np.mean(values)), "ci": ends[each.key], "by_seed": values}
        found.append({**each._asdict(), **figure, "chance": float(np.mean(known)) if known else None})
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
    first: CellRuns, second: CellRuns, row: str, measures: Sequence[Measure], names: Sequence[str], *, n_boot: int
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
    named = {"first": names[0], "second": names[1], "measure": measures[0].key}
    return {**named, "value": value, "ci": ci, "by_seed": by_seed, "verdict": verdict_of(value, ci, by_seed)}


def grid_results(
    plan: GridPlan, cells: Sequence[Cell], runs: Mapping[str, CellRuns], *, n_boot: int
) -> dict[str, list[Any] | dict[str, Any]]:
    """Return the results of a grid as in comparison.json.

    Args:
        plan: Of the comparison.
        cells: All of its cells.
        runs: Finished runs by cell name.
        n_boot: Draws for the intervals.
    """
    rows, figures, differences = [], [], []
    for partition in plan.partitions:
        inside = {cell.recipe: runs[cell.name] for cell in cells if cell.partition == partition and cell.name in runs}
        against = {cell.recipe: cell.against for cell in cells if cell.partition == partition}
        first = next(iter(inside.values()), None)
        for row, mask in ({} if first is None else first.rows).items():
            place = {"partition": partition, "row": row}
            groups = first.table.loc[mask, "group"].nunique()  # type: ignore[union-attr]
            rows.append({**place, "n_cases": int(mask.sum()), "n_groups": int(groups)})
            for recipe, found in inside.items():
                measures = [*CLASSIFICATION, *(each for name in found.queries for each in retrieval_measures(name))]
                figures += [
                    {**place, "recipe": recipe, **each} for each in figures_of(found, row, measures, n_boot=n_boot)
                ]
            compared = _between_recipes(inside, against, row, n_boot)
            if row == "all":
                compared += [each for found in inside.values() for each in _between_queries(found, row, n_boot)]
            differences += [{**each, **place} for each in compared if each is not None]
    return {
        "partitions": {name: each.title or name for name, each in plan.partitions.items()},
        "cells": [
            {
                **{"name": cell.name, "partition": cell.partition, "recipe": cell.recipe},
                **{"column": PAPER_COLUMNS.get(cell.recipe), "about": plan.cells[cell.recipe].about},
                "queries": list(runs[cell.name].queries) if cell.name in runs else [],
                "seeds": list(runs[cell.name].tables) if cell.name in runs else [],
                "device": runs[cell.name].device if cell.name in runs else None,
            }
            for cell in cells
        ],
        "rows": rows,
        "figures": figures,
        "differences": differences,
    }


def _between_recipes(
    runs: Mapping[str, CellRuns], against: Mapping[str, str], row: str, n_boot: int
) -> list[dict[str, Any] | None]:
    """Return each recipe minus the one it is compared with; retrieval where both have the same query notes."""
    return [
        difference(found, other, row, (measure, measure), (recipe, against[recipe]), n_boot=n_boot)
        for recipe, found in runs.items()
        if (other := runs.get(against[recipe])) is not None
        for measure in (
            *CLASSIFICATION,
            *(each for name in found.queries if name in other.queries for each in retrieval_measures(name)),
        )
    ]


def _between_queries(runs: CellRuns, row: str, n_boot: int) -> list[dict[str, Any] | None]:
    """Return the sets of query notes against each other, with the same models and lesions."""
    return [
        difference(runs, runs, row, pair, (f"{first} notes", f"{second} notes"), n_boot=n_boot)
        for second, first in combinations(runs.queries, 2)
        for pair in zip(retrieval_measures(first), retrieval_measures(second), strict=True)
    ]
