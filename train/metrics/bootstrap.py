"""95% bootstrap intervals over groups (patients or lesions): images of one patient are not independent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

Statistic = Callable[[np.ndarray], float]
LEVEL = 0.95
MIN_GROUPS = 5  # an interval over fewer groups would be meaningless


def group_weights(groups: Sequence[Any] | np.ndarray, n_boot: int, seed: int) -> Iterator[np.ndarray]:
    """Yield `n_boot` times (n,) weights: how often each case occurs when groups are resampled with replacement."""
    names, of_case = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    even, random = np.full(len(names), 1 / len(names)), np.random.default_rng(seed)
    for _ in range(n_boot):
        yield random.multinomial(len(names), even)[of_case].astype(np.float64)


def intervals(
    statistics: Mapping[str, Statistic],
    groups: Sequence[Any] | np.ndarray,
    *,
    n_boot: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float] | None]:
    """Return 95% bootstrap intervals over groups, of several statistics on the same resamples.

    Args:
        statistics: Functions of (n,) case weights; NaN where undefined.
        groups: (n,) the patient or lesion of each case.
        n_boot: Number of resamples.
        seed: Seed of the resamples.

    Returns:
        (low, high) by name; None with fewer than five groups or where most resamples leave the statistic undefined.
    """
    values = draws(statistics, groups, n_boot=n_boot, seed=seed)
    return dict.fromkeys(statistics) if values is None else {name: ends(each) for name, each in values.items()}


def draws(
    statistics: Mapping[str, Statistic], groups: Sequence[Any] | np.ndarray, *, n_boot: int = 1000, seed: int = 0
) -> dict[str, np.ndarray] | None:
    """Return (n_boot,) values of each statistic; None with fewer than five groups (see `intervals`)."""
    if len(np.unique(np.asarray(groups, dtype=str))) < MIN_GROUPS:
        return None
    values = [[each(w) for each in statistics.values()] for w in group_weights(groups, n_boot, seed)]
    columns = np.array(values, dtype=np.float64).reshape(n_boot, len(statistics)).T
    return dict(zip(statistics, columns, strict=True))


def interval(
    statistic: Statistic, groups: Sequence[Any] | np.ndarray, *, n_boot: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """Return the interval of one statistic (see `intervals`)."""
    return intervals({"": statistic}, groups, n_boot=n_boot, seed=seed)[""]


def ends(values: np.ndarray) -> tuple[float, float] | None:
    """Return the 95% percentile interval of resampled values without NaN; None where most are NaN."""
    known = values[np.isfinite(values)]
    if len(known) < len(values) / 2:
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def weighted_mean(values: np.ndarray) -> Statistic:
    """Return the statistic "mean of the per-case values", ignoring NaN."""
    known = np.isfinite(values)

    def mean(weights: np.ndarray) -> float:
        total = weights[known].sum()
        return float((weights[known] * values[known]).sum() / total) if total > 0 else float("nan")

    return mean


def over_seeds(statistics: Sequence[Statistic]) -> Statistic:
    """Return the mean of a statistic over several runs (training seeds) on the same cases; NaN where one is NaN."""
    if not statistics:
        raise ValueError("a mean over seeds needs at least one run")
    return lambda weights: float(np.mean([each(weights) for each in statistics]))


def paired_difference(
    first: Sequence[Statistic],
    second: Sequence[Statistic],
    groups: Sequence[Any] | np.ndarray,
    *,
    n_boot: int = 1000,
    seed: int = 0,
) -> tuple[float, tuple[float, float] | None]:
    """Return the mean over seeds of `first` minus that of `second` on the same cases, and its 95% interval.

    Both use the same resamples of groups, which cancels the difficulty of the cases. The interval reflects the
    variation of cases, not of seeds.

    Args:
        first: One statistic for each seed (see `intervals`).
        second: The same for the other model; may have another number of seeds.
        groups: (n,) the patient or lesion of each case.
        n_boot: Number of resamples.
        seed: Seed of the resamples.

    Returns:
        The difference, NaN where undefined, and (low, high), None where `intervals` has none.
    """
    one, other = over_seeds(first), over_seeds(second)

    def difference(weights: np.ndarray) -> float:
        return one(weights) - other(weights)

    return difference(np.ones(len(groups))), interval(difference, groups, n_boot=n_boot, seed=seed)
