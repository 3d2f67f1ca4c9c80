"""Drawing a lesion: the same attributes and seed give the same pixels."""

from __future__ import annotations

import numpy as np
from PIL import Image

from .artefacts import DRAWN_ARTEFACTS
from .attributes import Attributes
from .canvas import REFERENCE_SIZE, Canvas
from .colour import draw_colours
from .outline import draw_outline
from .skin import draw_skin, light
from .structures import STRUCTURES

SKIN, OUTLINE, COLOUR, LIGHT = range(4)
STRUCTURE, ARTEFACT = 100, 200


def draw_lesion(attributes: Attributes, seed: tuple[int, int], size: int = REFERENCE_SIZE) -> Image.Image:
    """Draws exactly what the attributes say.

    Args:
        attributes: What to draw.
        seed: (seed, number of the lesion). Each part has its own stream of chance, so that leaving one structure
            out changes nothing else.
        size: Side of the picture in pixels.
    """

    def stream(part: int) -> np.random.Generator:
        return np.random.default_rng([*seed, part])

    canvas = Canvas(size)
    draw_skin(canvas, stream(SKIN), attributes.skin_type, attributes.age)
    draw_outline(canvas, stream(OUTLINE), attributes)
    draw_colours(canvas, stream(COLOUR), attributes)
    for number, (name, structure) in enumerate(STRUCTURES.items()):
        if name in attributes.structures:
            structure.draw(canvas, stream(STRUCTURE + number))
    light(canvas, stream(LIGHT))
    for number, (name, draw) in enumerate(DRAWN_ARTEFACTS.items()):
        if name in attributes.artefacts:
            draw(canvas, stream(ARTEFACT + number))
    return canvas.to_image()
