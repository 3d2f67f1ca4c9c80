"""Figures by sex, age band, skin tone, place on the body and kind of picture: of classes, and of masked searches.

Only the cases' own columns are used. A source that records such a thing for some classes more than for others keeps it
out of the columns (PAD-UFES-20 its sex and skin type), and so out of here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ..metrics.alignment import paired_cosine
from ..metrics.bootstrap import Statistic, weighted_mean
from ..metrics.calibration import softmax
from ..metrics.classification import statistics
from ..metrics.groups import Compared, Figure, age_band, compare_groups, tone_scale
from .classification_figures import SHORT
from .embedded_cases import MASKED, Embedded
from .retrieval_figures import Searches
from .setting import Setting


def attributes(table: pd.DataFrame) -> Iterator[tuple[str, list[str | None]]]:
    """Name and n values of every attribute that is recorded for some case; None for a case without it.

    Skin tones of two scales are two attributes ("skin_tone, Fitzpatrick", ...): they are never set side by side.
    """
    for name in ("sex", "age_band", "skin_tone", "site", "modality"):
        column = {"age_band": "age", "skin_tone": "skin_type"}.get(name, name)
        if column not in table:
            continue
        values = [value if known else None for value, known in zip(table[column], table[column].notna(), strict=True)]
        if name == "age_band":
            values = [age_band(value) for value in values]
        if not any(values):
            continue
        scales = {tone_scale(value) for value in values if value} if name == "skin_tone" else set()
        if len(scales) < 2:
            yield name, values
        for scale in sorted(scales) if len(scales) > 1 else ():
            yield f"{name}, {scale}", [value if value and tone_scale(value) == scale else None for value in values]


def subgroups(part: Embedded, searches: Searches, groups: np.ndarray, setting: Setting) -> dict[str, Any]:
    """The "groups" of a block, by attribute.

    Args:
        part: n cases.
        searches: Theirs; empty if none has a note.
        groups: (n,) patient or lesion.
        setting: How to measure.
    """
    p = softmax(part.logits, setting.temperature)
    # Of each case: what its search scored, and its cosine to its own note; NaN without a note.
    of_case = {f"map_{way}": each.result.average_precision for way, each in searches.get(MASKED, {}).items()}
    if MASKED in part.notes:
        cosines = paired_cosine(part.image, part.notes[MASKED]).paired
        of_case["paired_cosine"] = np.where(part.noted, cosines, np.nan)

    def of_classes(name: str, mask: np.ndarray) -> Statistic:
        return statistics(part.labels[mask], p[mask], setting.classnames)[name]

    def of_searches(name: str, mask: np.ndarray) -> Statistic:
        return weighted_mean(of_case[name][mask])

    measures = {name: partial(of_classes, name) for name in SHORT} | {
        name: partial(of_searches, name) for name in of_case
    }
    bootstrap = setting.bootstrap
    return {
        name: _told(
            compare_groups(values, measures, groups, n_boot=bootstrap.n_boot, seed=bootstrap.seed), values, groups
        )
        for name, values in attributes(part.table)
    }


def _told(found: Compared, values: list[str | None], groups: np.ndarray) -> dict[str, Any]:
    of_value = np.array(["" if value is None else value for value in values], dtype=object)
    told: dict[str, Any] = {}
    for value, count in found.counts.items():
        figures = found.figures.get(value)
        told[value] = {"n_cases": count, "n_groups": len(set(groups[of_value == value]))}
        told[value] |= {"too_few": True} if figures is None else _values(figures)
    gap = {name: {"value": each.value, "ci": each.ci} for name, each in found.gap.items()}
    return {"values": told, "not_recorded": values.count(None), "best": found.best, "worst": found.worst, "gap": gap}


def _values(figures: dict[str, Figure]) -> dict[str, Any]:
    return {
        **{name: each.value for name, each in figures.items()},
        "ci": {name: each.ci for name, each in figures.items()},
    }
