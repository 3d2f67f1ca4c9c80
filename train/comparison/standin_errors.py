"""What the stand-in writer claims of a drawn lesion: the truth, with a given share of it replaced by errors."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dermnote.taxonomy import EIGHT

from ..synthetic.attributes import ASYMMETRIES, BORDERS, COLOURS
from ..synthetic.structures import STRUCTURES

ERRORS, DIAGNOSIS, WORDING = range(3)  # streams of chance
# The closed list of the vocabulary (dermnote/vocabularies/dermoscopy.yaml) and what of a drawing falls under it.
CLOSED = {
    "structureless areas": (
        "structureless areas",
        "white structureless areas",
        "homogeneous blue pigmentation",
        "central white scar",
        "regression areas",
        "blue-white veil",
    ),
    "pigment network": (
        "regular pigment network",
        "irregular pigment network",
        "delicate peripheral network",
        "rhomboidal structures",
    ),
    "branched streaks": ("branched streaks",),
    "dots": ("regular dots", "irregular dots", "annular-granular pattern", "diffuse gray peppering"),
    "globules": ("regular globules", "irregular globules", "blue-gray ovoid nests", "red lacunae", "dark lacunae"),
}


@dataclass(frozen=True)
class Claims:
    """What a note will state.

    Attributes:
        asymmetry: Of `train.synthetic.attributes.ASYMMETRIES`.
        border: Of `BORDERS`.
        colours: Of `COLOURS`.
        structures: Of `STRUCTURES`, or of the closed list.
        label: Diagnostic class.
        wrong: How many of the attributes are not what the lesion shows.
        stated: How many attributes there are.
    """

    asymmetry: str
    border: str
    colours: tuple[str, ...]
    structures: tuple[str, ...]
    label: str
    wrong: int
    stated: int


def stream(seed: int, case_id: str, kind: int) -> np.random.Generator:
    """The chance that one kind of decision on one case has; the rate of errors does not move it."""
    return np.random.default_rng([seed, zlib.crc32(case_id.encode()), kind])


def closed_structures(structures: Sequence[str]) -> tuple[str, ...]:
    """What of the closed list a drawing shows, in the order of the list."""
    return tuple(name for name, drawn in CLOSED.items() if set(drawn) & set(structures))


def claims_of(
    case_id: str, truth: Mapping[str, Any], label: str, rate: float, seed: int, *, closed: bool, blind: bool
) -> Claims:
    """What a note of this case claims.

    Each attribute (asymmetry, border, every colour, every structure) is replaced by a wrong one with chance `rate`,
    independent of the others. What is wrong at one rate is wrong at every higher rate too.

    Args:
        case_id: Of the case.
        truth: What was drawn (`train.synthetic.attributes.Attributes.to_mapping`).
        label: The true diagnosis.
        rate: Share of wrong attributes, 0 to 1; of wrong diagnoses too where the writer is blind.
        seed: Of the errors.
        closed: Whether structures are named by the closed list.
        blind: Whether the diagnosis is read from the picture; else it is told by the record and always right.
    """
    chance = stream(seed, case_id, ERRORS)
    shown = tuple(truth["structures"])
    structures = closed_structures(shown) if closed else shown
    known = tuple(CLOSED) if closed else tuple(STRUCTURES)
    asymmetry = _replaced((truth["asymmetry"],), ASYMMETRIES, rate, chance)
    border = _replaced((truth["border"],), BORDERS, rate, chance)
    colours = _replaced(tuple(truth["colours"]), COLOURS, rate, chance)
    stated = _replaced(structures, known, rate, chance)
    wrong = sum(
        len(set(said) - set(true))
        for said, true in (
            (asymmetry, (truth["asymmetry"],)),
            (border, (truth["border"],)),
            (colours, truth["colours"]),
            (stated, structures),
        )
    )
    if blind:
        (label,) = _replaced((label,), tuple(each.name for each in EIGHT), rate, stream(seed, case_id, DIAGNOSIS))
    count = 2 + len(colours) + len(stated)
    return Claims(asymmetry[0], border[0], colours, stated, label, wrong, count)


def _replaced(true: tuple[str, ...], known: Sequence[str], rate: float, chance: np.random.Generator) -> tuple[str, ...]:
    """Each true value, or with chance `rate` one that is not true; none is said twice.

    Where nothing wrong is left to say, the true value stays.
    """
    said: list[str] = []
    for value in true:
        strikes, which = chance.uniform() < rate, chance.uniform()
        others = [each for each in known if each not in true and each not in said]
        said.append(others[int(which * len(others))] if strikes and others else value)
    return tuple(said)
