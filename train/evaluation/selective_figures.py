"""Figures of answering only where the model is sure, or where the picture is like known ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..metrics.bootstrap import interval
from ..metrics.calibration import softmax
from ..metrics.selective import COVERAGES, Aurc, risk_coverage
from .embedded_cases import Embedded
from .setting import DRAWN, Setting


def selective(part: Embedded, groups: np.ndarray, setting: Setting) -> dict[str, Any]:
    """The "selective" of a block; "distance" and "far" are None where the training cases were not looked at."""
    p = softmax(part.logits, setting.temperature)
    wrong = p.argmax(axis=1) != part.labels
    told = {"confidence": _curve(wrong, p.max(axis=1), groups, setting), "distance": None, "far": None}
    if part.distance is not None and np.isfinite(part.distance).all():
        told["distance"] = _curve(wrong, -part.distance, groups, setting)
        threshold = setting.far.get(bool((part.table["source"] == DRAWN).all()))
        if threshold is not None:
            told["far"] = _far(wrong, part.distance > threshold, threshold)
    return told


def _curve(wrong: np.ndarray, scores: np.ndarray, groups: np.ndarray, setting: Setting) -> dict[str, Any]:
    area, bootstrap = Aurc(wrong, scores), setting.bootstrap
    return {
        "coverage": COVERAGES.tolist(),
        "risk": risk_coverage(wrong, scores).tolist(),
        "aurc": area(np.ones(len(wrong))),
        "ci": interval(area, groups, n_boot=bootstrap.n_boot, seed=bootstrap.seed),
    }


def _far(wrong: np.ndarray, flagged: np.ndarray, threshold: float) -> dict[str, Any]:
    def accuracy(of: np.ndarray) -> float | None:
        return float(1 - wrong[of].mean()) if of.any() else None

    return {
        "threshold": threshold,
        "n_flagged": int(flagged.sum()),
        "accuracy_flagged": accuracy(flagged),
        "accuracy_kept": accuracy(~flagged),
    }
