"""95% intervals by drawing patients (or lesions) anew: pictures of one patient are not independent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

Statistic = Callable[[np.ndarray], float]
MIN_GROUPS = 5  # below that an interval would only look like one


def group_weights(groups: Sequence[Any] | np.ndarray, n_boot: int, seed: int) -> Iterator[np.ndarray]:
    """Yields `n_boot` times (n,): how often each case counts when all groups are drawn anew with replacement."""
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
    level: float = 0.95,
) -> dict[str, tuple[float, float] | None]:
    """Percentile bootstrap intervals over groups, of several measures on the same draws.

    Args:
        statistics: Each takes (n,) weights, one a case, and returns its measure; NaN where it is undefined.
        groups: (n,) the patient or lesion of each case.
        n_boot: Draws.
        seed: Same seed, same intervals.
        level: Share of the draws between the two ends.

    Returns:
        (low, high) by name, or None with fewer than five groups or where most draws leave the measure undefined.
    """
    found = draws(statistics, groups, n_boot=n_boot, seed=seed)
    return dict.fromkeys(statistics) if found is None else {name: ends(each, level) for name, each in found.items()}


def draws(
    statistics: Mapping[str, Statistic], groups: Sequence[Any] | np.ndarray, *, n_boot: int = 1000, seed: int = 0
) -> dict[str, np.ndarray] | None:
    """By name, (n_boot,) what each measure is on each draw; None with fewer than five groups (see `intervals`)."""
    if len(np.unique(np.asarray(groups, dtype=str))) < MIN_GROUPS:
        return None
    drawn = [[each(w) for each in statistics.values()] for w in group_weights(groups, n_boot, seed)]
    columns = np.array(drawn, dtype=np.float64).reshape(n_boot, len(statistics)).T
    return dict(zip(statistics, columns, strict=True))


def interval(
    statistic: Statistic, groups: Sequence[Any] | np.ndarray, *, n_boot: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """The interval of one measure (see `intervals`)."""
    return intervals({"": statistic}, groups, n_boot=n_boot, seed=seed)[""]


def over_seeds(statistics: Sequence[Statistic]) -> Statistic:
    """The mean of one measure over several runs (training seeds) on the same cases.

    Args:
        statistics: One a run; each takes the same (n,) weights. A draw that leaves one undefined leaves the mean so.
    """
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
    """Mean over seeds of `first` minus that of `second` on the same cases, and its 95% interval.

    Groups are drawn anew, the same draw for both: what makes some cases hard for both cancels out. The interval is
    about the cases; how much the seeds differ is not in it.

    Args:
        first: One statistic a seed (see `intervals`), of runs of one kind.
        second: The same of the other kind; may have another number of seeds.
        groups: (n,) the patient or lesion of each case.
        n_boot: Draws.
        seed: Same seed, same interval.

    Returns:
        The difference, NaN where it is undefined, and (low, high), None where `intervals` has none.
    """
    one, other = over_seeds(first), over_seeds(second)

    def difference(weights: np.ndarray) -> float:
        return one(weights) - other(weights)

    return difference(np.ones(len(groups))), interval(difference, groups, n_boot=n_boot, seed=seed)


def ends(values: np.ndarray, level: float = 0.95) -> tuple[float, float] | None:
    """The middle `level` of draws, NaN left out; None where most are NaN."""
    known = values[np.isfinite(values)]
    if len(known) < len(values) / 2:
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def weighted_mean(values: np.ndarray) -> Statistic:
    """The statistic "mean of per-case values", leaving NaN out."""
    known = np.isfinite(values)

    def mean(weights: np.ndarray) -> float:
        total = weights[known].sum()
        return float((weights[known] * values[known]).sum() / total) if total > 0 else float("nan")

    return mean
