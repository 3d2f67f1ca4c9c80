"""How well a search across picture and note finds cases of the query's class, and the query's own partner.

Definition (as in the authors' related code for arXiv 2511.21827): every gallery item is ranked by cosine similarity, an
item is relevant if it has the query's class, average precision is the mean of the precisions at the relevant ranks over
the whole gallery, and mAP its mean over queries.

Ties: identical notes are the rule (one template sentence a class), so equal scores get no order of their own. Average
precision and recall are the exact expected values over all orders of the tied items (McSherry and Najork 2008), found
in closed form. A gallery of one repeated vector therefore scores exactly the chance level, in whatever order it stands.
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
        average_precision: (n,) one a query; NaN where the gallery holds nothing of its class.
        chance: (n,) what a random order would score on average, NaN at the same places.
    """

    average_precision: np.ndarray
    chance: np.ndarray

    @property
    def left_out(self) -> int:
        """Queries without any relevant item, which the means leave out."""
        return int(np.isnan(self.average_precision).sum())


def mean_average_precision(
    queries: np.ndarray, gallery: np.ndarray, query_labels: np.ndarray, gallery_labels: np.ndarray
) -> Retrieval:
    """Average precision of every query, and its chance level.

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
    # Queries that are the same in vector and class get the same answer: ask once.
    asked, first, again = np.unique(
        np.column_stack([queries.astype(np.float64), query_labels]), axis=0, return_index=True, return_inverse=True
    )
    precisions = np.empty(len(asked))
    for rows, scores in _score_blocks(queries[first], stacks.vectors):
        precisions[rows] = _expected_precision(scores, stacks.sizes, per_class, query_labels[first[rows]])
    return Retrieval(precisions[again.ravel()], chance_precision(query_labels, gallery_labels))


def chance_precision(query_labels: np.ndarray, gallery_labels: np.ndarray) -> np.ndarray:
    """(n,) expected average precision of each query in a random order: near the share of its class in the gallery."""
    classes = int(max(query_labels.max(), gallery_labels.max())) + 1
    relevant = np.bincount(gallery_labels, minlength=classes).astype(np.float64)
    total = np.full(classes, float(len(gallery_labels)))
    harmonic = _harmonic_numbers(len(gallery_labels))
    tied = _tied_precision(np.zeros(classes), np.zeros(classes), total, relevant, harmonic)
    by_class = np.divide(tied, relevant, out=np.full(classes, np.nan), where=relevant > 0)
    return by_class[query_labels]


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


def _expected_precision(scores: np.ndarray, sizes: np.ndarray, per_class: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(b,) expected average precision from (b, u) scores of stacks of `sizes` (u,) holding `per_class` (u, c) items."""
    order = np.argsort(-scores, axis=1)
    ranked = np.take_along_axis(scores, order, axis=1)
    relevant = per_class[order, labels[:, None]]  # (b, u)
    seen, seen_relevant = sizes[order].cumsum(axis=1), relevant.cumsum(axis=1)
    last = np.ones(scores.shape, dtype=bool)  # where a run of equal scores ends
    last[:, :-1] = ranked[:, 1:] != ranked[:, :-1]
    row = np.nonzero(last)[0]
    until, until_relevant = seen[last].astype(np.float64), seen_relevant[last]
    opens = np.ones(len(row), dtype=bool)
    opens[1:] = row[1:] != row[:-1]
    before = np.where(opens, 0, np.concatenate([[0], until[:-1]]))
    before_relevant = np.where(opens, 0, np.concatenate([[0], until_relevant[:-1]]))
    harmonic = _harmonic_numbers(int(sizes.sum()))
    gains = _tied_precision(before, before_relevant, until - before, until_relevant - before_relevant, harmonic)
    total = seen_relevant[:, -1]
    summed = np.bincount(row, weights=gains, minlength=len(scores))
    return np.divide(summed, total, out=np.full(len(scores), np.nan), where=total > 0)


def _tied_precision(
    before: np.ndarray, before_relevant: np.ndarray, size: np.ndarray, relevant: np.ndarray, harmonic: np.ndarray
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
