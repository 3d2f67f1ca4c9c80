"""Searches across image and note, for all queries of a split, and their figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..metrics.alignment import modality_gap, paired_cosine, uniformity
from ..metrics.bootstrap import interval, weighted_mean
from ..metrics.retrieval import Retrieval, mean_average_precision
from .embedded_cases import Bootstrap, Embedded

RECALLS, PRECISIONS = (1, 5, 10), (5, 10)


@dataclass(frozen=True)
class Search:
    """One direction of search for all cases of a split.

    Attributes:
        result: Relevant is what has the query's class; NaN for cases without a query.
        subtype: Relevant is what has its class and its subtype; NaN also for cases without a subtype. None if no case
            has one.
    """

    result: Retrieval
    subtype: Retrieval | None = None

    def take(self, rows: np.ndarray) -> Search:
        """Return the cases under a mask."""
        return Search(self.result.take(rows), None if self.subtype is None else self.subtype.take(rows))


Searches = Mapping[str, Mapping[str, Search]]  # by version of the notes and direction


def search(queries: Embedded, gallery: Embedded) -> dict[str, dict[str, Search]]:
    """Search the noted cases of `gallery` with every noted case of `queries`, in both directions.

    Args:
        queries: n cases, all of which are in the gallery too.
        gallery: m cases.

    Returns:
        By version of the notes and direction; empty if no case has a note.
    """
    if not queries.noted.any():
        return {}
    noted, shown = queries.select(queries.noted), gallery.select(gallery.noted)
    place = {case_id: row for row, case_id in enumerate(shown.table["case_id"])}
    partners = np.array([place[case_id] for case_id in noted.table["case_id"]])
    finer, finer_shown = _subtypes(noted, shown)
    has = finer >= 0
    with_subtype, finer_labels = queries.noted.copy(), np.zeros(len(queries), dtype=np.int64)
    with_subtype[queries.noted] = has
    finer_labels[with_subtype] = finer[has]
    found: dict[str, dict[str, Search]] = {}
    for version, written in noted.notes.items():
        sides = {"image_to_text": (noted.image, shown.notes[version]), "text_to_image": (written, shown.image)}
        found[version] = {}
        for direction, (vectors, gallery_vectors) in sides.items():
            result = mean_average_precision(vectors, gallery_vectors, noted.labels, shown.labels, partners, PRECISIONS)
            subtype = None
            if has.any():
                by_subtype = mean_average_precision(vectors[has], gallery_vectors, finer[has], finer_shown)
                subtype = by_subtype.spread(with_subtype, finer_labels)
            found[version][direction] = Search(result.spread(queries.noted, queries.labels), subtype)
    return found


def _subtypes(noted: Embedded, shown: Embedded) -> tuple[np.ndarray, np.ndarray]:
    """Return a number for each class and subtype of the queries, -1 without a subtype; the same of the gallery.

    A gallery case without a subtype, or with one that no query has, gets a number of its own: a lesion recorded only
    as a nevus may be of any subtype, and counts as of another.
    """
    names = [_class_and_subtype(each) for each in (noted, shown)]
    known = {name: number for number, name in enumerate(dict.fromkeys(name for name in names[0] if name))}
    finer = np.array([known[name] if name else -1 for name in names[0]], dtype=np.int64)
    return finer, np.array([known.get(name, len(known)) if name else len(known) for name in names[1]], dtype=np.int64)


def _class_and_subtype(cases: Embedded) -> list[tuple[int, str] | None]:
    if "subtype" not in cases.table:
        return [None] * len(cases)
    subtypes = cases.table["subtype"]
    pairs = zip(cases.labels.tolist(), subtypes, subtypes.notna(), strict=True)
    return [(label, str(name)) if known else None for label, name, known in pairs]


def retrieval(
    part: Embedded, searches: Searches, groups: np.ndarray, n_gallery: int, bootstrap: Bootstrap
) -> dict[str, Any] | None:
    """Return the "retrieval" of a block; None if no case has a note.

    Args:
        part: n cases.
        searches: Of these cases.
        groups: (n,) patient or lesion.
        n_gallery: Noted cases that were searched.
        bootstrap: Of the intervals.
    """
    if not searches or not part.noted.any():
        return None
    figures: dict[str, Any] = {
        version: {way: _figures(each, groups, bootstrap) for way, each in ways.items()}
        for version, ways in searches.items()
    }
    return figures | {
        "n_queries": int(part.noted.sum()),
        "n_gallery": n_gallery,
        "without_note": int((~part.noted).sum()),
        "distinct_notes": {version: len(set(texts[part.noted])) for version, texts in part.texts.items()},
    }


def _figures(each: Search, groups: np.ndarray, bootstrap: Bootstrap) -> dict[str, Any]:
    result, subtype = each.result, each.subtype
    queries = np.isfinite(result.nearer)  # a case without a note is no query, which differs from "nothing relevant"
    n_subtype = 0 if subtype is None else int(np.isfinite(subtype.average_precision).sum())
    by_subtype = _mean(subtype, groups, bootstrap) | {"n_queries": n_subtype} if subtype and n_subtype else None
    return {
        **_mean(result, groups, bootstrap),
        "left_out": int(np.isnan(result.average_precision[queries]).sum()),
        "recall_of_own": {str(k): float(result.recall_of_own(k)[queries].mean()) for k in RECALLS},
        "precision": {str(k): weighted_mean(of_k)(np.ones(len(of_k))) for k, of_k in result.precision.items()},
        "median_rank_of_own": float(np.median(result.rank_of_own[queries])),
        "by_subtype": by_subtype,
    }


def _mean(result: Retrieval, groups: np.ndarray, bootstrap: Bootstrap) -> dict[str, Any]:
    mean = weighted_mean(result.average_precision)
    return {
        "map": mean(np.ones(len(groups))),
        "ci": interval(mean, groups, n_boot=bootstrap.n_boot, seed=bootstrap.seed),
        "chance": result.chance,
    }


def alignment(part: Embedded, version: str, bootstrap: Bootstrap) -> dict[str, Any]:
    """Return the "alignment" of a block for one version of the notes; some case has a note."""
    groups = part.table["group"].astype(str).to_numpy()[part.noted]
    image, text = part.image[part.noted], part.notes[version][part.noted]
    pairs = paired_cosine(image, text)
    return {
        "paired_cosine": float(pairs.paired.mean()),
        "ci": interval(weighted_mean(pairs.paired), groups, n_boot=bootstrap.n_boot, seed=bootstrap.seed),
        "random_pairs": pairs.random_pairs,
        "modality_gap": modality_gap(image, text),
        "uniformity": {"image": uniformity(image), "text": uniformity(text)},
    }
