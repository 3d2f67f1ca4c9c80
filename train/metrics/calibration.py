"""Do the probabilities mean what they say, and the one number that makes them do so."""

from __future__ import annotations

import numpy as np

SHARPEST, FLATTEST = 0.25, 20.0  # faultless validation cases would ask for endless sureness


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """(n, c) probabilities of (n, c) logits divided by the temperature, in float64."""
    scaled = logits.astype(np.float64) / temperature
    shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def negative_log_likelihood(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> float:
    """Mean -log p(true class), in nats."""
    own = softmax(logits, temperature)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(own, np.finfo(np.float64).tiny)).mean())


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the lowest negative log-likelihood (Guo et al. 2017), between 0.25 and 20.

    The likelihood is convex in 1 / temperature, so its slope is followed to zero by halving.

    Args:
        logits: (n, c) of cases the model was not trained on.
        labels: (n,) their true class ids.
    """
    own = logits.astype(np.float64)[np.arange(len(labels)), labels]
    low, high = 1 / FLATTEST, 1 / SHARPEST
    for _ in range(60):
        middle = (low + high) / 2
        slope = ((softmax(logits, 1 / middle) * logits).sum(axis=1) - own).mean()
        low, high = (middle, high) if slope <= 1e-12 else (low, middle)
    return float(2 / (low + high))


def brier_scores(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(n,) squared distance of each case's probabilities to the truth, summed over classes: 0 is perfect, 2 the worst.

    Args:
        probabilities: (n, c), rows sum to 1.
        labels: (n,) true class ids.
    """
    truth = np.eye(probabilities.shape[1])[labels]
    return np.asarray(((probabilities - truth) ** 2).sum(axis=1))


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> list[dict[str, float]]:
    """How sure the first answers are and how many of them are right, by equal steps of sureness.

    Args:
        probabilities: (n, c), rows sum to 1.
        labels: (n,) true class ids.
        bins: Steps.

    Returns:
        One a step: low and high end, mean confidence, accuracy (both NaN in an empty step), n_cases.
    """
    step, sure, right = _steps(probabilities, labels, bins)
    count = np.bincount(step, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(step, weights=sure, minlength=bins) / count
        accuracy = np.bincount(step, weights=right, minlength=bins) / count
    return [
        {
            "low": b / bins,
            "high": (b + 1) / bins,
            "confidence": float(confidence[b]),
            "accuracy": float(accuracy[b]),
            "n_cases": int(count[b]),
        }
        for b in range(bins)
    ]


def _steps(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    return np.minimum((sure * bins).astype(np.int64), bins - 1), sure, right.astype(np.float64)


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Mean distance between how sure the model is of its first answer and how often that is right, 0 to 1.

    Args:
        probabilities: (n, c), rows sum to 1.
        labels: (n,) true class ids.
        bins: Equal steps of confidence that cases are gathered in.
    """
    step, sure, right = _steps(probabilities, labels, bins)
    gap = np.bincount(step, weights=sure - right, minlength=bins)
    return float(np.abs(gap).sum() / len(labels))
