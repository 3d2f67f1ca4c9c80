"""How close a picture lies to its own note, beside how close it lies to anybody's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Alignment:
    """Cosine similarities, -1 to 1.

    Attributes:
        paired: (n,) picture i to its own note.
        random_pairs: Mean over all pairs of a picture with another case's note; NaN for a single case.
    """

    paired: np.ndarray
    random_pairs: float


def paired_cosine(image: np.ndarray, text: np.ndarray) -> Alignment:
    """Cosine of each picture with its own note, and the mean over every other pairing.

    A high paired cosine alone says little: all vectors may point the same way. The gap to random pairs is what counts.

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
