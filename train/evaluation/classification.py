"""Figures of predicted classes: from the image alone, with doubtful cases left out, zero-shot, and by linear probes."""

from __future__ import annotations

from typing import Any

import numpy as np

from dermnote.report.schema import DRAWN

from ..metrics.bootstrap import interval, intervals
from ..metrics.calibration import (
    brier_scores,
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
    softmax,
)
from ..metrics.classification import classification_metrics, statistics
from ..metrics.selective import COVERAGES, Aurc, risk_coverage
from .embedded_cases import Embedded, Setting

SHORT = ("kappa", "balanced_accuracy", "macro_auroc")


def classification(part: Embedded, groups: np.ndarray, setting: Setting) -> dict[str, Any]:
    """Return the "classification" of a block."""
    p, names = softmax(part.logits, setting.temperature), setting.classnames
    figures = classification_metrics(part.labels, p, names)
    figures["support"] = dict(zip(names, np.bincount(part.labels, minlength=len(names)).tolist(), strict=True))
    figures["confusion"] = np.array(figures["confusion"]).astype(int).tolist()
    figures["ece"] = expected_calibration_error(p, part.labels)
    figures["ece_uncalibrated"] = expected_calibration_error(softmax(part.logits), part.labels)
    figures["negative_log_likelihood"] = negative_log_likelihood(part.logits, part.labels, setting.temperature)
    figures["brier"] = float(brier_scores(p, part.labels).mean())
    figures["reliability"] = reliability(p, part.labels)
    measures, bootstrap = statistics(part.labels, p, names), setting.bootstrap
    figures["ci"] = intervals(measures, groups, n_boot=bootstrap.n_boot, seed=bootstrap.seed)
    return figures


def selective(part: Embedded, groups: np.ndarray, setting: Setting) -> dict[str, Any]:
    """Return the "selective" of a block; "distance" and "far" are None without distances to the training cases."""
    p = softmax(part.logits, setting.temperature)
    wrong = p.argmax(axis=1) != part.labels
    figures = {"confidence": _curve(wrong, p.max(axis=1), groups, setting), "distance": None, "far": None}
    if part.distance is not None and np.isfinite(part.distance).all():
        figures["distance"] = _curve(wrong, -part.distance, groups, setting)
        threshold = setting.far.get(bool((part.table["source"] == DRAWN).all()))
        if threshold is not None:
            flagged = part.distance > threshold
            figures["far"] = {
                "threshold": threshold,
                "n_flagged": int(flagged.sum()),
                "accuracy_flagged": float(1 - wrong[flagged].mean()) if flagged.any() else None,
                "accuracy_kept": float(1 - wrong[~flagged].mean()) if not flagged.all() else None,
            }
    return figures


def _curve(wrong: np.ndarray, scores: np.ndarray, groups: np.ndarray, setting: Setting) -> dict[str, Any]:
    area, bootstrap = Aurc(wrong, scores), setting.bootstrap
    return {
        "coverage": COVERAGES.tolist(),
        "risk": risk_coverage(wrong, scores).tolist(),
        "aurc": area(np.ones(len(wrong))),
        "ci": interval(area, groups, n_boot=bootstrap.n_boot, seed=bootstrap.seed),
    }


def zero_shot(part: Embedded, groups: np.ndarray, setting: Setting) -> dict[str, Any] | None:
    """Return the "zero_shot" of a block: each image gets the class of the nearest description; None without prompts."""
    if setting.prompts is None:
        return None
    cosines = part.image.astype(np.float64) @ setting.prompts.vectors.T
    return {"prompts": dict(setting.prompts.texts), **_short(part.labels, cosines, groups, setting)}


def linear_probes(part: Embedded, groups: np.ndarray, setting: Setting) -> dict[str, Any] | None:
    """Return the "linear_probe" of a block, by percent of the training groups; None without probes."""
    found: dict[str, Any] = {}
    for name, fitted_on in setting.probes.items():
        p = part.probes.get(name)
        fitted = p is not None and bool(np.isfinite(p).all())
        figures = _short(part.labels, p, groups, setting) if p is not None and fitted else dict.fromkeys((*SHORT, "ci"))
        counts = {"n_train": fitted_on.n_train, "n_groups": fitted_on.n_groups}
        found[name] = {**figures, **counts, "classes_absent": list(fitted_on.classes_absent)}
    return found or None


def _short(labels: np.ndarray, scores: np.ndarray, groups: np.ndarray, setting: Setting) -> dict[str, Any]:
    found = statistics(labels, scores, setting.classnames)
    kept = {name: found[name] for name in SHORT}
    whole, bootstrap = np.ones(len(labels)), setting.bootstrap
    figures: dict[str, Any] = {name: statistic(whole) for name, statistic in kept.items()}
    return figures | {"ci": intervals(kept, groups, n_boot=bootstrap.n_boot, seed=bootstrap.seed)}
