"""Rankings of a gallery for each query, and expected average precision with ties.

Only the classes of a ranking are needed, so an item's cosine and class are packed into one integer, the class in the
last bits, and one in-place integer sort ranks the gallery. It runs in blocks on one core; `retrieval` uses several.

Cosines are float32 products, rounded to steps of 2**-27 with eight classes (2**-30 with one; 2**-40 with more than
sixteen), finer than their rounding error. Cosines in one step are tied. Equal vectors are multiplied once, so that they
tie exactly. Ties have no order: expected values over all orders are computed in closed form (McSherry and Najork 2008).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

BLOCK_SCORES = 25_000_000  # cosines held at a time: 100 MB
NARROW_BITS = 4  # class bits up to which a cosine keeps enough of 32 bits


@dataclass(frozen=True)
class Runs:
    """Runs of tied items in a ranking; single items are no runs.

    Attributes:
        starts: (t,) position of the first item of each run, from 0, ascending.
        ends: (t,) position after its last item.
    """

    starts: np.ndarray
    ends: np.ndarray

    @classmethod
    def of_equal_neighbours(cls, positions: np.ndarray) -> Runs:
        """Build runs from the ascending positions of the items that have the same score as their successor."""
        if not len(positions):
            return cls(positions, positions)
        breaks = np.flatnonzero(np.diff(positions) > 1)
        starts = positions[np.concatenate([[0], breaks + 1])]
        ends = positions[np.concatenate([breaks, [len(positions) - 1]])] + 2
        return cls(starts, ends)

    def across(self, k: int) -> tuple[int, int] | None:
        """Return start and end of the run that holds both the k-th item and the next one, if there is one."""
        if not len(self.starts) or self.starts[0] >= k:  # the usual case
            return None
        row = int(np.searchsorted(self.starts, k)) - 1
        if self.ends[row] <= k:
            return None
        return int(self.starts[row]), int(self.ends[row])


@dataclass(frozen=True)
class Ranking:
    """Ranking of the gallery for one query.

    Attributes:
        codes: (m,) classes from the nearest item to the farthest, ties ordered by class; valid until the next query.
        runs: Ties.
        nearer: (w,) number of items nearer than each watched item.
        tied: (w,) number of items as near as it, including itself.
    """

    codes: np.ndarray
    runs: Runs
    nearer: np.ndarray
    tied: np.ndarray


class Gallery:
    """Items to rank.

    Args:
        vectors: (m, d) unit rows.
        codes: (m,) class of each, 0 to `classes` - 1.
        classes: Number of classes.
    """

    def __init__(self, vectors: np.ndarray, codes: np.ndarray, classes: int) -> None:
        rows, self._row_of = distinct_rows(vectors)
        self._vectors = np.ascontiguousarray(rows.T)  # (d, u): the fastest layout for BLAS
        self._bits = (classes - 1).bit_length()
        narrow = self._bits <= NARROW_BITS
        self._dtype = np.dtype(np.int32 if narrow else np.int64)
        self._scale = np.float32(-(2.0 ** (30 - self._bits if narrow else 40)))  # negative: nearest first when sorted
        self._codes = codes.astype(self._dtype)

    def rank(self, queries: np.ndarray, watched: Sequence[np.ndarray]) -> Iterator[Ranking]:
        """Rank the gallery for each query in turn; a ranking is valid until the next one.

        Args:
            queries: (q, d) unit rows.
            watched: For each query the gallery rows whose rank is needed.
        """
        size = min(len(queries), max(1, BLOCK_SCORES // self._vectors.shape[1]))
        buffers = _Buffers(size, self._vectors.shape[1], len(self._codes), self._dtype)
        for start in range(0, len(queries), size):
            block = queries[start : start + size] * self._scale
            scores = np.matmul(block, self._vectors, out=buffers.scores[: len(block)])
            for row, of_query in enumerate(scores, start):
                yield self._ranking(of_query, watched[row], buffers)

    def _ranking(self, scores: np.ndarray, watched: np.ndarray, buffers: _Buffers) -> Ranking:
        keys, bits = buffers.keys, self._bits
        if self._row_of is None:
            np.copyto(keys, scores, casting="unsafe")
        else:
            np.take(scores.astype(self._dtype), self._row_of, out=keys)
        np.left_shift(keys, bits, out=keys)
        own = keys[watched]  # class 0 of the same cosine
        np.bitwise_or(keys, self._codes, out=keys)
        keys.sort()
        nearer = np.searchsorted(keys, own)
        tied = np.searchsorted(keys, own | keys.dtype.type((1 << bits) - 1), side="right") - nearer
        np.bitwise_and(keys, keys.dtype.type((1 << bits) - 1), out=buffers.codes, casting="unsafe")
        unsigned = keys.view(buffers.differences.dtype)
        np.bitwise_xor(unsigned[1:], unsigned[:-1], out=buffers.differences)
        runs = Runs.of_equal_neighbours(np.flatnonzero(buffers.differences < 1 << bits))
        return Ranking(buffers.codes, runs, nearer, tied)


class _Buffers:
    """Reused arrays: cosines of each block of `rows` queries, keys and codes of each query."""

    def __init__(self, rows: int, vectors: int, items: int, dtype: np.dtype) -> None:
        self.scores = np.empty((rows, vectors), np.float32)
        self.keys = np.empty(items, dtype)
        self.codes = np.empty(items, np.uint8 if dtype.itemsize == 4 else np.int32)
        self.differences = np.empty(max(items - 1, 0), f"u{dtype.itemsize}")


def distinct_rows(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the (u, d) distinct rows, and the (n,) row of each vector among them; None if all are distinct.

    Raises:
        ValueError: There is no row, or a value is not finite.
    """
    if len(vectors) == 0 or not np.isfinite(vectors).all():
        raise ValueError("there are no vectors, or they hold values that are not finite")
    rows = np.ascontiguousarray(vectors, dtype=np.float32) + np.float32(0)  # -0.0 to 0.0: rows are compared by bytes
    as_bytes = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()
    _, first, which = np.unique(as_bytes, return_index=True, return_inverse=True)
    return (rows, None) if len(first) == len(rows) else (rows[first], which.ravel())


class Harmonic:
    """1/1 to 1/n, and their cumulative sums."""

    def __init__(self, n: int) -> None:
        self.inverse = 1.0 / np.arange(1, n + 1)  # of the item at position 0 first
        self.sums = np.concatenate([[0.0], np.cumsum(self.inverse)])  # (n + 1,)
        self.counts = np.arange(1.0, n + 1)


def expected_average_precision(positions: np.ndarray, runs: Runs, harmonic: Harmonic) -> float:
    """Return the mean precision at the relevant ranks; NaN if nothing is relevant.

    Args:
        positions: (r,) ascending positions of the relevant items; those of a run must be adjacent.
        runs: Ties.
        harmonic: Up to the length of the ranking.
    """
    if not len(positions):
        return float("nan")
    gains = float(harmonic.counts[: len(positions)] @ harmonic.inverse.take(positions))
    if len(runs.starts):
        before = np.searchsorted(positions, runs.starts)
        relevant = np.searchsorted(positions, runs.ends) - before
        some = relevant > 0
        start, before, relevant = runs.starts[some], before[some], relevant[some]
        first = positions[before]
        ordered = relevant + (before - first) * (harmonic.sums[first + relevant] - harmonic.sums[first])
        gains += float((_tied_precision(start, runs.ends[some] - start, before, relevant, harmonic) - ordered).sum())
    return gains / len(positions)


def _tied_precision(
    before: np.ndarray, size: np.ndarray, before_relevant: np.ndarray, relevant: np.ndarray, harmonic: Harmonic
) -> np.ndarray:
    """Return the expected sum of the precisions at the relevant ranks of a run of `size` ties, `relevant` of them.

    At position j of the run an item is relevant with probability r/g, and then (j-1)(r-1)/(g-1) of the items before it
    in the run are too; so the sum over j of r/g * (R + 1 + (j-1)(r-1)/(g-1)) / (N + j), with harmonic numbers for
    1 / (N + j).
    """
    span = harmonic.sums[before + size] - harmonic.sums[before]
    follow = (relevant - 1) / np.maximum(size - 1, 1)
    return np.asarray(relevant / size * ((before_relevant + 1) * span + follow * (size - (before + 1) * span)))


def expected_hits(positions: np.ndarray, runs: Runs, k: int) -> float:
    """Return the expected number of relevant items among the first k (see `expected_average_precision`)."""
    tied = runs.across(k)
    if tied is None:
        return float(np.searchsorted(positions, k))
    start, end = tied
    before, until = np.searchsorted(positions, (start, end))
    return float(before + (k - start) * (until - before) / (end - start))
