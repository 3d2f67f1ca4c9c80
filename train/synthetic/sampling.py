"""Sampling what is to be drawn, by class."""

from __future__ import annotations

import numpy as np

from .attributes import ARTEFACTS, COLOURS, SITES, Attributes
from .pattern import Odds, Pattern
from .patterns import patterns_of
from .structures import STRUCTURES

ARTEFACT_CHANCE = {"hairs": 0.45, "ruler marks": 0.15, "gel bubbles": 0.2, "dark corners": 0.2, "ink": 0.07}
SKIN_ODDS = (0.14, 0.24, 0.24, 0.16, 0.12, 0.10)  # Fitzpatrick I to VI; dark skin more often than in public sets


def _pick(rng: np.random.Generator, odds: Odds) -> str:
    weights = np.array(list(odds.values()), float)
    return list(odds)[int(rng.choice(len(weights), p=weights / weights.sum()))]


def _happen(rng: np.random.Generator, chances: Odds) -> list[str]:
    return [name for name, chance in chances.items() if rng.uniform() < chance]


def _colours(base: str, patches: tuple[str, ...], structures: tuple[str, ...]) -> tuple[str, ...]:
    seen = {base, *patches}.union(*(STRUCTURES[name].colours for name in structures))
    return tuple(colour for colour in COLOURS if colour in seen)


def _patient(rng: np.random.Generator, pattern: Pattern) -> tuple[str, int, str, int]:
    """Site, age, sex and skin type: as free of the class as the clinic allows."""
    site = _pick(rng, {name: pattern.sites.get(name, 1.0) for name in SITES})
    age = int(np.clip(5 * round(rng.normal(pattern.age, 14) / 5), 20, 90))
    sex = "female" if rng.uniform() < 0.5 else "male"
    return site, age, sex, int(rng.choice(6, p=SKIN_ODDS)) + 1


def sample_attributes(rng: np.random.Generator, label: str) -> Attributes:
    """A lesion of class `label` (a name of `dermnote.taxonomy.EIGHT`), in words and numbers."""
    patterns = patterns_of(label)
    pattern = patterns[int(rng.integers(len(patterns)))]
    wanted = {*pattern.always, *_happen(rng, pattern.odds)}
    structures = tuple(name for name in STRUCTURES if name in wanted)
    base = _pick(rng, pattern.base)
    patches = tuple(colour for colour in _happen(rng, pattern.patches) if colour != base)
    asymmetry = "symmetric" if rng.uniform() < pattern.symmetric else "asymmetric"
    site, age, sex, skin_type = _patient(rng, pattern)
    return Attributes(
        label=label,
        subtype=pattern.subtype,
        asymmetry=asymmetry,
        border=_pick(rng, pattern.borders),
        colours=_colours(base, patches, structures),
        base_colour=base,
        patch_colours=patches,
        structures=structures,
        skin_type=skin_type,
        site=site,
        age=age,
        sex=sex,
        artefacts=tuple(name for name in ARTEFACTS if rng.uniform() < ARTEFACT_CHANCE[name]),
        reach=round(float(rng.uniform(0.22, 0.38)), 3),
        position=(round(float(rng.uniform(0.43, 0.57)), 3), round(float(rng.uniform(0.43, 0.57)), 3)),
    )
