"""The same measures for groups of people: by sex, age, skin tone, place on the body, and how far these lie apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .bootstrap import MIN_GROUPS, Statistic, draws, ends

FEWEST = 20  # cases; of fewer no figure is told
AGE_BANDS = ((30, "0-29"), (45, "30-44"), (60, "45-59"), (75, "60-74"), (float("inf"), "75+"))
TONE = re.compile(r"\s(?=(?:[IVX]+|\d+)(?:\W|$))")  # before the first Roman or Arabic number


def age_band(age: float | None) -> str | None:
    """The band an age in years falls into; None if it is not known."""
    if age is None or not age >= 0:
        return None
    return next(name for limit, name in AGE_BANDS if age < limit)


def tone_scale(skin_type: str) -> str:
    """The scale of a skin tone: "Fitzpatrick" of "Fitzpatrick III", "MILK10k tone" of "MILK10k tone 4 (...)"."""
    return TONE.split(skin_type, maxsplit=1)[0]


@dataclass(frozen=True)
class Figure:
    """A measure of one group, or a difference of two; `ci` is its 95% interval, None if it has none."""

    value: float
    ci: tuple[float, float] | None


@dataclass(frozen=True)
class Compared:
    """One attribute.

    Attributes:
        figures: By value (female, male, ...) and measure; only values of 20 cases or more.
        counts: By value, the number of cases; all values.
        best: By measure, the value that does best.
        worst: Likewise.
        gap: By measure, best minus worst. Both ends were picked for lying far apart, so that among many small groups
            some gap is found even where there is none; the interval is that of these two values.
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
    fewest: int = FEWEST,
) -> Compared:
    """Measures by the values of one attribute, all on the same draws, so that differences are paired.

    Args:
        values: (n,) the attribute of each case; None where it is not recorded, and the case is left out.
        measures: By name, what makes the statistic of the cases under a mask (its weights are of these cases alone).
        groups: (n,) patient or lesion of each case; all cases are drawn, also those without a value.
        n_boot: Draws.
        seed: Of the draws.
        fewest: Cases a value needs.
    """
    named = np.array(["" if value is None else str(value) for value in values], dtype=object)
    counts = {str(value): int((named == value).sum()) for value in sorted(set(named) - {""})}
    statistics: dict[str, Statistic] = {}
    for value in (value for value, count in counts.items() if count >= fewest):
        mask = named == value
        for name, make in measures.items():
            statistics[f"{name}\n{value}"] = _of_part(make(mask), mask)
    drawn = draws(statistics, groups, n_boot=n_boot, seed=seed) if statistics else None
    whole = np.ones(len(named))
    found: dict[str, dict[str, Figure]] = {}
    for key, statistic in statistics.items():
        name, value = key.split("\n")
        alone = len(set(groups[named == value])) < MIN_GROUPS
        ci = None if drawn is None or alone else ends(drawn[key])
        found.setdefault(value, {})[name] = Figure(statistic(whole), ci)
    best, worst, gap = {}, {}, {}
    for name in measures:
        told = {value: each[name].value for value, each in found.items() if np.isfinite(each[name].value)}
        if len(told) > 1:
            best[name], worst[name] = max(told, key=told.__getitem__), min(told, key=told.__getitem__)
            sound = drawn is not None and all(found[value][name].ci for value in (best[name], worst[name]))
            high, low = (f"{name}\n{value}" for value in (best[name], worst[name]))
            ci = ends(drawn[high] - drawn[low]) if drawn is not None and sound else None
            gap[name] = Figure(told[best[name]] - told[worst[name]], ci)
    return Compared(found, counts, best, worst, gap)


def _of_part(statistic: Statistic, mask: np.ndarray) -> Statistic:
    return lambda weights: statistic(weights[mask])
