"""A linear probe: how much of the classes a plain logistic regression finds in frozen vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

SHARES = {"1": 0.01, "10": 0.1, "100": 1.0}  # of the training groups


def share_of_groups(groups: Sequence[Any] | np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """(n,) mask of the cases of a share of the groups, drawn evenly; at least one group.

    Groups and not cases: a tenth of the pictures of every patient would still show every patient. A smaller share of
    the same seed lies within a larger one.
    """
    names, of_case = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    taken = np.random.default_rng(seed).permutation(len(names))[: max(1, round(share * len(names)))]
    return np.isin(of_case, taken)


def linear_probe(vectors: np.ndarray, labels: np.ndarray, asked: np.ndarray, classes: int) -> np.ndarray | None:
    """Probabilities of a logistic regression (scikit-learn, L2, C = 1) on standardised features.

    Args:
        vectors: (n, d) of training cases.
        labels: (n,) their class ids.
        asked: (m, d) of other cases.
        classes: How many ids there are.

    Returns:
        (m, classes), 0 for a class that no training case has; None if all training cases are of one class.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    present = np.unique(labels)
    if len(present) < 2:
        return None
    fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(vectors, labels)
    probabilities = np.zeros((len(asked), classes))
    if len(asked):
        probabilities[:, present] = fitted.predict_proba(asked)
    return probabilities
