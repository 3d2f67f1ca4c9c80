"""Figures of answers with a class: from the picture alone, by class descriptions, by linear probes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..metrics.bootstrap import intervals
from ..metrics.calibration import (
    brier_scores,
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
    softmax,
)
from ..metrics.classification import classification_metrics, statistics
from .embedded_cases import Embedded
from .setting import Setting

SHORT = ("kappa", "balanced_accuracy", "macro_auroc")


def classification(part: Embedded, groups: np.ndarray, setting: Setting) -> dict[str, Any]:
    """The "classification" of a block."""
    p, names = softmax(part.logits, setting.temperature), setting.classnames
    figures = classification_metrics(part.labels, p, names)
    figures["support"] = dict(zip(names, np.bincount(part.labels, minlength=len(names)).tolist(), strict=True))
    figures["confusion"] = np.array(figures["confusion"]).astype(int).tolist()
    figures["ece"] = expected_calibration_error(p, part.labels)
    figures["ece_uncalibrated"] = expected_calibration_error(softmax(part.logits), part.labels)
    figures["negative_log_likelihood"] = negative_log_likelihood(part.logits, part.labels, setting.temperature)
    figures["brier"] = float(brier_scores(p, part.labels).mean())
    figures["reliability"] = reliability(p, part.labels)
    told = statistics(part.labels, p, names)
    figures["ci"] = intervals(told, groups, n_boot=setting.bootstrap.n_boot, seed=setting.bootstrap.seed)
    return figures


def zero_shot(part: Embedded, groups: np.ndarray, setting: Setting) -> dict[str, Any] | None:
    """The "zero_shot" of a block: each picture gets the class whose description lies nearest; None without prompts."""
    if setting.prompts is None:
        return None
    cosines = part.image.astype(np.float64) @ setting.prompts.vectors.T
    return {"prompts": dict(setting.prompts.texts), **_short(part.labels, cosines, groups, setting)}


def linear_probes(part: Embedded, groups: np.ndarray, setting: Setting) -> dict[str, Any] | None:
    """The "linear_probe" of a block, by share of the training groups; None where there are no such probes."""
    told: dict[str, Any] = {}
    for name, share in setting.shares.items():
        p = part.probes.get(name)
        fitted = p is not None and bool(np.isfinite(p).all())
        figures = _short(part.labels, p, groups, setting) if p is not None and fitted else dict.fromkeys((*SHORT, "ci"))
        facts = {"n_train": share.n_train, "n_groups": share.n_groups, "classes_absent": list(share.classes_absent)}
        told[name] = {**figures, **facts}
    return told or None


def _short(labels: np.ndarray, scores: np.ndarray, groups: np.ndarray, setting: Setting) -> dict[str, Any]:
    found = statistics(labels, scores, setting.classnames)
    kept = {name: found[name] for name in SHORT}
    whole, bootstrap = np.ones(len(labels)), setting.bootstrap
    figures: dict[str, Any] = {name: statistic(whole) for name, statistic in kept.items()}
    return figures | {"ci": intervals(kept, groups, n_boot=bootstrap.n_boot, seed=bootstrap.seed)}
