"""Drawing of a lesion; the same attributes and seed give the same pixels."""

from __future__ import annotations

import numpy as np
from PIL import Image

from .artefacts import DRAWN_ARTEFACTS
from .attributes import Attributes
from .canvas import BLOOD, DARK, MELANIN, REFERENCE_SIZE, RGB, STEEL, WHITE, Canvas, density_of, draw_outline
from .noise import Plane, fractal_noise, smooth_noise, step
from .structures import STRUCTURES

SKIN, OUTLINE, COLOUR, LIGHT = range(4)  # random streams, one for each part
STRUCTURE, ARTEFACT = 100, 200  # first streams of the structures and of the artefacts
TONES: dict[int, RGB] = {  # Fitzpatrick I to VI, as polarised dermoscopy shows them
    1: (230, 197, 186),
    2: (222, 184, 166),
    3: (212, 166, 142),
    4: (182, 134, 108),
    5: (138, 96, 76),
    6: (96, 66, 54),
}
ABSORBED: dict[str, tuple[float, RGB]] = {
    "light brown": (0.55, MELANIN),
    "dark brown": (1.25, MELANIN),
    "black": (1.75, DARK),
    "red": (0.42, BLOOD),
}
COVERED: dict[str, tuple[float, RGB]] = {"blue-gray": (0.72, STEEL), "white": (0.7, WHITE)}


def draw_lesion(attributes: Attributes, seed: tuple[int, int], size: int = REFERENCE_SIZE) -> Image.Image:
    """Draw a lesion with exactly these attributes, `size` pixels a side, from (seed, number of the lesion).

    Each part has its own random stream, so that leaving one structure out changes nothing else.
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
    draw_light(canvas, stream(LIGHT))
    for number, (name, draw) in enumerate(DRAWN_ARTEFACTS.items()):
        if name in attributes.artefacts:
            draw(canvas, stream(ARTEFACT + number))
    return canvas.to_image()


def draw_skin(canvas: Canvas, rng: np.random.Generator, skin_type: int, age: int) -> None:
    """Fill an empty canvas with skin of a Fitzpatrick type (1 to 6); old skin has coarser lines and more blotches."""
    tone = density_of(TONES[skin_type])
    worn = np.clip((age - 20) / 70, 0, 1)
    canvas.absorb(1.0, tone)
    canvas.gloom = 0.09 * (skin_type - 1)
    canvas.absorb(rng.normal(0.03, 0.07) + 0.05 * smooth_noise(rng, canvas.size, 3), BLOOD)
    canvas.absorb(rng.normal(0, 0.05) + (0.03 + 0.05 * worn) * smooth_noise(rng, canvas.size, 6), MELANIN)
    canvas.absorb(0.03 * smooth_noise(rng, canvas.size, 45), BLOOD)
    field = canvas.cells(rng, rng.uniform(15, 20) + 7 * worn, "wild", 0.3)
    lines = step(field.edge, 0.13, 0.0) * step(smooth_noise(rng, canvas.size, 8), -1.5, 1.0)
    canvas.absorb(lines * np.float32(0.04 + 0.05 * worn + 0.012 * skin_type), MELANIN)
    canvas.absorb(0.02 * (field.value - 0.5), DARK)
    canvas.absorb(0.016 * rng.standard_normal((canvas.size, canvas.size), dtype=np.float32), DARK)


def lay_colour(canvas: Canvas, area: Plane, colour: str, skin_type: int) -> None:
    """Lay one colour over `area` (S, S); on dark skin more pigment is needed for the same colour."""
    if colour in COVERED:
        share, opaque = COVERED[colour]
        canvas.cover(np.clip(area * np.float32(share), 0, 1), opaque)
        return
    amount, density = ABSORBED[colour]
    canvas.absorb(area * np.float32(amount * (1 + 0.08 * (skin_type - 1))), density)


def draw_colours(canvas: Canvas, rng: np.random.Generator, attributes: Attributes) -> None:
    """Fill the lesion with its base colour and lay the patches."""
    frame = canvas.frame
    grain = 1 + np.float32(0.12) * fractal_noise(rng, canvas.size, 8, 4, 0.75)
    cloud = 1 + np.float32(0.08 if frame.symmetric else 0.22) * smooth_noise(rng, canvas.size, 3)
    slope = 1 + np.float32(rng.uniform(-0.2, 0.3)) * (0.6 - np.minimum(frame.radial, 1.2))  # darker or paler inwards
    amount = frame.mask * grain * cloud * slope * np.float32(rng.uniform(0.7, 1.25))
    canvas.absorb(step(frame.radial, 1.6, 0.8) * rng.uniform(0, 0.12), BLOOD)  # a faint reddish surround
    lay_colour(canvas, amount, attributes.base_colour, attributes.skin_type)
    for colour in attributes.patch_colours:
        area = canvas.zone(rng, rng.uniform(0.42, 0.6)) * grain
        lay_colour(canvas, area, colour, attributes.skin_type)


def draw_light(canvas: Canvas, rng: np.random.Generator) -> None:
    """Add uneven light over the whole image, and the colour cast of a camera."""
    turn = rng.uniform(0, 2 * np.pi)
    across = (np.cos(turn) * canvas.x + np.sin(turn) * canvas.y) / np.float32(canvas.size) - 0.5
    canvas.absorb(rng.uniform(0, 0.12) * across.astype(np.float32) + rng.normal(0.01, 0.035), DARK)
    for channel in canvas.density:
        channel += np.float32(rng.normal(0, 0.03))
