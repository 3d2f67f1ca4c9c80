"""What the training cases tell of all others: how far a picture lies from anything known, and linear probes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from train.evaluating.embedded import Embedded
from train.evaluating.setting import DRAWN, Share
from train.metrics.probe import SHARES, linear_probe, share_of_groups
from train.metrics.selective import nearest_distance

NEAREST, FAR = 5, 0.95  # cases, and the quantile of the validation cases' distances


def beside_training_cases(
    whole: Embedded, classnames: tuple[str, ...], seed: int
) -> tuple[Embedded, dict[bool, float], dict[str, Share]]:
    """Measures every case that is not a training case against those that are.

    Args:
        whole: All cases of the folder, training and validation cases too.
        classnames: By class id.
        seed: Of the draw of the groups that a probe is fitted on.

    Returns:
        The cases with `distance` and `probes`; the distance above which a picture counts as far from all known ones
        (95th percentile of the validation cases, of photographs and of drawn lesions; see `Setting.far`); by share,
        what the probes were fitted on. Without training cases: the cases as they are, and nothing.
    """
    split = whole.table["split"].to_numpy()
    training, others = split == "train", split != "train"
    if not training.any() or not others.any():
        return whole, {}, {}
    distance = np.full(len(whole), np.nan)
    distance[others] = nearest_distance(whole.image[others], whole.image[training], NEAREST)
    is_drawn, far = (whole.table["source"] == DRAWN).to_numpy(), {}
    for drawn in (False, True):
        of_validation = distance[(split == "validation") & (is_drawn == drawn)]
        if len(of_validation):
            far[drawn] = float(np.quantile(of_validation, FAR))
    known, groups = whole.select(training), whole.table["group"].astype(str).to_numpy()
    probes, shares = {}, {}
    for name, share in SHARES.items():
        part = known.select(share_of_groups(groups[training], share, seed))
        probes[name] = np.full((len(whole), len(classnames)), np.nan)
        fitted = linear_probe(part.image, part.labels, whole.image[others], len(classnames))
        if fitted is not None:
            probes[name][others] = fitted
        present = set(part.labels.tolist())
        absent = tuple(each for number, each in enumerate(classnames) if number not in present)
        shares[name] = Share(len(part), part.table["group"].nunique(), absent)
    return replace(whole, distance=distance, probes=probes), far, shares
