"""Selective prediction: risk of the predictions kept when the least confident ones are rejected."""

from __future__ import annotations

import numpy as np

COVERAGES = np.arange(1, 21) / 20


class Aurc:
    """Area under the risk-coverage curve (Geifman and El-Yaniv 2017), for integer weights.

    The mean, over every number k of cases kept, of the error rate among the k with the highest score. Ties count with
    the mean over all their orders. Lower is better; an uninformative score gets the overall error rate.

    Args:
        wrong: (n,) bool.
        scores: (n,) confidence.
    """

    def __init__(self, wrong: np.ndarray, scores: np.ndarray) -> None:
        _, self._rank = np.unique(-scores.astype(np.float64), return_inverse=True)
        self._wrong = wrong.astype(np.float64)

    def __call__(self, weights: np.ndarray) -> float:
        """Return the area; NaN if all weights are 0."""
        size = np.bincount(self._rank, weights=weights)
        wrong = np.bincount(self._rank, weights=weights * self._wrong)[size > 0]
        size = size[size > 0]
        total = round(size.sum())
        if total == 0:
            return float("nan")
        harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, total + 1))])
        until = np.rint(np.cumsum(size)).astype(np.int64)
        before = until - np.rint(size).astype(np.int64)
        wrong_before = np.cumsum(wrong) - wrong
        span = harmonic[until] - harmonic[before]
        return float((wrong_before * span + wrong / size * (size - before * span)).sum() / total)


def risk_coverage(wrong: np.ndarray, scores: np.ndarray, coverages: np.ndarray = COVERAGES) -> np.ndarray:
    """Return the error rate among the cases with the highest scores, at each coverage.

    Args:
        wrong: (n,) bool.
        scores: (n,) confidence; ties count with the mean over all their orders.
        coverages: (m,) fractions of cases kept, above 0 and up to 1; rounded up to whole cases.
    """
    _, rank = np.unique(-scores.astype(np.float64), return_inverse=True)
    size, errors = np.bincount(rank), np.bincount(rank, weights=wrong.astype(np.float64))
    kept = np.ceil(coverages * len(wrong) - 1e-9)
    # Within a run of ties the expected number of errors grows linearly.
    until = np.concatenate([[0], np.cumsum(size)])
    return np.asarray(np.interp(kept, until, np.concatenate([[0], np.cumsum(errors)])) / kept)
