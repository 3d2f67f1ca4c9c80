"""Vectors in any number, distributed as a model's real ones; `describe` says what is real and what is synthetic."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dermnote import DermNote
from dermnote.notes.schema import notes_by_case
from train.data.cases import Cases
from train.training.embedding import embed_cases

REAL_CASES = 3000  # a image takes the starter 10 ms and more on two cores
SPREAD = 0.5  # of the step between two real cases of a class, added to a real case to make a new one
GRAIN = 0.05  # length of the even noise that keeps any two from being equal


@dataclass(frozen=True)
class RealVectors:
    """What the embedded starter makes of real cases.

    Attributes:
        images: (m, 128) float32, unit rows.
        notes: (m, 128) float32, unit rows, of the same cases.
        labels: (m,) classes.
        description: Where they are from, one sentence.
    """

    images: np.ndarray
    notes: np.ndarray
    labels: np.ndarray
    description: str


def of_cases(cases_folder: Path, notes_file: Path) -> RealVectors:
    """The starter's vectors of cases that have an M note, at most `REAL_CASES` drawn evenly."""
    starter, cases, notes = DermNote.from_pretrained(), Cases.read(cases_folder), notes_by_case(notes_file)
    rows = [row for row, case in enumerate(cases.table["case_id"]) if "m" in notes.get(case, {})]
    drawn = np.random.default_rng(0).permutation(len(rows))[:REAL_CASES]
    cases = cases.select([rows[row] for row in np.sort(drawn)])
    texts = [notes[case]["m"] for case in cases.table["case_id"]]
    made = embed_cases(starter.model, cases, texts)
    assert made.text is not None
    sources = ", ".join(f"{count} of {name}" for name, count in cases.table["source"].value_counts().items())
    description = f"the embedded starter's vectors of {len(cases)} real cases with their M notes ({sources})"
    return RealVectors(made.image, made.text, cases.table["label"].to_numpy(dtype=str), description)


def of_gallery() -> RealVectors:
    """The vectors of the starter's own gallery, as published."""
    index = DermNote.from_pretrained().index
    assert index._notes is not None
    images = index._images.vectors()
    notes = index._notes.vectors()
    description = f"the embedded starter's vectors of its own {len(index)} drawn lesions and their notes"
    return RealVectors(images, notes, index.columns("label")["label"].to_numpy(dtype=str), description)


class Resampler:
    """A smoothed bootstrap of real cases: a real case, moved along the difference of two others of its class.

    So the classes keep their shares, their places and, in every direction, their spread; image and note of a made
    case are moved along the same two cases, so that they belong together as much as real ones do.

    Args:
        real: To draw from.
        dim: Width of what is made; other than the real width, all is turned by one random isometry (or projection).
    """

    def __init__(self, real: RealVectors, dim: int) -> None:
        self.real, self.dim = real, dim
        width = real.images.shape[1]
        turn = np.linalg.qr(np.random.default_rng(0).normal(size=(max(width, dim), min(width, dim))))[0]
        self._turn = None if dim == width else (turn.T if dim > width else turn)  # (width, dim)
        order = np.argsort(real.labels, kind="stable")
        _, first, count = np.unique(real.labels[order], return_index=True, return_counts=True)
        which = np.searchsorted(first, np.arange(len(order)), side="right") - 1
        self._order, self._first, self._count = order, np.empty_like(order), np.empty_like(order)
        self._first[order], self._count[order] = first[which], count[which]

    def draw(self, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Images and notes of `rows` made cases, both (rows, dim) float32, unit rows."""
        random = np.random.default_rng(seed)
        base = random.integers(0, len(self._order), rows)
        one, other = (
            self._order[self._first[base] + (random.random(rows) * self._count[base]).astype(int)] for _ in range(2)
        )
        made = []
        for real in (self.real.images, self.real.notes):
            moved = real[base] + SPREAD * (real[one] - real[other])
            moved = moved if self._turn is None else moved @ self._turn
            moved = moved + GRAIN / np.sqrt(self.dim) * random.normal(size=(rows, self.dim))
            made.append((moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32))
        return made[0], made[1]

    def describe(self) -> list[str]:
        """What is real, what is made, and how alike the two lie."""
        count = min(len(self.real.images), 5000)
        images, _ = self.draw(count, 7)
        real = self.real.images[np.random.default_rng(7).permutation(len(self.real.images))[:count]]
        return [
            f"Real: {self.real.description}.",
            f"Synthetic: every vector indexed and searched, {self.dim} wide: a real case moved by {SPREAD} of the "
            "difference of two others of its class. No query is in the index. Notes of made cases are all different; "
            "real M notes often repeat word for word.",
            f"Mean cosine to the 10th nearest of {count} images: real {tenth_nearest(real):.3f}, "
            f"synthetic {tenth_nearest(images):.3f}.",
        ]


def tenth_nearest(vectors: np.ndarray) -> float:
    """Mean cosine of a vector to its 10th nearest, itself not counted."""
    cosines = vectors[:1000] @ vectors.T
    return float(np.partition(cosines, -11, axis=1)[:, -11].mean())
