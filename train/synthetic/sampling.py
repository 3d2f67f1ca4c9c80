"""Random attributes of a lesion after the patterns of its class (`patterns.yaml`), and their description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml

from .attributes import ARTEFACTS, COLOURS, SITES, Attributes
from .structures import STRUCTURES

Odds = Mapping[str, float]
TABLE = Path(__file__).with_name("patterns.yaml")
ASYMMETRY_WORDS = {
    "symmetric": ("symmetric", "symmetric in shape and colour", "symmetric in both axes"),
    "asymmetric": ("asymmetric", "asymmetric in shape and colour", "asymmetric in both axes"),
}
BORDER_WORDS = {
    "sharp": ("sharp border", "sharply demarcated border", "well-defined border"),
    "indistinct": ("indistinct border", "blurred, indistinct border", "border fading into the skin"),
    "mixed": ("partly sharp, partly indistinct border", "mixed sharp and blurred border"),
}
ARTEFACT_ODDS = {"hairs": 0.45, "ruler marks": 0.15, "gel bubbles": 0.2, "dark corners": 0.2, "ink": 0.07}
SKIN_ODDS = (0.14, 0.24, 0.24, 0.16, 0.12, 0.10)  # Fitzpatrick I to VI; dark skin more often than in public sets


@dataclass(frozen=True)
class Pattern:
    """Structures, colours and borders of one subtype.

    Attributes:
        label: Diagnostic class.
        subtype: Finer diagnosis.
        always: Structures that are always drawn.
        odds: Probability of each further structure.
        symmetric: Probability of a symmetric lesion.
        borders: Odds of each border.
        base: Odds of the colour that fills the lesion.
        patches: Probability of each further colour laid over parts.
        sites: Odds of each site; the sites not named keep 1.
        age: Mean age in years.
    """

    label: str
    subtype: str
    always: Sequence[str]
    odds: Odds
    symmetric: float
    borders: Odds
    base: Odds
    patches: Odds = field(default_factory=dict)
    sites: Odds = field(default_factory=dict)
    age: float = 58.0


def _read_patterns() -> tuple[Pattern, ...]:
    classes = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return tuple(
        Pattern(label, subtype, **fields) for label, subtypes in classes.items() for subtype, fields in subtypes.items()
    )


PATTERNS = _read_patterns()


def _pick(rng: np.random.Generator, odds: Odds) -> str:
    weights = np.array(list(odds.values()), float)
    return list(odds)[int(rng.choice(len(weights), p=weights / weights.sum()))]


def _draw_each(rng: np.random.Generator, odds: Odds) -> list[str]:
    return [name for name, probability in odds.items() if rng.uniform() < probability]


def _colours(base: str, patches: tuple[str, ...], structures: tuple[str, ...]) -> tuple[str, ...]:
    seen = {base, *patches}.union(*(STRUCTURES[name].colours for name in structures))
    return tuple(colour for colour in COLOURS if colour in seen)


def _patient(rng: np.random.Generator, pattern: Pattern) -> tuple[str, int, str, int]:
    """Return site, age, sex and skin type, as independent of the class as is realistic."""
    site = _pick(rng, {name: pattern.sites.get(name, 1.0) for name in SITES})
    age = int(np.clip(5 * round(rng.normal(pattern.age, 14) / 5), 20, 90))
    sex = "female" if rng.uniform() < 0.5 else "male"
    return site, age, sex, int(rng.choice(6, p=SKIN_ODDS)) + 1


def sample_attributes(rng: np.random.Generator, label: str) -> Attributes:
    """Return random attributes of a lesion of class `label`, a name of `dermnote.taxonomy.EIGHT`."""
    patterns = [pattern for pattern in PATTERNS if pattern.label == label]
    pattern = patterns[int(rng.integers(len(patterns)))]
    drawn = {*pattern.always, *_draw_each(rng, pattern.odds)}
    structures = tuple(name for name in STRUCTURES if name in drawn)
    base = _pick(rng, pattern.base)
    patches = tuple(colour for colour in _draw_each(rng, pattern.patches) if colour != base)
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
        artefacts=tuple(name for name in ARTEFACTS if rng.uniform() < ARTEFACT_ODDS[name]),
        reach=round(float(rng.uniform(0.22, 0.38)), 3),
        position=(round(float(rng.uniform(0.43, 0.57)), 3), round(float(rng.uniform(0.43, 0.57)), 3)),
    )


def describe(rng: np.random.Generator, attributes: Attributes) -> str:
    """Return one line, in random order and wording: symmetry and border; colours; structures."""
    shape = [_choose(rng, ASYMMETRY_WORDS[attributes.asymmetry]), _choose(rng, BORDER_WORDS[attributes.border])]
    if rng.uniform() < 0.3:
        shape.reverse()
    colours = join(attributes.colours)
    if rng.uniform() < 0.25:
        colours = f"colours {colours}"
    names = list(attributes.structures)
    rng.shuffle(names)
    structures = ", ".join(_choose(rng, STRUCTURES[name].words) for name in names)
    parts = [", ".join(shape), colours, structures]
    order = (0, 1, 2) if rng.uniform() < 0.7 else (2, 0, 1)
    return "; ".join(parts[at] for at in order)


def join(words: Sequence[str]) -> str:
    """Join words as in "a", "a and b", "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _choose(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]
