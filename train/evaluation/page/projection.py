"""Vectors of pictures and notes in two dimensions, to look at: near is near, far says nothing."""

from __future__ import annotations

import numpy as np

FEWEST, MOST = 12, 800  # cases a map is made of


def sample_rows(count: int, seed: int = 0) -> np.ndarray:
    """At most `MOST` of `count` rows, in order."""
    chosen = np.random.default_rng(seed).permutation(count)[:MOST]
    return np.sort(chosen)


def project(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """t-SNE (van der Maaten and Hinton 2008) by cosine, started from the principal components.

    Args:
        vectors: (n, d) unit rows, n of at least `FEWEST`.
        seed: Same seed, same map.

    Returns:
        (n, 2).
    """
    from sklearn.manifold import TSNE

    distinct, again = np.unique(vectors, axis=0, return_inverse=True)
    if len(distinct) < FEWEST:
        raise ValueError(f"a map needs {FEWEST} different vectors, not {len(distinct)}")
    perplexity = min(30.0, (len(distinct) - 1) / 3)
    places = TSNE(2, perplexity=perplexity, metric="cosine", init="random", random_state=seed).fit_transform(distinct)
    return np.asarray(places[again.ravel()], dtype=np.float64)
