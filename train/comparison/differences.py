"""What separates two cells on the same cases, and what may be said of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..metrics.bootstrap import paired_difference
from .cell_results import Measure, Runs

CLEARLY_MORE, CLEARLY_LESS, UNCLEAR, UNKNOWN = "higher", "lower", "no difference can be told", "too few lesions"


@dataclass(frozen=True)
class Difference:
    """`first` minus `second` on the same cases.

    Attributes:
        first: Name of a cell, or of a set of query notes.
        second: Likewise.
        measure: Key of the measure.
        value: Mean over seeds.
        ci: 95%, by drawing patients or lesions anew, the same for both; None with fewer than five.
        by_seed: Each shared seed's own.
    """

    first: str
    second: str
    measure: str
    value: float
    ci: tuple[float, float] | None
    by_seed: tuple[float, ...]

    @property
    def verdict(self) -> str:
        """What the interval and the seeds allow to be said.

        The interval speaks of the cases alone. So a difference counts as told only if every seed shows the same sign.
        """
        if self.ci is None:
            return UNKNOWN
        low, high = self.ci
        if low <= 0 <= high or len({value > 0 for value in self.by_seed}) > 1:
            return UNCLEAR
        return CLEARLY_MORE if self.value > 0 else CLEARLY_LESS


def difference(
    one: Runs, other: Runs, row: str, measures: tuple[Measure, Measure], names: tuple[str, str], *, n_boot: int
) -> Difference | None:
    """The difference of two cells over the seeds they share; None without such, or if their cases are not the same.

    Args:
        one: Runs of the first.
        other: Of the second.
        row: Name of the row of cases.
        measures: Of the first and of the second; only the sets of query notes may differ.
        names: Of the first and of the second.
        n_boot: Draws for the interval.
    """
    one, other = one.only(other.tables), other.only(one.tables)
    mask = one.rows.get(row) if one.tables else None
    if mask is None or not np.array_equal(one.table["case_id"], other.table["case_id"]):
        return None
    groups = one.table["group"].to_numpy()[mask]
    value, ci = paired_difference(
        one.statistics(measures[0], mask), other.statistics(measures[1], mask), groups, n_boot=n_boot
    )
    if not np.isfinite(value):
        return None
    pairs = zip(one.values(measures[0], mask), other.values(measures[1], mask), strict=True)
    by_seed = tuple(first - second for first, second in pairs)
    return Difference(*names, measures[0].key, value, ci, by_seed)
