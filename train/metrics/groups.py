"""Metrics by subgroup (sex, age, skin tone, body site), and the gap between the best and the worst subgroup."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .bootstrap import MIN_GROUPS, Statistic, draws, ends

MIN_CASES = 20  # no metrics are given for smaller subgroups
AGE_BANDS = ((30, "0-29"), (45, "30-44"), (60, "45-59"), (75, "60-74"), (float("inf"), "75+"))
TONE = re.compile(r"\s(?=(?:[IVX]+|\d+)(?:\W|$))")  # before the first Roman or Arabic number


def age_band(age: float | None) -> str | None:
    """Return the age band of an age in years; None if unknown."""
    if age is None or not age >= 0:
        return None
    return next(name for limit, name in AGE_BANDS if age < limit)


def tone_scale(skin_type: str) -> str:
    """Return the scale of a skin tone: "Fitzpatrick" of "Fitzpatrick III", "MILK10k tone" of "MILK10k tone 4 (...)"."""
    return TONE.split(skin_type, maxsplit=1)[0]


@dataclass(frozen=True)
class Figure:
    """Metric of a subgroup, or difference of two; `ci` is the 95% interval, None if there is none."""

    value: float
    ci: tuple[float, float] | None


@dataclass(frozen=True)
class Compared:
    """Comparison of the subgroups of one attribute.

    Attributes:
        figures: By value (female, male, ...) and metric; only values of 20 cases or more.
        counts: Number of cases of each value.
        best: Best value by metric.
        worst: Worst value by metric.
        gap: Best minus worst by metric. As both are selected, many small subgroups show some gap even if there is
            none; the interval is that of these two values.
    """

    figures: dict[str, dict[str, Figure]]
    counts: dict[str, int]
    best: dict[str, str]
    worst: dict[str, str]
    gap: dict[str, Figure]


def compare_groups(
    values: Sequence[str | None] | np.ndarray,
    measures: Mapping[str, Callable[[np.ndarray], Statistic]],
    groups: np.ndarray,
    *,
    n_boot: int = 1000,
    seed: int = 0,
) -> Compared:
    """Compute metrics by the values of an attribute, all on the same resamples, so that differences are paired.

    Args:
        values: (n,) the attribute of each case; cases with None are left out.
        measures: By name, functions from a mask of cases to the statistic of these cases.
        groups: (n,) patient or lesion of each case; all are resampled, also those without a value.
        n_boot: Number of resamples.
        seed: Seed of the resamples.
    """
    named = np.array(["" if value is None else str(value) for value in values], dtype=object)
    counts = {str(value): int((named == value).sum()) for value in sorted(set(named) - {""})}
    statistics: dict[str, Statistic] = {}
    for value in (value for value, count in counts.items() if count >= MIN_CASES):
        mask = named == value
        for name, make in measures.items():
            statistics[f"{name}\n{value}"] = _restricted(make(mask), mask)
    drawn = draws(statistics, groups, n_boot=n_boot, seed=seed) if statistics else None
    whole = np.ones(len(named))
    figures: dict[str, dict[str, Figure]] = {}
    for key, statistic in statistics.items():
        name, value = key.split("\n")
        few = len(set(groups[named == value])) < MIN_GROUPS
        ci = None if drawn is None or few else ends(drawn[key])
        figures.setdefault(value, {})[name] = Figure(statistic(whole), ci)
    best, worst, gap = {}, {}, {}
    for name in measures:
        finite = {value: each[name].value for value, each in figures.items() if np.isfinite(each[name].value)}
        if len(finite) > 1:
            best[name], worst[name] = max(finite, key=finite.__getitem__), min(finite, key=finite.__getitem__)
            valid = drawn is not None and all(figures[value][name].ci for value in (best[name], worst[name]))
            high, low = (f"{name}\n{value}" for value in (best[name], worst[name]))
            ci = ends(drawn[high] - drawn[low]) if drawn is not None and valid else None
            gap[name] = Figure(finite[best[name]] - finite[worst[name]], ci)
    return Compared(figures, counts, best, worst, gap)


def _restricted(statistic: Statistic, mask: np.ndarray) -> Statistic:
    return lambda weights: statistic(weights[mask])
