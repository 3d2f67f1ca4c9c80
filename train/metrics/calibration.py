"""Calibration of probabilities: temperature scaling, calibration error, Brier score."""

from __future__ import annotations

import numpy as np

LOWEST, HIGHEST = 0.25, 20.0  # error-free validation cases would otherwise drive the temperature to 0


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return (n, c) float64 probabilities of (n, c) logits divided by the temperature."""
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def negative_log_likelihood(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> float:
    """Return the mean -log p(true class), in nats."""
    own = softmax(logits, temperature)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(own, np.finfo(np.float64).tiny)).mean())


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature with the lowest negative log-likelihood (Guo et al. 2017), between 0.25 and 20.

    The likelihood is convex in 1 / temperature, so its slope is bisected.

    Args:
        logits: (n, c) of cases the model was not trained on.
        labels: (n,) their true class ids.
    """
    own = logits.astype(np.float64)[np.arange(len(labels)), labels]
    low, high = 1 / HIGHEST, 1 / LOWEST
    for _ in range(60):
        middle = (low + high) / 2
        slope = ((softmax(logits, 1 / middle) * logits).sum(axis=1) - own).mean()
        low, high = (middle, high) if slope <= 1e-12 else (low, middle)
    return float(2 / (low + high))


def brier_scores(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return (n,) squared errors of the probabilities summed over classes: 0 is perfect, 2 the worst.

    Args:
        probabilities: (n, c), rows sum to 1.
        labels: (n,) true class ids.
    """
    truth = np.eye(probabilities.shape[1])[labels]
    return np.asarray(((probabilities - truth) ** 2).sum(axis=1))


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> list[dict[str, float]]:
    """Return confidence and accuracy of the predicted class by equal-width bins of confidence.

    Args:
        probabilities: (n, c), rows sum to 1.
        labels: (n,) true class ids.
        bins: Number of bins.

    Returns:
        For each bin: low and high end, mean confidence, accuracy (both NaN in an empty bin), n_cases.
    """
    bin_of, confidences, correct = _bin(probabilities, labels, bins)
    count = np.bincount(bin_of, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(bin_of, weights=confidences, minlength=bins) / count
        accuracy = np.bincount(bin_of, weights=correct, minlength=bins) / count
    ends = np.arange(bins + 1) / bins
    columns = [values.tolist() for values in (ends[:-1], ends[1:], confidence, accuracy, count)]
    names = ("low", "high", "confidence", "accuracy", "n_cases")
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Return the mean distance of confidence and accuracy over equal-width bins of confidence, 0 to 1.

    Args:
        probabilities: (n, c), rows sum to 1.
        labels: (n,) true class ids.
        bins: Number of bins.
    """
    bin_of, confidences, correct = _bin(probabilities, labels, bins)
    gap = np.bincount(bin_of, weights=confidences - correct, minlength=bins)
    return float(np.abs(gap).sum() / len(labels))


def _bin(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    confidences = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    return np.minimum((confidences * bins).astype(np.int64), bins - 1), confidences, correct.astype(np.float64)
