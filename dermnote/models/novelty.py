"""Novelty: distance of an image from the training images. On images unlike all of them a model is unreliable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from dermnote.errors import BundleError
from dermnote.models.weights import REBUILD

KNOWN = "known.safetensors"
NEAREST = 5  # training images that a distance is averaged over
FAR = 95  # percentile of the validation images' distances above which an image is far
BLOCK = 10_000  # queries at a time
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Novelty:
    """Distance of one image from the training images.

    Attributes:
        distance: Mean cosine distance to the nearest training images, 0 to 2.
        threshold: Distance that 5% of the validation images exceed.
        nearer: Fraction of the validation images that are nearer, 0 to 1.
    """

    distance: float
    threshold: float
    nearer: float

    @property
    def far(self) -> bool:
        """True for an image unlike the training images."""
        return self.distance > self.threshold


def distances(queries: Vectors, known: Vectors) -> Vectors:
    """Compute the mean cosine distance (n,), 0 to 2, of unit rows (n, d) to their 5 nearest of (m, d)."""
    k = min(NEAREST, len(known))
    result = np.empty(len(queries), dtype=np.float32)
    for start in range(0, len(queries), BLOCK):
        cosines = queries[start : start + BLOCK] @ known.T
        nearest = np.partition(cosines, len(known) - k, axis=1)[:, len(known) - k :]
        result[start : start + BLOCK] = (1 - nearest.mean(axis=1)).clip(0, 2)
    return result


@dataclass(frozen=True)
class KnownImages:
    """Vectors of training images, and the distances of validation images from them.

    Attributes:
        vectors: (m, embed_dim) float32, unit rows.
        percentiles: (101,) float32, of the validation images' distances, 0 to 100.
    """

    vectors: Vectors
    percentiles: Vectors

    def novelty(self, vector: Vectors) -> Novelty:
        """Compute the novelty of an image's unit vector (embed_dim,)."""
        distance = float(distances(vector[None], self.vectors)[0])
        nearer = float(np.interp(distance, self.percentiles, np.linspace(0, 1, 101), left=0.0, right=1.0))
        return Novelty(distance, float(self.percentiles[FAR]), nearer)

    def save(self, path: str | Path, fingerprint: str) -> None:
        """Write a file, with the fingerprint of the model that made the vectors."""
        tensors: dict[str, np.ndarray] = {"vectors": self.vectors.astype(np.float16), "percentiles": self.percentiles}
        save_file(tensors, path, {"fingerprint": fingerprint})

    @classmethod
    def load(cls, folder: str | Path, fingerprint: str) -> KnownImages | None:
        """Read `known.safetensors`; None if there is none.

        Raises:
            BundleError: The file is damaged, or made with another model.
        """
        path = Path(folder) / KNOWN
        if not path.is_file():
            return None
        try:
            with safe_open(path, "numpy") as file:
                made_by = (file.metadata() or {}).get("fingerprint")
                vectors, percentiles = (file.get_tensor(name) for name in ("vectors", "percentiles"))
        except (SafetensorError, OSError) as error:
            raise BundleError(f"{path} is damaged ({error}).", REBUILD) from error
        if made_by != fingerprint:
            raise BundleError(f"{path} was made with other weights than the model's.", REBUILD)
        if vectors.ndim != 2 or not len(vectors) or percentiles.shape != (101,):
            raise BundleError(f"{path} has arrays of a wrong shape.", REBUILD)
        wide = vectors.astype(np.float32)
        wide /= np.linalg.norm(wide, axis=1, keepdims=True)
        if not np.isfinite(wide).all() or not np.isfinite(percentiles).all():
            raise BundleError(f"{path} holds values that are not finite.", REBUILD)
        return cls(wide, percentiles.astype(np.float32))
