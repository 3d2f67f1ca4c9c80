"""How far a picture lies from those a model was trained on: what is unlike all of them, it can only guess at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from dermnote.errors import BundleError
from dermnote.vectors import Vectors

KNOWN = "known.safetensors"
NEAREST, FAR = 5, 95  # pictures; the percentile of the validation pictures' distances from which on one is far
BLOCK = 10_000  # queries at a time
REBUILD = "Download or build the bundle again."


@dataclass(frozen=True)
class Novelty:
    """How far one picture lies from the known ones.

    Attributes:
        distance: Mean cosine distance to the nearest known pictures, 0 to 2.
        threshold: Distance that 5% of the validation pictures pass.
        nearer: Share of the validation pictures that lie nearer, 0 to 1.
    """

    distance: float
    threshold: float
    nearer: float

    @property
    def far(self) -> bool:
        """Whether the picture is unlike what the model was trained on."""
        return self.distance > self.threshold


def distances(queries: Vectors, known: Vectors) -> Vectors:
    """Unit rows (n, d) and (m, d) to the mean cosine distance (n,) to the 5 nearest of the m, 0 to 2."""
    k = min(NEAREST, len(known))
    found = np.empty(len(queries), dtype=np.float32)
    for start in range(0, len(queries), BLOCK):
        cosines = queries[start : start + BLOCK] @ known.T
        nearest = np.partition(cosines, len(known) - k, axis=1)[:, len(known) - k :]
        found[start : start + BLOCK] = (1 - nearest.mean(axis=1)).clip(0, 2)
    return found


@dataclass(frozen=True)
class KnownPictures:
    """Vectors of pictures that were trained on, and how far pictures of the same kind lie that were not.

    Attributes:
        vectors: (m, embed_dim) float32, unit rows.
        percentiles: (101,) float32, of the validation pictures' distances, 0 to 100.
    """

    vectors: Vectors
    percentiles: Vectors

    def novelty(self, vector: Vectors) -> Novelty:
        """Of one picture's unit vector (embed_dim,)."""
        distance = float(distances(vector[None], self.vectors)[0])
        nearer = float(np.interp(distance, self.percentiles, np.linspace(0, 1, 101), left=0.0, right=1.0))
        return Novelty(distance, float(self.percentiles[FAR]), nearer)

    def save(self, path: str | Path, fingerprint: str) -> None:
        """Writes a file, with the fingerprint of the model whose vectors these are."""
        tensors: dict[str, np.ndarray] = {"vectors": self.vectors.astype(np.float16), "percentiles": self.percentiles}
        save_file(tensors, path, {"fingerprint": fingerprint})

    @classmethod
    def load(cls, folder: str | Path, fingerprint: str) -> KnownPictures | None:
        """Reads `known.safetensors`; None if there is none.

        Raises:
            BundleError: The file is damaged, or of another model.
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
            raise BundleError(f"{path} does not hold what it should.", REBUILD)
        wide = vectors.astype(np.float32)
        wide /= np.linalg.norm(wide, axis=1, keepdims=True)
        if not np.isfinite(wide).all() or not np.isfinite(percentiles).all():
            raise BundleError(f"{path} holds numbers that are none.", REBUILD)
        return cls(wide, percentiles.astype(np.float32))
