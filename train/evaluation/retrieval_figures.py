"""Searches across picture and note, for all queries of a split, and their figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..metrics.bootstrap import interval, weighted_mean
from ..metrics.retrieval import Retrieval, mean_average_precision
from .embedded_cases import Embedded
from .setting import Bootstrap

DIRECTIONS = ("image_to_text", "text_to_image")
RECALLS, PRECISIONS = (1, 5, 10), (5, 10)


@dataclass(frozen=True)
class Search:
    """One direction of search for all cases of a split.

    Attributes:
        result: What has the query's class is relevant; NaN for cases that asked nothing.
        subtype: What has its class and its subtype; NaN also for cases without a subtype. None if no case has one.
    """

    result: Retrieval
    subtype: Retrieval | None = None

    def take(self, rows: np.ndarray) -> Search:
        """The cases under a mask."""
        return Search(self.result.take(rows), None if self.subtype is None else self.subtype.take(rows))


Searches = Mapping[str, Mapping[str, Search]]  # by version of the notes and direction


def search(queries: Embedded, gallery: Embedded) -> dict[str, dict[str, Search]]:
    """Every case of `queries` that has a note searches the noted cases of `gallery`, both ways.

    Args:
        queries: n cases, all of which are in the gallery too.
        gallery: m cases.

    Returns:
        By version of the notes and direction; empty if no case has a note.
    """
    if not queries.noted.any():
        return {}
    asking, shown = queries.select(queries.noted), gallery.select(gallery.noted)
    place = {case_id: row for row, case_id in enumerate(shown.table["case_id"])}
    partners = np.array([place[case_id] for case_id in asking.table["case_id"]])
    finer, finer_shown = _subtypes(asking, shown)
    has = finer >= 0
    with_subtype, finer_labels = queries.noted.copy(), np.zeros(len(queries), dtype=np.int64)
    with_subtype[queries.noted] = has
    finer_labels[with_subtype] = finer[has]
    found: dict[str, dict[str, Search]] = {}
    for version, written in asking.notes.items():
        sides = {"image_to_text": (asking.image, shown.notes[version]), "text_to_image": (written, shown.image)}
        found[version] = {}
        for direction, (ask, show) in sides.items():
            result = mean_average_precision(ask, show, asking.labels, shown.labels, partners, PRECISIONS)
            subtype = None
            if has.any():
                by_subtype = mean_average_precision(ask[has], show, finer[has], finer_shown)
                subtype = by_subtype.spread(with_subtype, finer_labels)
            found[version][direction] = Search(result.spread(queries.noted, queries.labels), subtype)
    return found


def _subtypes(asking: Embedded, shown: Embedded) -> tuple[np.ndarray, np.ndarray]:
    """A number for each class and subtype that is asked for, -1 without a subtype; the same of what is shown.

    What is shown without a subtype, or with one that nobody asks for, has a number of its own: a lesion that is called
    no more than a nevus may be of any subtype, and counts as of another.
    """
    names = [_class_and_subtype(each) for each in (asking, shown)]
    known = {name: number for number, name in enumerate(dict.fromkeys(name for name in names[0] if name))}
    finer = np.array([known[name] if name else -1 for name in names[0]], dtype=np.int64)
    return finer, np.array([known.get(name, len(known)) for name in names[1]], dtype=np.int64)


def _class_and_subtype(cases: Embedded) -> list[tuple[int, str] | None]:
    if "subtype" not in cases.table:
        return [None] * len(cases)
    subtypes = cases.table["subtype"]
    told = zip(cases.labels.tolist(), subtypes, subtypes.notna(), strict=True)
    return [(label, str(name)) if known else None for label, name, known in told]


def retrieval(part: Embedded, searches: Searches, groups: np.ndarray, n_gallery: int, bootstrap: Bootstrap) -> Any:
    """The "retrieval" of a block; None if no case has a note.

    Args:
        part: n cases.
        searches: Theirs.
        groups: (n,) patient or lesion.
        n_gallery: Noted cases that were searched.
        bootstrap: Of the intervals.
    """
    if not searches or not part.noted.any():
        return None
    told: dict[str, Any] = {
        version: {way: _figures(each, groups, bootstrap) for way, each in ways.items()}
        for version, ways in searches.items()
    }
    return told | {
        "n_queries": int(part.noted.sum()),
        "n_gallery": n_gallery,
        "without_note": int((~part.noted).sum()),
        "distinct_notes": {version: len(set(texts[part.noted])) for version, texts in part.texts.items()},
    }


def _figures(each: Search, groups: np.ndarray, bootstrap: Bootstrap) -> dict[str, Any]:
    result = each.result
    asked = np.isfinite(result.nearer)  # a case without a note asks nothing, which is not "nothing relevant"
    precise = {str(k): weighted_mean(values)(np.ones(len(values))) for k, values in result.precision.items()}
    return {
        **_mean(result, groups, bootstrap),
        "left_out": int(np.isnan(result.average_precision[asked]).sum()),
        "recall_of_own": {str(k): float(result.recall_of_own(k)[asked].mean()) for k in RECALLS},
        "precision": precise,
        "median_rank_of_own": float(np.median(result.rank_of_own[asked])),
        "by_subtype": _by_subtype(each.subtype, groups, bootstrap),
    }


def _by_subtype(result: Retrieval | None, groups: np.ndarray, bootstrap: Bootstrap) -> dict[str, Any] | None:
    n_queries = 0 if result is None else int(np.isfinite(result.average_precision).sum())
    return {**_mean(result, groups, bootstrap), "n_queries": n_queries} if result is not None and n_queries else None


def _mean(result: Retrieval, groups: np.ndarray, bootstrap: Bootstrap) -> dict[str, Any]:
    mean = weighted_mean(result.average_precision)
    return {
        "map": mean(np.ones(len(groups))),
        "ci": interval(mean, groups, n_boot=bootstrap.n_boot, seed=bootstrap.seed),
        "chance": result.chance,
    }
