"""The finished runs of a cell, read back: their figures as functions of weights, so that they can be drawn anew."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..metrics.bootstrap import Statistic, intervals, over_seeds, weighted_mean
from ..metrics.classification import cohen_kappa, confusion_matrix, recalls
from .layout import FACTS, TABLE
from .rows import rows_of


@dataclass(frozen=True)
class Measure:
    """What is measured.

    Attributes:
        kind: "kappa", "balanced_accuracy", "map" or "cosine".
        queries: Set of query notes, of the last two.
        version: "masked" or "as_written", likewise.
        direction: "image_to_text" or "text_to_image", of "map".
    """

    kind: str
    queries: str = ""
    version: str = ""
    direction: str = ""

    @property
    def key(self) -> str:
        """As comparison.json names it."""
        return ":".join(filter(None, (self.kind, self.queries, self.version, self.direction)))


@dataclass(frozen=True)
class Figure:
    """A measure of one cell on one row.

    Attributes:
        mean: Over seeds.
        ci: 95%, over patients or lesions; None with fewer than five.
        by_seed: Each seed's own.
        chance: What chance would score, mean over seeds; None where it is zero by definition.
    """

    mean: float
    ci: tuple[float, float] | None
    by_seed: tuple[float, ...]
    chance: float | None = None


@dataclass(frozen=True)
class Runs:
    """The finished runs of one cell, on the same cases in the same order.

    Attributes:
        tables: By seed, per_case.parquet.
        facts: By seed, per_case.json.
    """

    tables: Mapping[int, pd.DataFrame]
    facts: Mapping[int, Mapping[str, Any]]

    @classmethod
    def read(cls, folders: Mapping[int, Path]) -> Runs:
        """Reads the runs of these folders, by seed."""
        tables = {
            seed: pd.read_parquet(path / TABLE).sort_values("case_id", ignore_index=True)
            for seed, path in folders.items()
        }
        facts = {seed: json.loads((path / FACTS).read_text(encoding="utf-8")) for seed, path in folders.items()}
        return cls(tables, facts)

    def only(self, seeds: Collection[int]) -> Runs:
        """The runs of these seeds."""
        kept = sorted(seed for seed in self.tables if seed in seeds)
        return Runs({seed: self.tables[seed] for seed in kept}, {seed: self.facts[seed] for seed in kept})

    @property
    def table(self) -> pd.DataFrame:
        """The cases."""
        return next(iter(self.tables.values()))

    @property
    def rows(self) -> dict[str, np.ndarray]:
        """Which cases each row of the tables speaks of."""
        return rows_of(self.table)

    @property
    def queries(self) -> tuple[str, ...]:
        """Sets of query notes that were measured."""
        return tuple(next(iter(self.facts.values()))["queries"])

    def statistics(self, measure: Measure, mask: np.ndarray) -> list[Statistic]:
        """One a seed, each a function of the weights of the cases under the mask."""
        return [_statistic(table[mask], measure) for table in self.tables.values()]

    def values(self, measure: Measure, mask: np.ndarray) -> tuple[float, ...]:
        """One a seed."""
        whole = np.ones(int(mask.sum()))
        return tuple(each(whole) for each in self.statistics(measure, mask))

    def chance(self, measure: Measure, row: str) -> float | None:
        """What chance would score, mean over seeds; None where it is zero by definition or unknown."""
        if measure.kind not in ("map", "cosine"):
            return None
        key = measure.direction if measure.kind == "map" else "random_pairs"
        told = [facts["queries"][measure.queries][measure.version][row].get(key) for facts in self.facts.values()]
        known = [value for value in told if value is not None]
        return float(np.mean(known)) if known else None


def figures_on(runs: Runs, row: str, measures: Sequence[Measure], *, n_boot: int, seed: int = 0) -> dict[str, Figure]:
    """Measures of a cell on a row of cases, all on the same draws, by key.

    Args:
        runs: Of the cell.
        row: Name of the row.
        measures: What to measure.
        n_boot: Draws for the intervals.
        seed: Of the draws.
    """
    mask = runs.rows[row]
    statistics = {each.key: over_seeds(runs.statistics(each, mask)) for each in measures}
    ends = intervals(statistics, runs.table["group"].to_numpy()[mask], n_boot=n_boot, seed=seed)
    found = {}
    for each in measures:
        values = runs.values(each, mask)
        found[each.key] = Figure(float(np.mean(values)), ends[each.key], values, runs.chance(each, row))
    return found


def _statistic(table: pd.DataFrame, measure: Measure) -> Statistic:
    if measure.kind in ("map", "cosine"):
        kind = "ap" if measure.kind == "map" else "cosine"
        column = ":".join(filter(None, (kind, measure.queries, measure.version, measure.direction)))
        return weighted_mean(table[column].to_numpy(np.float64))
    logits = table.filter(regex=r"^logit:\d+$").to_numpy()
    labels, predicted, classes = table["class_id"].to_numpy(), logits.argmax(axis=1), logits.shape[1]

    def measured(weights: np.ndarray) -> float:
        confusion = confusion_matrix(labels, predicted, classes, weights)
        if measure.kind == "kappa":
            return cohen_kappa(confusion)
        found = recalls(confusion)
        return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")

    return measured
