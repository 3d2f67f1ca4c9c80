"""Answering only where one is sure: how often the answers kept are wrong."""

from __future__ import annotations

import numpy as np

COVERAGES = np.arange(1, 21) / 20


class Aurc:
    """Area under the risk-coverage curve (Geifman and El-Yaniv 2017), for any whole weights.

    The mean, over every number k of cases answered, of the share of wrong answers among the k with the highest score.
    Cases of equal score count with the mean over all their orders. Lower is better; a score that knows nothing gets
    the share of all answers that are wrong.

    Args:
        wrong: (n,) bool.
        scores: (n,) the higher, the sooner answered.
    """

    def __init__(self, wrong: np.ndarray, scores: np.ndarray) -> None:
        _, self._rank = np.unique(-scores.astype(np.float64), return_inverse=True)
        self._wrong = wrong.astype(np.float64)

    def __call__(self, weights: np.ndarray) -> float:
        """NaN if nothing has weight."""
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
    """Share of wrong answers among the cases with the highest scores, at each share of cases answered.

    Args:
        wrong: (n,) bool.
        scores: (n,) the higher, the sooner answered; ties count with the mean over all their orders.
        coverages: (m,) shares, above 0 and up to 1; of n cases, the next whole number is answered.
    """
    _, rank = np.unique(-scores.astype(np.float64), return_inverse=True)
    size, errors = np.bincount(rank), np.bincount(rank, weights=wrong.astype(np.float64))
    answered = np.ceil(coverages * len(wrong) - 1e-9)
    # Within a run of ties errors come evenly, on average.
    until = np.concatenate([[0], np.cumsum(size)])
    return np.asarray(np.interp(answered, until, np.concatenate([[0], np.cumsum(errors)])) / answered)
