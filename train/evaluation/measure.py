"""The figures of one split, by source, as plain numbers for metrics.json."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..metrics.alignment import modality_gap, paired_cosine, uniformity
from ..metrics.bootstrap import interval, weighted_mean
from .classification_figures import classification, linear_probes, zero_shot
from .embedded_cases import Embedded
from .predictions import predictions
from .retrieval_figures import Searches, retrieval, search
from .selective_figures import selective
from .setting import DRAWN, Bootstrap, Setting
from .subgroup_figures import subgroups


@dataclass(frozen=True)
class Gallery:
    """What cases searched, and found.

    Attributes:
        searches: Of each case.
        size: Noted cases in the gallery.
    """

    searches: Searches
    size: int

    @classmethod
    def searched(cls, queries: Embedded, gallery: Embedded) -> Gallery:
        """Every case of `queries` searches `gallery`, which holds it too."""
        return cls(search(queries, gallery), int(gallery.noted.sum()))

    def take(self, rows: np.ndarray) -> Gallery:
        """The searches of the cases under a mask."""
        taken = {v: {way: each.take(rows) for way, each in ways.items()} for v, ways in self.searches.items()}
        return Gallery(taken, self.size)


def measure_split(
    whole: Embedded, split: str, setting: Setting, *, all_cases: bool = True
) -> tuple[dict[str, Any], pd.DataFrame]:
    """The blocks of a split, "all" first and one a source, and what was answered case by case.

    Photographs and drawn lesions are kept apart: each search their own kind, and "all" is of photographs where there
    are any.

    Args:
        whole: All cases that were embedded.
        split: One that has cases.
        setting: How to measure.
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
        told = {name: block(kind, sources == name, held_out, pool, setting) for name in sorted(set(sources))}
        if "all" not in blocks:
            every = np.ones(len(kind), dtype=bool)
            only = next(iter(told.values()))
            blocks["all"] = only if len(told) == 1 else block(kind, every, held_out, pool, setting)
        blocks |= told
    first = {"all": blocks.pop("all")}
    return first | dict(sorted(blocks.items())), pd.concat(answered, ignore_index=True)


def kinds(whole: Embedded, split: str) -> Iterator[tuple[str, Embedded]]:
    """Photographs and drawn lesions of a split, each with a name for it; only what there is."""
    here, drawn = ((whole.table[column] == value).to_numpy() for column, value in (("split", split), ("source", DRAWN)))
    for name, rows in ((split, here & ~drawn), (f"{split}-{DRAWN}", here & drawn)):
        if rows.any():
            yield name, whole.select(rows)


def block(
    cases: Embedded, rows: np.ndarray, held_out: Gallery, pool: Gallery | None, setting: Setting
) -> dict[str, Any]:
    """All figures of the cases under the mask `rows` (n,).

    Args:
        cases: n cases of one kind.
        rows: Those to measure.
        held_out: What all n cases found among the cases of their split.
        pool: The same among all cases of the folder; None if these were not searched.
        setting: How to measure.
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
        "alignment": {v: _alignment(part, v, bootstrap) for v in part.notes} if part.noted.any() else None,
        "zero_shot": zero_shot(part, groups, setting),
        "selective": selective(part, groups, setting),
        "linear_probe": linear_probes(part, groups, setting),
        "groups": subgroups(part, held_out.take(rows).searches, groups, setting),
    }


def _alignment(part: Embedded, version: str, bootstrap: Bootstrap) -> dict[str, Any]:
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
