"""Random unit vectors and random predictions, for tests of metrics."""

from __future__ import annotations

import numpy as np


def normalised(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def units(random: np.random.Generator, n: int, d: int = 6) -> np.ndarray:
    return normalised(random.normal(size=(n, d)))


def answers(random: np.random.Generator, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and informative (n, 5) probabilities; class 4 never occurs."""
    labels = random.integers(0, 4, size=n)
    p = random.dirichlet(np.ones(5), size=n) + 0.7 * np.eye(5)[labels] * random.random((n, 1))
    return labels, np.round(p / p.sum(axis=1, keepdims=True), 2)  # rounding makes ties
