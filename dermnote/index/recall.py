"""Recall of an approximate search, and the smallest nprobe that reaches a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]
Recalls = NDArray[np.float64]

TIE = 1e-6  # cosines closer than this are equal: many notes are identical, and any of them is a correct hit
CONFIDENCE = 1.645  # standard errors below the mean: the one-sided 95% bound


def without_own(scores: Vectors, rows: Rows, own: Rows) -> Vectors:
    """Remove each query's own case (q,) from its results: scores and rows (q, k + 1), best first, to scores (q, k).

    A row is -1 where the search found fewer.
    """
    others = np.argsort(rows == own[:, None], axis=1, kind="stable")[:, :-1]  # own last, the rest in order
    kept: Vectors = np.take_along_axis(scores, others, axis=1)
    return kept


def recall_at_k(found: Vectors, exact: Vectors) -> Recalls:
    """Compute the fraction (q,) of the exact k nearest that a search found, from cosines (q, k), best first.

    Any case as near as the k-th true one counts.
    """
    recalls: Recalls = (found >= exact[:, -1:] - TIE).mean(axis=1)
    return recalls


def lower_bound(recall: Recalls) -> float:
    """Return the lower 95% confidence bound of the mean recall; 1 only if nothing was missed."""
    return float(recall.mean() - CONFIDENCE * recall.std() / np.sqrt(len(recall)))


def smallest_nprobe(measure: Callable[[int], Mapping[str, Recalls]], nlist: int, target: float) -> int:
    """Return the smallest number of probed lists with which every kind of query reaches the target.

    Args:
        measure: Returns recall by kind of query for a number of probed lists; increases with it.
        nlist: Number of lists; probing all is exact.
        target: Required lower bound of the recall, 0 to 1.
    """

    def enough(nprobe: int) -> bool:
        return nprobe >= nlist or min(map(lower_bound, measure(nprobe).values())) >= target

    high = 1
    while not enough(high):
        high = min(2 * high, nlist)
    low = high // 2  # too few (0 if high is 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
