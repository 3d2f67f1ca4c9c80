"""Classification metrics.

Every metric takes a weight for each case, so that a bootstrap over patients only changes the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dermnote.taxonomy import MELANOCYTIC_NEVUS, MELANOMA, find_class

from .bootstrap import Statistic


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int, weights: np.ndarray) -> np.ndarray:
    """Return (classes, classes) sums of weights; rows are the true class, columns the predicted one."""
    cells = np.bincount(labels * classes + predicted, weights=weights, minlength=classes * classes)
    return cells.reshape(classes, classes)


def cohen_kappa(confusion: np.ndarray, *, linear: bool = False) -> float:
    """Return Cohen's kappa, -1 to 1; NaN if the expected agreement is complete.

    Args:
        confusion: (c, c), from `confusion_matrix`.
        linear: Weight an error by the distance of the two class ids, as the authors of arXiv 2511.21827 do. The
            classes have no order, so the unweighted kappa is the meaningful one.
    """
    classes, total = len(confusion), confusion.sum()
    ids = np.arange(classes)
    cost = np.abs(ids[:, None] - ids[None, :]) if linear else 1 - np.eye(classes)
    expected_confusion = np.outer(confusion.sum(axis=1), confusion.sum(axis=0)) / max(total, 1e-12)
    expected = (cost * expected_confusion).sum()
    return float(1 - (cost * confusion).sum() / expected) if expected > 0 else float("nan")


def recalls(confusion: np.ndarray) -> np.ndarray:
    """Return the recall of each class, (c,); NaN for a class without cases."""
    support = confusion.sum(axis=1)
    missing = np.full(len(support), np.nan)
    return np.asarray(np.divide(np.diag(confusion), support, out=missing, where=support > 0))


def balanced_accuracy(confusion: np.ndarray) -> float:
    """Return the mean recall over the classes that have cases."""
    values = recalls(confusion)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def macro_f1(confusion: np.ndarray) -> float:
    """Return the mean F1 over the classes that have cases."""
    support = confusion.sum(axis=1)
    both = support + confusion.sum(axis=0)
    f1 = np.divide(2 * np.diag(confusion), both, out=np.zeros(len(both)), where=both > 0)
    return float(f1[support > 0].mean()) if (support > 0).any() else float("nan")


def macro_auroc(labels: np.ndarray, scores: np.ndarray) -> Statistic:
    """Return the mean one-vs-rest AUROC over the classes that have cases, ties counted half, as a function of weights.

    The scores are ranked once, and all classes are computed together: a bootstrap calls this often. NaN if fewer than
    two classes have cases.

    Args:
        labels: (n,) class ids.
        scores: (n, c) any floats.
    """
    present = np.unique(labels)
    ranks = [np.unique(scores[:, c], return_inverse=True)[1] for c in present]
    shape = (len(present), len(labels))  # no class has more ranks than there are cases
    bins = np.array(ranks).ravel() + np.repeat(np.arange(len(present)) * len(labels), len(labels))
    positive = (labels == present[:, None]).ravel()

    def auroc(weights: np.ndarray) -> float:
        of_class, count = np.tile(weights, len(present)), shape[0] * shape[1]
        high = np.bincount(bins, weights=of_class * positive, minlength=count).reshape(shape)
        low = np.bincount(bins, weights=of_class * ~positive, minlength=count).reshape(shape)
        pairs = high.sum(axis=1) * low.sum(axis=1)
        wins = (high * (np.cumsum(low, axis=1) - low / 2)).sum(axis=1)
        return float((wins[pairs > 0] / pairs[pairs > 0]).mean()) if (pairs > 0).any() else float("nan")

    return auroc


def melanoma_vs_nevus_auroc(labels: np.ndarray, probabilities: np.ndarray, classnames: Sequence[str]) -> Statistic:
    """Return the AUROC of p(melanoma) / (p(melanoma) + p(nevus)) among the cases of both, as a function of weights.

    The two are recognised by any name in `dermnote.taxonomy`, such as "nevus". NaN if either has no cases or no class,
    or several classes match one of them, e.g. kinds of nevi.
    """
    found = [find_class(name) for name in classnames]
    if (found.count(MELANOMA), found.count(MELANOCYTIC_NEVUS)) != (1, 1):
        return lambda weights: float("nan")
    melanoma, nevus = found.index(MELANOMA), found.index(MELANOCYTIC_NEVUS)
    kept = np.isin(labels, (melanoma, nevus))
    p = probabilities[kept].astype(np.float64)
    share = p[:, melanoma] / np.maximum(p[:, melanoma] + p[:, nevus], np.finfo(np.float64).tiny)
    _, rank = np.unique(share, return_inverse=True)
    positive = labels[kept] == melanoma

    def auroc(weights: np.ndarray) -> float:
        high = np.bincount(rank, weights=weights[kept] * positive)
        low = np.bincount(rank, weights=weights[kept] * ~positive)
        pairs = high.sum() * low.sum()
        return float((high * (np.cumsum(low) - low / 2)).sum() / pairs) if pairs > 0 else float("nan")

    return auroc


def statistics(labels: np.ndarray, scores: np.ndarray, classnames: Sequence[str]) -> dict[str, Statistic]:
    """Return the metrics with bootstrap intervals, as functions of the case weights.

    Args:
        labels: (n,) true class ids.
        scores: (n, c) probabilities, or any scores whose argmax is the prediction (melanoma against nevus is then
            meaningless).
        classnames: c names.
    """
    predicted = scores.argmax(axis=1)

    def confusion(weights: np.ndarray) -> np.ndarray:
        return confusion_matrix(labels, predicted, len(classnames), weights)

    return {
        "kappa": lambda weights: cohen_kappa(confusion(weights)),
        "kappa_linear": lambda weights: cohen_kappa(confusion(weights), linear=True),
        "balanced_accuracy": lambda weights: balanced_accuracy(confusion(weights)),
        "macro_f1": lambda weights: macro_f1(confusion(weights)),
        "macro_auroc": macro_auroc(labels, scores),
        "melanoma_vs_nevus_auroc": melanoma_vs_nevus_auroc(labels, scores, classnames),
    }


def classification_metrics(
    labels: np.ndarray, probabilities: np.ndarray, classnames: Sequence[str], weights: np.ndarray | None = None
) -> dict[str, Any]:
    """Return all classification metrics of a set of cases.

    Args:
        labels: (n,) true class ids, 0 to c - 1.
        probabilities: (n, c), rows sum to 1.
        classnames: c names, by class id.
        weights: (n,) weight of each case; None for equal weights.

    Returns:
        kappa, kappa_linear, balanced_accuracy, macro_f1, macro_auroc, accuracy, melanoma_vs_nevus_auroc as floats (NaN
        where undefined); recall (by class name, NaN for absent classes); confusion (c, c) as lists; classes_absent,
        the names without cases, which are excluded from all means.
    """
    if len(labels) == 0 or probabilities.shape != (len(labels), len(classnames)):
        raise ValueError(f"need (n, {len(classnames)}) probabilities for n > 0 labels, not {probabilities.shape}")
    weights = np.ones(len(labels)) if weights is None else weights
    confusion = confusion_matrix(labels, probabilities.argmax(axis=1), len(classnames), weights)
    recall = recalls(confusion)
    figures: dict[str, Any] = {
        name: statistic(weights) for name, statistic in statistics(labels, probabilities, classnames).items()
    }
    return figures | {
        "accuracy": float(np.diag(confusion).sum() / confusion.sum()),
        "recall": dict(zip(classnames, recall.tolist(), strict=True)),
        "confusion": confusion.tolist(),
        "classes_absent": [name for name, value in zip(classnames, recall, strict=True) if np.isnan(value)],
    }
