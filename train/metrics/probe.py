"""Linear probe: logistic regression on frozen embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

SHARES = {"1": 0.01, "10": 0.1, "100": 1.0}  # of the training groups, by percentage


def share_of_groups(groups: Sequence[Any] | np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """Return an (n,) mask of the cases of a random share of the groups, at least one.

    Groups are drawn and not cases, as a tenth of each patient's images would still show every patient. A smaller share
    with the same seed is a subset of a larger one.
    """
    names, of_case = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    taken = np.random.default_rng(seed).permutation(len(names))[: max(1, round(share * len(names)))]
    return np.isin(of_case, taken)


def linear_probe(vectors: np.ndarray, labels: np.ndarray, queries: np.ndarray, classes: int) -> np.ndarray | None:
    """Return probabilities of a logistic regression (scikit-learn, L2, C = 1) on standardised features.

    Args:
        vectors: (n, d) of training cases.
        labels: (n,) their class ids.
        queries: (m, d) of other cases.
        classes: Number of classes.

    Returns:
        (m, classes), 0 for a class without training cases; None if all training cases have the same class.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    present = np.unique(labels)
    if len(present) < 2:
        return None
    fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(vectors, labels)
    probabilities = np.zeros((len(queries), classes))
    if len(queries):
        probabilities[:, present] = fitted.predict_proba(queries)
    return probabilities
