"""What the training cases tell of all others: how far a picture lies from anything known, and linear probes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from dermnote.models.novelty import FAR, KnownPictures, distances

from ..metrics.probe import SHARES, linear_probe, share_of_groups
from .embedded_cases import Embedded
from .setting import DRAWN, Share

DRAWS = 512  # training pictures that stand for all: in a bundle they are few kilobytes, and told as much as all did


@dataclass(frozen=True)
class Known:
    """How cases lie among known ones.

    Attributes:
        whole: All cases, with `distance`.
        far: The distance above which a picture counts as far from all known ones (95th percentile of the validation
            cases, of photographs and of drawn lesions; see `Setting.far`).
        pictures: For the bundle; None without training or validation cases.
    """

    whole: Embedded
    far: Mapping[bool, float] = field(default_factory=dict)
    pictures: KnownPictures | None = None


def beside_training_cases(whole: Embedded, seed: int) -> Known:
    """How far every case that is not a training case lies from those that are; without any, nothing is added.

    Args:
        whole: All cases of the folder, training and validation cases too.
        seed: Of the draw of the pictures that stand for all.
    """
    split = whole.table["split"].to_numpy()
    training, others = split == "train", split != "train"
    if not training.any() or not others.any():
        return Known(whole)
    rows = np.flatnonzero(training)
    drawn_rows = np.random.default_rng(seed).choice(rows, min(DRAWS, len(rows)), replace=False)
    vectors = whole.image[np.sort(drawn_rows)]
    distance = np.full(len(whole), np.nan)
    distance[others] = distances(whole.image[others], vectors)
    is_drawn, percentiles = (whole.table["source"] == DRAWN).to_numpy(), {}
    for drawn in (False, True):
        of_validation = distance[(split == "validation") & (is_drawn == drawn)]
        if len(of_validation):
            percentiles[drawn] = np.percentile(of_validation, np.arange(101)).astype(np.float32)
    pictures = KnownPictures(vectors, percentiles.get(False, percentiles.get(True))) if percentiles else None
    far = {drawn: float(each[FAR]) for drawn, each in percentiles.items()}
    return Known(replace(whole, distance=distance), far, pictures)


def beside_published_pictures(whole: Embedded, pictures: KnownPictures) -> Known:
    """How far every case lies from the pictures that a published model brings along; its threshold is for all alike."""
    distance = distances(whole.image, pictures.vectors).astype(np.float64)  # one type in predictions.parquet
    return Known(replace(whole, distance=distance), dict.fromkeys((False, True), float(pictures.percentiles[FAR])))


def probe(whole: Embedded, classnames: tuple[str, ...], seed: int) -> tuple[Embedded, dict[str, Share]]:
    """All cases with `probes`, and what these were fitted on; without training cases nothing is added.

    Args:
        whole: All cases of the folder.
        classnames: By class id.
        seed: Of the groups that a probe is fitted on.
    """
    training = (whole.table["split"] == "train").to_numpy()
    if not training.any() or training.all():
        return whole, {}
    known, groups = whole.select(training), whole.table["group"].astype(str).to_numpy()
    probes, shares = {}, {}
    for name, share in SHARES.items():
        part = known.select(share_of_groups(groups[training], share, seed))
        probes[name] = np.full((len(whole), len(classnames)), np.nan)
        fitted = linear_probe(part.image, part.labels, whole.image[~training], len(classnames))
        if fitted is not None:
            probes[name][~training] = fitted
        present = set(part.labels.tolist())
        absent = tuple(each for number, each in enumerate(classnames) if number not in present)
        shares[name] = Share(len(part), part.table["group"].nunique(), absent)
    return replace(whole, probes=probes), shares
