"""Words for a drawn lesion: what is seen, never what it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .attributes import Attributes
from .structures import STRUCTURES

ASYMMETRY_WORDS = {
    "symmetric": ("symmetric", "symmetric in shape and colour", "symmetric in both axes"),
    "asymmetric": ("asymmetric", "asymmetric in shape and colour", "asymmetric in both axes"),
}
BORDER_WORDS = {
    "sharp": ("sharp border", "sharply demarcated border", "well-defined border"),
    "indistinct": ("indistinct border", "blurred, indistinct border", "border fading into the skin"),
    "mixed": ("partly sharp, partly indistinct border", "mixed sharp and blurred border"),
}


def _choose(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]


def join(words: Sequence[str]) -> str:
    """A list as it is said: "a", "a and b", "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def describe(rng: np.random.Generator, attributes: Attributes) -> str:
    """One line: symmetry and border; colours; structures, in the order and wording chance picks."""
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
