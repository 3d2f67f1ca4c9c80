"""Drawn lesions (`drawn=800` or `drawn=800,seed=1`): no patient, no download, and every attribute is known.

Lesion i of a seed is the same for every count, and its class is number i modulo eight.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import numpy as np
from PIL import Image

from dermnote.errors import CasesError
from dermnote.taxonomy import EIGHT

from ...synthetic.attributes import Attributes
from ...synthetic.canvas import REFERENCE_SIZE
from ...synthetic.lesion import draw_lesion
from ...synthetic.sampling import describe, sample_attributes
from .raw_case import RawCase

NAME = "drawn"
SPEC = re.compile(r"(?P<count>\d+)(?:,seed=(?P<seed>\d+))?")
SAMPLING, WORDING = 1000, 1001  # random streams; those of the drawing have smaller numbers


def parse_spec(spec: str) -> tuple[int, int]:
    """Return (count, seed) from "N" or "N,seed=S".

    Raises:
        CasesError: It is spelled otherwise, or N is 0.
    """
    found = SPEC.fullmatch(spec.strip().replace(" ", ""))
    if found is None or int(found["count"]) == 0:
        hint = "Write drawn=N or drawn=N,seed=S, such as drawn=800."
        raise CasesError(f"drawn={spec} is not a number of lesions to draw.", hint)
    return int(found["count"]), int(found["seed"] or 0)


def attributes_of(seed: int, number: int) -> Attributes:
    """Return the attributes of lesion `number` of a seed."""
    label = EIGHT[number % len(EIGHT)].name
    return sample_attributes(np.random.default_rng([seed, number, SAMPLING]), label)


def draw(seed: int, number: int, size: int = REFERENCE_SIZE) -> Image.Image:
    """Draw lesion `number` of a seed, `size` pixels a side."""
    return draw_lesion(attributes_of(seed, number), (seed, number), size)


def read(spec: str) -> Iterator[RawCase]:
    """Yield the lesions of a spec; each image is drawn only when it is used.

    Raises:
        CasesError: The spec is spelled wrongly.
    """
    count, seed = parse_spec(spec)
    for number in range(count):
        attributes = attributes_of(seed, number)
        case_id = f"{NAME}/{seed}-{number:05d}"
        yield RawCase(
            case_id,
            NAME,
            "dermoscopy",
            partial(draw, seed, number),
            case_id,
            label=attributes.label,
            subtype=attributes.subtype,
            description=describe(np.random.default_rng([seed, number, WORDING]), attributes),
            age=float(attributes.age),
            sex=attributes.sex,
            site=attributes.site,
            skin_type=attributes.skin,
            extra=attributes.to_mapping(),
        )
