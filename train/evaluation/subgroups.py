"""Figures by sex, age band, skin tone, body site and image type: of classification, and of masked searches.

Only the cases' own columns are used. A source that records an attribute more often for some classes than for others
keeps it out of the columns (PAD-UFES-20 its sex and skin type), and so out of here.
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
from ..metrics.groups import Compared, age_band, compare_groups, tone_scale
from .classification import SHORT
from .embedded_cases import MASKED, Embedded, Setting
from .retrieval import Searches


def attributes(table: pd.DataFrame) -> Iterator[tuple[str, list[str | None]]]:
    """Yield name and n values of every attribute that some case has; None for a case without it.

    Skin tones of two scales are two attributes ("skin_tone, Fitzpatrick", ...) and are never compared.
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
    """Return the "groups" of a block, by attribute.

    Args:
        part: n cases.
        searches: Of these cases; empty if none has a note.
        groups: (n,) patient or lesion.
        setting: Of the measurements.
    """
    p = softmax(part.logits, setting.temperature)
    # By case: average precision of its search, and cosine to its own note; NaN without a note.
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
    bootstrap, found = setting.bootstrap, {}
    for name, values in attributes(part.table):
        compared = compare_groups(values, measures, groups, n_boot=bootstrap.n_boot, seed=bootstrap.seed)
        found[name] = _figures(compared, values, groups)
    return found


def _figures(found: Compared, values: list[str | None], groups: np.ndarray) -> dict[str, Any]:
    of_value = np.array(["" if value is None else value for value in values], dtype=object)
    shown: dict[str, Any] = {}
    for value, count in found.counts.items():
        figures = found.figures.get(value)
        shown[value] = {"n_cases": count, "n_groups": len(set(groups[of_value == value]))}
        if figures is None:
            shown[value]["too_few"] = True
        else:
            shown[value] |= {name: each.value for name, each in figures.items()}
            shown[value]["ci"] = {name: each.ci for name, each in figures.items()}
    gap = {name: {"value": each.value, "ci": each.ci} for name, each in found.gap.items()}
    return {"values": shown, "not_recorded": values.count(None), "best": found.best, "worst": found.worst, "gap": gap}
