"""How well a search across picture and note finds cases of the query's class, and the query's own partner.

Definition (as in the authors' related code for arXiv 2511.21827): every gallery item is ranked by cosine similarity, an
item is relevant if it has the query's class, average precision is the mean of the precisions at the relevant ranks over
the whole gallery, and mAP its mean over queries.

Ties: identical notes are the rule (one template sentence a class), so equal scores get no order of their own. Average
precision and recall are the exact expected values over all orders of the tied items (McSherry and Najork 2008), found
in closed form.

Chance: what the same rankings score when the classes of the queries are dealt out anew. A query that says nothing
scores exactly that. (A random order would be too low a bar: if every query is the same text and it happens to lie near
the most frequent class, that one fixed order beats a random one without telling anything.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

BLOCK_SCORES = 2_000_000  # scores held at a time: some 150 MB with all that is derived from them


@dataclass(frozen=True)
class Retrieval:
    """One direction of search.

    Attributes:
        by_class: (n, classes) average precision of each query if its class were that one; NaN where the gallery holds
            nothing of the class, and in the rows of cases that ask nothing.
        labels: (n,) class ids of the queries.
    """

    by_class: np.ndarray
    labels: np.ndarray

    @property
    def average_precision(self) -> np.ndarray:
        """(n,) one a query; NaN where the gallery holds nothing of its class."""
        own: np.ndarray = self.by_class[np.arange(len(self.labels)), self.labels]
        return own

    @property
    def chance(self) -> float:
        """The mean average precision to expect when the classes of the answered queries are shuffled; NaN for none."""
        answered = np.isfinite(self.average_precision)
        if not answered.any():
            return float("nan")
        shares = np.bincount(self.labels[answered], minlength=self.by_class.shape[1]) / answered.sum()
        return float(np.mean(self.by_class[np.ix_(answered, shares > 0)] @ shares[shares > 0]))

    def take(self, rows: np.ndarray) -> Retrieval:
        """The queries of these rows; the gallery stays whole."""
        return Retrieval(self.by_class[rows], self.labels[rows])


def mean_average_precision(
    queries: np.ndarray, gallery: np.ndarray, query_labels: np.ndarray, gallery_labels: np.ndarray
) -> Retrieval:
    """Average precision of every query, for its own class and for every other.

    Args:
        queries: (n, d) unit rows.
        gallery: (m, d) unit rows.
        query_labels: (n,) class ids.
        gallery_labels: (m,) class ids; same class is relevant.
    """
    classes = int(max(query_labels.max(), gallery_labels.max())) + 1
    stacks = _Stacks(gallery)
    per_class = np.zeros((len(stacks.vectors), classes))
    np.add.at(per_class, (stacks.of_item, gallery_labels), 1)
    # Queries of the same vector get the same answer: ask once.
    asked, again = np.unique(queries, axis=0, return_inverse=True)
    by_class = np.empty((len(asked), classes))
    for rows, scores in _score_blocks(asked, stacks.vectors):
        by_class[rows] = _expected_precisions(scores, stacks.sizes, per_class)
    return Retrieval(by_class[again.ravel()], query_labels)


def recall_at(
    queries: np.ndarray, gallery: np.ndarray, partners: np.ndarray, ks: Sequence[int] = (1, 5, 10)
) -> dict[int, np.ndarray]:
    """For each k, (n,) the chance that a query's own partner is among the first k.

    Args:
        queries: (n, d) unit rows.
        gallery: (m, d) unit rows.
        partners: (n,) the gallery row that belongs to each query.
        ks: How many items are looked at.
    """
    stacks = _Stacks(gallery)
    better, tied = np.empty(len(queries)), np.empty(len(queries))
    for rows, scores in _score_blocks(queries, stacks.vectors):
        own = np.take_along_axis(scores, stacks.of_item[partners[rows]][:, None], axis=1)
        better[rows] = (scores > own) @ stacks.sizes
        tied[rows] = (scores == own) @ stacks.sizes
    return {k: np.clip((k - better) / tied, 0, 1) for k in ks}


class _Stacks:
    """The gallery with identical vectors put on one stack.

    Matrix products may differ in the last bit from column to column, so what is identical is scored only once.
    """

    def __init__(self, gallery: np.ndarray) -> None:
        if len(gallery) == 0 or not np.isfinite(gallery).all():
            raise ValueError("the gallery is empty or holds values that are not finite")
        self.vectors, self.of_item, self.sizes = np.unique(gallery, axis=0, return_inverse=True, return_counts=True)
        self.of_item = self.of_item.ravel()


def _score_blocks(queries: np.ndarray, vectors: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    if not np.isfinite(queries).all():
        raise ValueError("the queries hold values that are not finite")
    step = max(1, BLOCK_SCORES // len(vectors))
    for start in range(0, len(queries), step):
        yield slice(start, start + step), queries[start : start + step] @ vectors.T


def _expected_precisions(scores: np.ndarray, sizes: np.ndarray, per_class: np.ndarray) -> np.ndarray:
    """(b, c) expected average precision from (b, u) scores of stacks of `sizes` (u,), `per_class` (u, c)."""
    order = np.argsort(-scores, axis=1)
    ranked = np.take_along_axis(scores, order, axis=1)
    last = np.ones(scores.shape, dtype=bool)  # where a run of equal scores ends
    last[:, :-1] = ranked[:, 1:] != ranked[:, :-1]
    row = np.nonzero(last)[0]
    opens = np.ones(len(row), dtype=bool)
    opens[1:] = row[1:] != row[:-1]

    def before_and_in_run(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        until = counts.cumsum(axis=1)[last].astype(np.float64)
        before = np.where(opens, 0, np.concatenate([[0], until[:-1]]))
        return before, until - before

    before, size = before_and_in_run(sizes[order])
    harmonic = _harmonic_numbers(int(sizes.sum()))
    found = np.full((len(scores), per_class.shape[1]), np.nan)
    for class_id in np.flatnonzero(per_class.any(axis=0)):
        gains = _tied_precision(before, size, *before_and_in_run(per_class[order, class_id]), harmonic)
        found[:, class_id] = np.bincount(row, weights=gains, minlength=len(scores)) / per_class[:, class_id].sum()
    return found


def _tied_precision(
    before: np.ndarray, size: np.ndarray, before_relevant: np.ndarray, relevant: np.ndarray, harmonic: np.ndarray
) -> np.ndarray:
    """Expected sum of the precisions at the relevant ranks of a run of `size` tied items, `relevant` of them relevant.

    At place j of the run an item is relevant with chance r/g, and then (j-1)(r-1)/(g-1) of the items before it in the
    run are too; so the sum over j of r/g * (R + 1 + (j-1)(r-1)/(g-1)) / (N + j), with harmonic numbers for 1 / (N + j).
    """
    span = harmonic[(before + size).astype(np.int64)] - harmonic[before.astype(np.int64)]
    follow = (relevant - 1) / np.maximum(size - 1, 1)
    return relevant / size * ((before_relevant + 1) * span + follow * (size - (before + 1) * span))


def _harmonic_numbers(highest: int) -> np.ndarray:
    """(highest + 1,) with 1 + 1/2 + ... + 1/k at place k."""
    return np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, highest + 1))])
