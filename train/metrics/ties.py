"""Ties have no order: expected values over all orders of the tied items, in closed form (McSherry and Najork 2008)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Runs:
    """Stretches of a ranking whose items have one and the same score; single items are no runs.

    Attributes:
        starts: (t,) place of the first item of each, 0 for the very first, ascending.
        ends: (t,) place after its last item.
    """

    starts: np.ndarray
    ends: np.ndarray

    @classmethod
    def of_equal_neighbours(cls, places: np.ndarray) -> Runs:
        """From the ascending places of the items that score as their successor does."""
        if not len(places):
            return cls(places, places)
        breaks = np.flatnonzero(np.diff(places) > 1)
        starts = places[np.concatenate([[0], breaks + 1])]
        ends = places[np.concatenate([breaks, [len(places) - 1]])] + 2
        return cls(starts, ends)

    def across(self, k: int) -> tuple[int, int] | None:
        """Start and end of the run that holds both the k-th item and the one after it, if there is one."""
        if not len(self.starts) or self.starts[0] >= k:  # as nearly always
            return None
        row = int(np.searchsorted(self.starts, k)) - 1
        if self.ends[row] <= k:
            return None
        return int(self.starts[row]), int(self.ends[row])


class Harmonic:
    """1/1 to 1/n, and their sums.

    Args:
        highest: n.
    """

    def __init__(self, highest: int) -> None:
        self.inverse = 1.0 / np.arange(1, highest + 1)  # of the item at place 0 first
        self.sums = np.concatenate([[0.0], np.cumsum(self.inverse)])  # (n + 1,)
        self.counts = np.arange(1.0, highest + 1)


def expected_average_precision(places: np.ndarray, runs: Runs, harmonic: Harmonic) -> float:
    """Mean precision at the relevant ranks; NaN if nothing is relevant.

    Args:
        places: (r,) ascending places of the relevant items in a ranking that orders ties anyhow, as long as the
            relevant ones of a run stand side by side.
        runs: The ties.
        harmonic: Up to the length of the ranking.
    """
    if not len(places):
        return float("nan")
    gains = float(harmonic.counts[: len(places)] @ harmonic.inverse.take(places))
    if len(runs.starts):
        before = np.searchsorted(places, runs.starts)
        relevant = np.searchsorted(places, runs.ends) - before
        some = relevant > 0
        start, before, relevant = runs.starts[some], before[some], relevant[some]
        first = places[before]
        fell = relevant + (before - first) * (harmonic.sums[first + relevant] - harmonic.sums[first])
        gains += float((_tied_precision(start, runs.ends[some] - start, before, relevant, harmonic) - fell).sum())
    return gains / len(places)


def _tied_precision(
    before: np.ndarray, size: np.ndarray, before_relevant: np.ndarray, relevant: np.ndarray, harmonic: Harmonic
) -> np.ndarray:
    """Expected sum of the precisions at the relevant ranks of a run of `size` tied items, `relevant` of them relevant.

    At place j of the run an item is relevant with chance r/g, and then (j-1)(r-1)/(g-1) of the items before it in the
    run are too; so the sum over j of r/g * (R + 1 + (j-1)(r-1)/(g-1)) / (N + j), with harmonic numbers for 1 / (N + j).
    """
    span = harmonic.sums[before + size] - harmonic.sums[before]
    follow = (relevant - 1) / np.maximum(size - 1, 1)
    return relevant / size * ((before_relevant + 1) * span + follow * (size - (before + 1) * span))


def expected_hits(places: np.ndarray, runs: Runs, k: int) -> float:
    """How many of the first k items are relevant (see `expected_average_precision`)."""
    tied = runs.across(k)
    if tied is None:
        return float(np.searchsorted(places, k))
    start, end = tied
    before, until = np.searchsorted(places, (start, end))
    return float(before + (k - start) * (until - before) / (end - start))
