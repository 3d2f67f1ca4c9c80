"""The outline of a lesion, and the frame in which everything inside it is placed."""

from __future__ import annotations

import numpy as np

from .attributes import Attributes
from .canvas import Canvas, Frame
from .noise import Plane, fractal_noise, smooth_noise, step

BORDER_WIDTH = {"sharp": 0.1, "indistinct": 0.42}  # the ramp at the border, in units of its distance


def _outline(rng: np.random.Generator, radius: float, symmetric: bool) -> Plane:
    """Distance from centre to border at 360 angles: an oval, with lobes if it is asymmetric."""
    angle = np.arange(360) * np.pi / 180
    turn, oval = rng.uniform(0, np.pi), rng.uniform(0.78, 1.0)
    shape = 1 / np.hypot(np.cos(angle - turn), np.sin(angle - turn) / oval)
    lobes = np.zeros(360)
    for order, size in ((1, 0.13), (2, 0.1), (3, 0.11), (4, 0.06), (5, 0.05)):
        lobes += size * rng.uniform(0.6, 1.2) * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    shape = shape * (1 + (0.0 if symmetric else 1.0) * lobes)
    outline: Plane = (shape * radius / shape.mean()).astype(np.float32)
    return outline


def draw_outline(canvas: Canvas, rng: np.random.Generator, attributes: Attributes) -> None:
    """Sets the canvas's frame; draws nothing yet."""
    symmetric = attributes.asymmetry == "symmetric"
    centre = (attributes.position[0] * canvas.size, attributes.position[1] * canvas.size)
    outline = _outline(rng, attributes.reach * canvas.size, symmetric)
    dx, dy = canvas.x - np.float32(centre[0]), canvas.y - np.float32(centre[1])
    angle = np.arctan2(dy, dx)
    degrees = np.degrees(angle)
    below = np.floor(degrees).astype(np.int32)
    share = degrees - below
    border = outline[below % 360] * (1 - share) + outline[(below + 1) % 360] * share
    radial = np.hypot(dx, dy) / border
    ragged = 0.028 if symmetric else 0.06
    radial += np.float32(ragged) * fractal_noise(rng, canvas.size, 6, 5, 0.75) * np.minimum(radial * 2, 1)
    width = _border_width(canvas, rng, attributes.border, angle)
    mask = step((1 + 0.5 * width - radial) / width, 0.0, 1.0)
    canvas.frame = Frame(centre, outline, radial, angle, mask, symmetric)


def _border_width(canvas: Canvas, rng: np.random.Generator, border: str, angle: Plane) -> Plane:
    """Width of the ramp at each pixel: the same all round, or sharp on one side and blurred on the other."""
    if border in BORDER_WIDTH:
        return np.full((canvas.size, canvas.size), BORDER_WIDTH[border] * rng.uniform(0.8, 1.2), np.float32)
    side = np.cos(angle - np.float32(rng.uniform(0, 2 * np.pi))) + np.float32(0.1) * smooth_noise(rng, canvas.size, 5)
    blurred = step(side, -0.25, 0.25)
    return np.float32(BORDER_WIDTH["sharp"]) + blurred * np.float32(BORDER_WIDTH["indistinct"])
