"""Lesions of our own drawing: no patient, no download, and every attribute in the picture is known.

Spelled like a folder: `drawn=800` or `drawn=800,seed=1`. Lesion i of a seed is the same for every N, and its class is
number i modulo eight, so that classes are spread evenly. Age, sex and site are sampled with the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from dermnote.errors import CasesError
from dermnote.taxonomy import EIGHT

from ...synthetic.attributes import Attributes
from ...synthetic.canvas import REFERENCE_SIZE
from ...synthetic.describe import describe
from ...synthetic.lesion import draw_lesion
from ...synthetic.sampling import sample_attributes
from .catalogue import source
from .raw import RawCase

SOURCE = source("drawn")
SPEC = re.compile(r"(?P<count>\d+)(?:,seed=(?P<seed>\d+))?")
SAMPLING, WORDING = 1000, 1001  # streams of chance; those of the drawing have smaller numbers


def parse_spec(spec: str) -> tuple[int, int]:
    """(how many, seed) from "N" or "N,seed=S".

    Raises:
        CasesError: It is spelled otherwise, or N is 0.
    """
    found = SPEC.fullmatch(spec.strip().replace(" ", ""))
    if found is None or int(found["count"]) == 0:
        raise CasesError(
            f"drawn={spec} is not a number of lesions to draw.", "Write drawn=N or drawn=N,seed=S, such as drawn=800."
        )
    return int(found["count"]), int(found["seed"] or 0)


def attributes_of(seed: int, number: int) -> Attributes:
    """What lesion `number` of a seed shows."""
    label = EIGHT[number % len(EIGHT)].name
    return sample_attributes(np.random.default_rng([seed, number, SAMPLING]), label)


def draw(seed: int, number: int, size: int = REFERENCE_SIZE) -> Image.Image:
    """Draws lesion `number` of a seed, `size` pixels a side."""
    return draw_lesion(attributes_of(seed, number), (seed, number), size)


def read(where: str | Path) -> Iterator[RawCase]:
    """Yields the lesions of a spec; each picture is drawn only when it is asked for.

    Raises:
        CasesError: The spec is spelled wrongly.
    """
    count, seed = parse_spec(str(where))
    for number in range(count):
        yield _case(seed, number)


def _case(seed: int, number: int) -> RawCase:
    attributes = attributes_of(seed, number)
    case_id = f"{SOURCE.name}/{seed}-{number:05d}"
    return RawCase(
        case_id=case_id,
        source=SOURCE.name,
        modality="dermoscopy",
        picture=partial(draw, seed, number),
        group=case_id,
        label=attributes.label,
        subtype=attributes.subtype,
        description=describe(np.random.default_rng([seed, number, WORDING]), attributes),
        age=float(attributes.age),
        sex=attributes.sex,
        site=attributes.site,
        skin_type=attributes.skin,
        extra=attributes.to_mapping(),
    )
