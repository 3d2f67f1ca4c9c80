"""Figures of one split by source, for metrics.json, and its answers case by case, for predictions.parquet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dermnote.report.schema import DRAWN

from ..metrics.calibration import softmax
from .classification import classification, linear_probes, selective, zero_shot
from .embedded_cases import Embedded, Setting
from .retrieval import Searches, alignment, retrieval, search
from .subgroups import subgroups


@dataclass(frozen=True)
class Gallery:
    """Searches of cases among a gallery.

    Attributes:
        searches: Of each case.
        size: Noted cases in the gallery.
    """

    searches: Searches
    size: int

    @classmethod
    def searched(cls, queries: Embedded, gallery: Embedded) -> Gallery:
        """Search `gallery`, which contains the queries, with every case of `queries`."""
        return cls(search(queries, gallery), int(gallery.noted.sum()))

    def take(self, rows: np.ndarray) -> Gallery:
        """Return the searches of the cases under a mask."""
        taken = {v: {way: each.take(rows) for way, each in ways.items()} for v, ways in self.searches.items()}
        return Gallery(taken, self.size)


def measure_split(
    whole: Embedded, split: str, setting: Setting, *, all_cases: bool = True
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the blocks of a split, "all" first, then by source, and its predictions.

    Photographs and drawn lesions are kept apart: each search their own kind, and "all" is of photographs where there
    are any.

    Args:
        whole: All cases that were embedded.
        split: One that has cases.
        setting: Of the measurements.
        all_cases: Whether to search all cases too, not only the split's.
    """
    blocks: dict[str, Any] = {}
    answered = []
    for _, kind in kinds(whole, split):
        held_out = Gallery.searched(kind, kind)
        pool = None
        if all_cases:
            drawn = kind.table["source"].iloc[0] == DRAWN
            pool = Gallery.searched(kind, whole.select((whole.table["source"] == DRAWN).to_numpy() == drawn))
        answered.append(predictions(kind, held_out.searches, setting))
        sources = kind.table["source"].astype(str).to_numpy()
        found = {name: block(kind, sources == name, held_out, pool, setting) for name in sorted(set(sources))}
        if "all" not in blocks:
            every = np.ones(len(kind), dtype=bool)
            only = next(iter(found.values()))
            blocks["all"] = only if len(found) == 1 else block(kind, every, held_out, pool, setting)
        blocks |= found
    first = {"all": blocks.pop("all")}
    return first | dict(sorted(blocks.items())), pd.concat(answered, ignore_index=True)


def kinds(whole: Embedded, split: str) -> Iterator[tuple[str, Embedded]]:
    """Yield photographs and drawn lesions of a split, each with a name; only those that have cases."""
    here, drawn = ((whole.table[column] == value).to_numpy() for column, value in (("split", split), ("source", DRAWN)))
    for name, rows in ((split, here & ~drawn), (f"{split}-{DRAWN}", here & drawn)):
        if rows.any():
            yield name, whole.select(rows)


def block(
    cases: Embedded, rows: np.ndarray, held_out: Gallery, pool: Gallery | None, setting: Setting
) -> dict[str, Any]:
    """Return all figures of the cases under the mask `rows` (n,).

    Args:
        cases: n cases of one kind.
        rows: Those to measure.
        held_out: Searches of all n cases among the cases of their split.
        pool: The same among all cases of the folder; None if these were not searched.
        setting: Of the measurements.
    """
    part = cases.select(rows)
    groups, bootstrap = part.table["group"].astype(str).to_numpy(), setting.bootstrap
    found = {
        name: retrieval(part, each.take(rows).searches, groups, each.size, bootstrap) if each else None
        for name, each in (("retrieval", held_out), ("retrieval_all", pool))
    }
    return {
        "n_cases": len(part),
        "n_groups": len(set(groups)),
        "sources": sorted(set(part.table["source"].astype(str))),
        "classification": classification(part, groups, setting),
        **found,
        "alignment": {v: alignment(part, v, bootstrap) for v in part.notes} if part.noted.any() else None,
        "zero_shot": zero_shot(part, groups, setting),
        "selective": selective(part, groups, setting),
        "linear_probe": linear_probes(part, groups, setting),
        "groups": subgroups(part, held_out.take(rows).searches, groups, setting),
    }


def predictions(part: Embedded, searches: Searches, setting: Setting) -> pd.DataFrame:
    """Return one row per case.

    Columns: case_id, split, source, group; label_id and predicted (class ids); logits and probabilities (lists; the
    second after division by the temperature); distance to the nearest training cases; and for each version of the notes
    paired_cosine_VERSION and average_precision_VERSION_DIRECTION (held-out gallery). NaN where a value is not measured.
    """
    p = softmax(part.logits, setting.temperature)
    kept = [name for name in ("case_id", "split", "source", "group") if name in part.table]
    columns: dict[str, object] = {
        "label_id": part.labels,
        "predicted": p.argmax(axis=1),
        "logits": list(part.logits.astype(np.float32)),
        "probabilities": list(p.astype(np.float32)),
        "distance": np.full(len(part), np.nan) if part.distance is None else part.distance,
    }
    for version, vectors in part.notes.items():
        cosines = (part.image.astype(np.float64) * vectors).sum(axis=1)
        columns[f"paired_cosine_{version}"] = np.where(part.noted, cosines, np.nan)
    for version, ways in searches.items():
        for direction, each in ways.items():
            columns[f"average_precision_{version}_{direction}"] = each.result.average_precision
    return part.table[kept].reset_index(drop=True).assign(**columns)
