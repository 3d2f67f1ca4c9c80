"""Every item of a gallery ranked for every query, in blocks, on one core; `train.metrics.retrieval` takes several.

What makes it quick: classes are all that is asked of a ranking, so an item's cosine and its class go into one integer,
class in the last bits, and one plain in-place sort of integers ranks the gallery; nothing is sorted by index.

Precision: cosines are float32 products, kept in steps of 2**-27 with eight classes (2**-30 with one; 2**-40 with more
than sixteen), finer than their rounding. Cosines in one step are tied, and ties count with their expected value.
Vectors that are equal are multiplied once, so that they tie exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .ties import Runs

BLOCK_SCORES = 25_000_000  # cosines held at a time: 100 MB
NARROW_BITS = 4  # classes up to here leave a cosine enough of 32 bits


def distinct_rows(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """(u, d) the rows without repeats, and (n,) which of them each row is; None if none is repeated.

    Raises:
        ValueError: There is no row, or one holds a value that is not finite.
    """
    if len(vectors) == 0 or not np.isfinite(vectors).all():
        raise ValueError("there are no vectors, or they hold values that are not finite")
    rows = np.ascontiguousarray(vectors, dtype=np.float32) + np.float32(0)  # -0.0 becomes 0.0: rows are told by bytes
    names = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()
    _, first, which = np.unique(names, return_index=True, return_inverse=True)
    return (rows, None) if len(first) == len(rows) else (rows[first], which.ravel())


@dataclass(frozen=True)
class Ranking:
    """The gallery as one query sees it.

    Attributes:
        codes: (m,) classes from the nearest item to the farthest, tied ones by class; until the next query.
        runs: Ties.
        nearer: (w,) how many items lie nearer than each item that is watched.
        as_near: (w,) how many lie as near, itself among them.
    """

    codes: np.ndarray
    runs: Runs
    nearer: np.ndarray
    as_near: np.ndarray


class Gallery:
    """What is searched.

    Args:
        vectors: (m, d) unit rows.
        codes: (m,) class of each, 0 to `classes` - 1.
        classes: How many there are.
    """

    def __init__(self, vectors: np.ndarray, codes: np.ndarray, classes: int) -> None:
        rows, self._which = distinct_rows(vectors)
        self._vectors = np.ascontiguousarray(rows.T)  # (d, u): as it lies in memory, BLAS takes it quickest
        self._bits = (classes - 1).bit_length()
        narrow = self._bits <= NARROW_BITS
        self._kind = np.dtype(np.int32 if narrow else np.int64)
        self._scale = np.float32(-(2.0 ** (30 - self._bits if narrow else 40)))  # near is low: sorted ascending
        self._codes = codes.astype(self._kind)

    def rank(self, queries: np.ndarray, watched: Sequence[np.ndarray]) -> Iterator[Ranking]:
        """Ranks the gallery for each query, one after another; a ranking holds until the next is taken.

        Args:
            queries: (q, d) unit rows.
            watched: For each query the gallery rows whose place is asked.
        """
        size = min(len(queries), max(1, BLOCK_SCORES // self._vectors.shape[1]))
        space = _Workspace(size, self._vectors.shape[1], len(self._codes), self._kind)
        for start in range(0, len(queries), size):
            block = queries[start : start + size] * self._scale
            scores = np.matmul(block, self._vectors, out=space.scores[: len(block)])
            for row, own in enumerate(scores, start):
                yield self._ranking(own, watched[row], space)

    def _ranking(self, scores: np.ndarray, watched: np.ndarray, space: _Workspace) -> Ranking:
        keys, bits = space.keys, self._bits
        if self._which is None:
            np.copyto(keys, scores, casting="unsafe")
        else:
            np.take(scores.astype(self._kind), self._which, out=keys)
        np.left_shift(keys, bits, out=keys)
        own = keys[watched]  # class 0 of the same cosine
        np.bitwise_or(keys, self._codes, out=keys)
        keys.sort()
        nearer = np.searchsorted(keys, own)
        as_near = np.searchsorted(keys, own | keys.dtype.type((1 << bits) - 1), side="right") - nearer
        np.bitwise_and(keys, keys.dtype.type((1 << bits) - 1), out=space.codes, casting="unsafe")
        unsigned = keys.view(space.apart.dtype)
        np.bitwise_xor(unsigned[1:], unsigned[:-1], out=space.apart)
        runs = Runs.of_equal_neighbours(np.flatnonzero(space.apart < 1 << bits))
        return Ranking(space.codes, runs, nearer, as_near)


class _Workspace:
    """Arrays that are written anew: cosines for each block, the others for each query.

    Args:
        rows: Queries of a block.
        vectors: Of the gallery, without repeats.
        items: Of the gallery.
        kind: Integer type of the keys.
    """

    def __init__(self, rows: int, vectors: int, items: int, kind: np.dtype) -> None:
        self.scores = np.empty((rows, vectors), np.float32)
        self.keys = np.empty(items, kind)
        self.codes = np.empty(items, np.uint8 if kind.itemsize == 4 else np.int32)
        self.apart = np.empty(max(items - 1, 0), f"u{kind.itemsize}")
