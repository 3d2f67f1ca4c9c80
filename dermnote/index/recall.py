"""How much of the exact answer an approximate search finds, and how little of the index it may look at for that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Scores = np.ndarray[Any, np.dtype[np.float32]]
Rows = np.ndarray[Any, np.dtype[np.int64]]
Shares = np.ndarray[Any, np.dtype[np.float64]]

TIE = 1e-6  # cosines nearer than this are one: many notes are word for word the same, and any of them is the right hit
SURE = 1.645  # standard errors below the mean: with 95% certainty the true recall lies above


def without_own(scores: Scores, rows: Rows, own: Rows) -> Scores:
    """Takes each query's own case out of its answer, as if that case were not in the index.

    Args:
        scores: (q, k + 1), best first.
        rows: (q, k + 1), the case each score belongs to; -1 where the search found fewer.
        own: (q,), the case each query was taken from.

    Returns:
        (q, k), best first.
    """
    others = np.argsort(rows == own[:, None], axis=1, kind="stable")[:, :-1]  # own last, the rest in order
    kept: Scores = np.take_along_axis(scores, others, axis=1)
    return kept


def recall_at_k(found: Scores, exact: Scores) -> Shares:
    """The share of the exact k that a search found, query by query.

    Args:
        found: (q, k) cosines of what was found, best first.
        exact: (q, k) cosines of the true nearest, best first.

    Returns:
        (q,), 0 to 1. What is as near as the k-th true one counts, whichever of several equal cases it is.
    """
    shares: Shares = (found >= exact[:, -1:] - TIE).mean(axis=1)
    return shares


def surely(recall: Shares) -> float:
    """What the recall of other queries of the kind exceeds with 95% certainty; 1 only if nothing was missed."""
    return float(recall.mean() - SURE * recall.std() / np.sqrt(len(recall)))


def smallest_nprobe(measure: Callable[[int], Mapping[str, Shares]], nlist: int, target: float) -> int:
    """The fewest lists to look at for which every kind of query surely reaches the target.

    Args:
        measure: Recall by kind of query when so many lists are looked at; grows with the number.
        nlist: All lists; with these a search is exact.
        target: Recall to reach, 0 to 1.
    """

    def enough(nprobe: int) -> bool:
        return nprobe >= nlist or min(map(surely, measure(nprobe).values())) >= target

    high = 1
    while not enough(high):
        high = min(2 * high, nlist)
    low = high // 2  # known to be too few (0 if high is 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
