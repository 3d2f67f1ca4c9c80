"""Artefacts: hairs, ruler marks, gel bubbles, dark corners, ink."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .canvas import DARK, Canvas
from .marks import Marks, curve
from .noise import fractal_noise, step

Random = np.random.Generator


def hairs(canvas: Canvas, rng: Random) -> None:
    """Draw long bent hairs, dark or fair, mostly one way, thinner at the tip."""
    marks, way, curl = Marks(canvas), rng.uniform(0, 2 * np.pi), rng.normal(0, 0.045)
    for _ in range(int(rng.integers(5, 14))):
        x, y = (canvas.size * rng.uniform(0.08, 0.92, 2)).tolist()
        length, width = rng.uniform(0.25, 0.8) * canvas.size, rng.uniform(1.2, 2.6)
        line = curve(rng, (x, y), way + rng.normal(0, 0.6), length, 0.045, curl + rng.normal(0, 0.025))
        for part, share in ((line[:6], 1.0), (line[5:10], 0.8), (line[9:], 0.5)):
            marks.line(part, width * share)
    fair = rng.uniform() < 0.2
    canvas.cover(marks.plane(0.5) * (0.6 if fair else 0.88), (222, 196, 150) if fair else (44, 30, 26))


def ruler_marks(canvas: Canvas, rng: Random) -> None:
    """Draw a scale with long and short ticks along one edge."""
    marks, gap = Marks(canvas), rng.uniform(9, 14) * canvas.unit
    side, inset = int(rng.integers(4)), rng.uniform(4, 14) * canvas.unit
    for number in range(int(canvas.size / gap) + 1):
        long = (16 if number % 5 == 0 else 9) * canvas.unit
        along, inner, outer = number * gap, inset, inset + long
        if side >= 2:
            inner, outer = canvas.size - inner, canvas.size - outer
        ends = [(along, inner), (along, outer)]
        marks.line(ends if side % 2 else [(y, x) for x, y in ends], 1.5)
    canvas.cover(marks.plane(0.3) * 0.8, (30, 28, 32))


def gel_bubbles(canvas: Canvas, rng: Random) -> None:
    """Draw round bubbles with a bright rim and a gleam."""
    rim, shade, gleam = Marks(canvas), Marks(canvas), Marks(canvas)
    for _ in range(int(rng.integers(4, 10))):
        x, y = (canvas.size * rng.uniform(0.03, 0.97, 2)).tolist()
        radius = rng.uniform(5, 15)
        shade.ring((x, y), radius * 1.06, radius * 0.25)
        rim.ring((x, y), radius * 0.95, radius * 0.16, 0.7)
        gleam.dot((x - radius * 0.4 * canvas.unit, y - radius * 0.4 * canvas.unit), radius * 0.2)
    canvas.absorb(shade.plane(1.0) * 0.22, DARK)
    canvas.cover(np.maximum(rim.plane(0.8) * 0.45, gleam.plane(0.6) * 0.9), (250, 246, 244))


def dark_corners(canvas: Canvas, rng: Random) -> None:
    """Draw the round field of the lens: black outside."""
    middle = canvas.size / 2 + rng.normal(0, 0.015 * canvas.size, 2)
    away = np.hypot(canvas.x - np.float32(middle[0]), canvas.y - np.float32(middle[1])) / np.float32(canvas.size)
    reach = rng.uniform(0.53, 0.6)
    canvas.absorb(step(away, reach - 0.16, reach) * 0.35, DARK)
    canvas.cover(step(away, reach - 0.012, reach + 0.012) * 0.97, (10, 8, 10))


def ink(canvas: Canvas, rng: Random) -> None:
    """Draw a stroke of a violet or blue skin marker near an edge."""
    marks, side = Marks(canvas), rng.uniform(0, 2 * np.pi)
    middle, away = canvas.size / 2, rng.uniform(0.42, 0.5) * canvas.size
    arc = side + np.linspace(-0.6, 0.6, 14) + rng.normal(0, 0.03, 14)
    x, y = middle + away * np.cos(arc), middle + away * np.sin(arc)
    marks.line(list(zip(x.tolist(), y.tolist(), strict=True)), rng.uniform(9, 16))
    worn = np.clip(0.7 + 0.3 * fractal_noise(rng, canvas.size, 30, 2), 0.1, 1)
    colour = (92, 62, 150) if rng.uniform() < 0.6 else (52, 86, 168)
    canvas.cover(marks.plane(1.6) * worn * 0.75, colour)


DRAWN_ARTEFACTS: dict[str, Callable[[Canvas, Random], None]] = {
    "hairs": hairs,
    "gel bubbles": gel_bubbles,
    "ink": ink,
    "ruler marks": ruler_marks,
    "dark corners": dark_corners,
}
