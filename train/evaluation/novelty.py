"""Distance of cases to the training cases, and linear probes fitted on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from dermnote.models.novelty import FAR, KnownImages, distances
from dermnote.report.schema import DRAWN

from ..metrics.probe import SHARES, linear_probe, share_of_groups
from .embedded_cases import Embedded, ProbeTraining

DRAWS = 512  # training images that represent all: a few kilobytes in a bundle, and as informative as all were


@dataclass(frozen=True)
class Novelty:
    """Distances of all cases to the training cases.

    Attributes:
        whole: All cases, with `distance`.
        far: Distance above which an image counts as far (95th percentile of the validation cases), of photographs
            (False) and of drawn lesions (True).
        known: Training images for the bundle; None without training or validation cases.
    """

    whole: Embedded
    far: Mapping[bool, float] = field(default_factory=dict)
    known: KnownImages | None = None


def novelty_of_run(whole: Embedded, seed: int) -> Novelty:
    """Measure the distance of every other case to the training cases; without any, nothing is added.

    Args:
        whole: All cases of the folder, training and validation cases included.
        seed: Of the sample of training images.
    """
    split = whole.table["split"].to_numpy()
    training, others = split == "train", split != "train"
    if not training.any() or not others.any():
        return Novelty(whole)
    rows = np.flatnonzero(training)
    sample = np.random.default_rng(seed).choice(rows, min(DRAWS, len(rows)), replace=False)
    vectors = whole.image[np.sort(sample)]
    distance = np.full(len(whole), np.nan)
    distance[others] = distances(whole.image[others], vectors)
    is_drawn, percentiles = (whole.table["source"] == DRAWN).to_numpy(), {}
    for drawn in (False, True):
        of_validation = distance[(split == "validation") & (is_drawn == drawn)]
        if len(of_validation):
            percentiles[drawn] = np.percentile(of_validation, np.arange(101)).astype(np.float32)
    known = KnownImages(vectors, percentiles[min(percentiles)]) if percentiles else None  # of photographs, if any
    far = {drawn: float(each[FAR]) for drawn, each in percentiles.items()}
    return Novelty(replace(whole, distance=distance), far, known)


def novelty_of_bundle(whole: Embedded, known: KnownImages | None) -> Novelty:
    """Measure the distance of every case to the training images of a published model; one threshold for all cases."""
    if known is None:
        return Novelty(whole)
    distance = distances(whole.image, known.vectors).astype(np.float64)  # one type in predictions.parquet
    return Novelty(replace(whole, distance=distance), dict.fromkeys((False, True), float(known.percentiles[FAR])))


def fit_probes(whole: Embedded, classnames: tuple[str, ...], seed: int) -> tuple[Embedded, dict[str, ProbeTraining]]:
    """Return all cases with `probes`, and the training cases of each; without training cases nothing is added.

    Args:
        whole: All cases of the folder.
        classnames: By class id.
        seed: Of the groups that a probe is fitted on.
    """
    training = (whole.table["split"] == "train").to_numpy()
    if not training.any() or training.all():
        return whole, {}
    cases, groups = whole.select(training), whole.table["group"].astype(str).to_numpy()
    probes, fitted_on = {}, {}
    for name, share in SHARES.items():
        part = cases.select(share_of_groups(groups[training], share, seed))
        probes[name] = np.full((len(whole), len(classnames)), np.nan)
        fitted = linear_probe(part.image, part.labels, whole.image[~training], len(classnames))
        if fitted is not None:
            probes[name][~training] = fitted
        present = set(part.labels.tolist())
        absent = tuple(each for number, each in enumerate(classnames) if number not in present)
        fitted_on[name] = ProbeTraining(len(part), part.table["group"].nunique(), absent)
    return replace(whole, probes=probes), fitted_on
