"""Alignment of image and text embeddings, and uniformity of the embedding space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PAIRED_VECTORS, BLOCK = 10_000, 1000


@dataclass(frozen=True)
class Alignment:
    """Cosine similarities, -1 to 1.

    Attributes:
        paired: (n,) of each image with its own note.
        random_pairs: Mean over all pairs of an image with another case's note; NaN for a single case.
    """

    paired: np.ndarray
    random_pairs: float


def paired_cosine(image: np.ndarray, text: np.ndarray) -> Alignment:
    """Return the cosine of each image with its own note, and the mean over every other pairing.

    A high paired cosine alone says little, since all vectors may point the same way: compare it with random pairs.

    Args:
        image: (n, d) unit rows.
        text: (n, d) unit rows in the same order.
    """
    image, text = image.astype(np.float64), text.astype(np.float64)
    paired = (image * text).sum(axis=1)
    n = len(paired)
    # The sum of all n * n products is the product of the two sums of vectors.
    others = float(image.sum(axis=0) @ text.sum(axis=0) - paired.sum())
    return Alignment(paired, others / (n * (n - 1)) if n > 1 else float("nan"))


def modality_gap(image: np.ndarray, text: np.ndarray) -> float:
    """Return the distance between the mean image and the mean note vector, 0 to 2 (Liang et al. 2022).

    Args:
        image: (n, d) unit rows.
        text: (m, d) unit rows.
    """
    difference = image.astype(np.float64).mean(axis=0) - text.astype(np.float64).mean(axis=0)
    return float(np.linalg.norm(difference))


def uniformity(vectors: np.ndarray) -> float:
    """Return the log of the mean of exp(-2 * squared distance) over pairs (Wang and Isola 2020).

    0 if all vectors are equal, never below -8; lower is more uniform. Of more than 10,000 vectors a random sample of
    10,000 is used.
    NaN for fewer than two vectors.

    Args:
        vectors: (n, d) unit rows.
    """
    if len(vectors) > PAIRED_VECTORS:
        vectors = vectors[np.random.default_rng(0).choice(len(vectors), PAIRED_VECTORS, replace=False)]
    n, total = len(vectors), 0.0
    if n < 2:
        return float("nan")
    for start in range(0, n, BLOCK):
        block = vectors[start : start + BLOCK]
        total += float(np.exp(4 * (block @ vectors.T - 1)).sum(dtype=np.float64))
        total -= float(np.exp(4 * ((block * block).sum(axis=1) - 1)).sum(dtype=np.float64))  # pairs with itself
    return float(np.log(total / (n * (n - 1))))
