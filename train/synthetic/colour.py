"""The colours that fill a lesion and lie over parts of it."""

from __future__ import annotations

import numpy as np

from .attributes import Attributes
from .canvas import RGB, Canvas
from .noise import Plane, fractal_noise, smooth_noise, step
from .pigments import BLOOD, DARK, MELANIN, STEEL, WHITE

ABSORBED: dict[str, tuple[float, RGB]] = {
    "light brown": (0.55, MELANIN),
    "dark brown": (1.25, MELANIN),
    "black": (1.75, DARK),
    "red": (0.42, BLOOD),
}
COVERED: dict[str, tuple[float, RGB]] = {"blue-gray": (0.72, STEEL), "white": (0.7, WHITE)}


def lay_colour(canvas: Canvas, area: Plane, colour: str, skin_type: int) -> None:
    """Lays one colour over `area` (S, S); on dark skin more pigment is needed for the same colour."""
    if colour in COVERED:
        share, opaque = COVERED[colour]
        canvas.cover(np.clip(area * np.float32(share), 0, 1), opaque)
        return
    amount, density = ABSORBED[colour]
    canvas.absorb(area * np.float32(amount * (1 + 0.08 * (skin_type - 1))), density)


def draw_colours(canvas: Canvas, rng: np.random.Generator, attributes: Attributes) -> None:
    """Fills the lesion with its base colour and lays the patches."""
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
