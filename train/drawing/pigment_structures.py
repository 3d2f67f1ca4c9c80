"""Structures of pigment: networks, dots, globules, streaks, veil, regression, blue pigmentation, follicular patterns."""

from __future__ import annotations

import numpy as np

from train.drawing.canvas import Canvas
from train.drawing.marks import Marks, Point, curve
from train.drawing.noise import Plane, fractal_noise, smooth_noise, step
from train.drawing.pigments import BLUE, DARK, GREY, MELANIN, STEEL, VEIL, WHITE

Random = np.random.Generator


def regular_network(canvas: Canvas, rng: Random) -> None:
    """Thin even brown lines around even holes, fading towards the border."""
    cells = canvas.cells(rng, rng.uniform(11, 14), 0.45, 0.25)
    lines = step(cells.edge, 0.24, 0.05)
    zone = step(canvas.frame.radial, 1.02, 0.75) * canvas.frame.mask
    amount = zone * (1 + np.float32(0.15) * smooth_noise(rng, canvas.size, 5))
    canvas.absorb((lines * 1.35 - 0.3) * amount, MELANIN)


def irregular_network(canvas: Canvas, rng: Random) -> None:
    """Lines of uneven width and darkness around uneven holes, ending abruptly, on one part of the lesion."""
    cells = canvas.cells(rng, rng.uniform(14, 18), 1.0, 0.8)
    width = 0.24 + np.float32(0.1) * smooth_noise(rng, canvas.size, 8)
    lines = np.clip((width - cells.edge) / 0.12, 0, 1)
    gaps = step(fractal_noise(rng, canvas.size, 4, 2), -0.7, 0.0)
    side = np.cos(canvas.frame.angle - np.float32(rng.uniform(0, 2 * np.pi)))
    zone = step(side, -0.95, -0.1) * step(canvas.frame.radial, 1.1, 1.0) * np.maximum(canvas.frame.mask, 0.3)
    canvas.absorb((lines * 1.9 - 0.35) * zone * gaps, MELANIN)


def delicate_network(canvas: Canvas, rng: Random) -> None:
    """Fine light brown lines in a ring around the centre."""
    cells = canvas.cells(rng, rng.uniform(10, 13), 0.5, 0.25)
    lines = step(cells.edge, 0.22, 0.05)
    canvas.absorb((lines - 0.12) * canvas.band(0.5, 1.05, 0.16) * 0.95, MELANIN)


def _scatter(canvas: Canvas, rng: Random, gap: float, reach: float) -> list[Point]:
    """Even, slightly shaken places inside the lesion, `gap` reference pixels apart, out to `reach` of the border."""
    frame, pace = canvas.frame, gap * canvas.unit
    side = int(2.6 * frame.radius / pace) + 2
    row, column = np.mgrid[0:side, 0:side].reshape(2, -1)
    shake = rng.uniform(-0.3, 0.3, (2, row.size))
    x = frame.centre[0] + (column + 0.5 * (row % 2) + shake[0] - side / 2) * pace
    y = frame.centre[1] + (row + shake[1] - side / 2) * pace * 0.87
    column_at, row_at = np.clip(x, 0, canvas.size - 1).astype(int), np.clip(y, 0, canvas.size - 1).astype(int)
    inside = frame.radial[row_at, column_at] < reach
    return list(zip(x[inside].tolist(), y[inside].tolist(), strict=True))


def _clumps(canvas: Canvas, rng: Random, count: int, spread: float) -> list[Point]:
    """Uneven places: a few clumps off the centre."""
    places = []
    for _ in range(int(rng.integers(2, 4))):
        x, y = canvas.frame.place(rng.uniform(0.4, 0.85), rng.uniform(0, 2 * np.pi))
        around = rng.normal(0, spread * canvas.frame.radius, (count, 2)) + (x, y)
        places += [(float(a), float(b)) for a, b in around]
    return places


def regular_dots(canvas: Canvas, rng: Random) -> None:
    """Small dark dots of one size, evenly spread around the centre."""
    marks = Marks(canvas)
    for place in _scatter(canvas, rng, 15, 0.55):
        marks.dot(place, rng.uniform(1.8, 2.3))
    canvas.absorb(marks.plane(0.5) * 1.5, MELANIN)


def irregular_dots(canvas: Canvas, rng: Random) -> None:
    """Small dark dots of several sizes in clumps off the centre."""
    marks = Marks(canvas)
    for place in _clumps(canvas, rng, 16, 0.2):
        marks.dot(place, rng.uniform(1.3, 3.0), rng.uniform(0.6, 1))
    canvas.absorb(marks.plane(0.5) * 1.7, DARK)


def regular_globules(canvas: Canvas, rng: Random) -> None:
    """Round brown globules of like size set as cobblestones."""
    gap = rng.uniform(13, 17)
    marks, gloss = Marks(canvas), Marks(canvas)
    for place in _scatter(canvas, rng, gap, 0.86):
        marks.oval(place, gap * 0.4, gap * 0.34, rng.uniform(0, np.pi), rng.uniform(0.75, 1))
        gloss.dot((place[0] - 1.2 * canvas.unit, place[1] - 1.2 * canvas.unit), gap * 0.14)
    canvas.absorb(marks.plane(1.0) * 1.25 - 0.25 * canvas.frame.mask, MELANIN)
    canvas.absorb(gloss.plane(1.2) * -0.3, MELANIN)


def irregular_globules(canvas: Canvas, rng: Random) -> None:
    """Round to oval globules of very different size, in clumps off the centre."""
    marks = Marks(canvas)
    for place in _clumps(canvas, rng, 8, 0.25):
        long = rng.uniform(3, 8.5)
        marks.oval(place, long, long * rng.uniform(0.6, 1), rng.uniform(0, np.pi), rng.uniform(0.6, 1))
    canvas.absorb(marks.plane(0.9) * (0.3 + 0.7 * canvas.frame.mask) * 1.5, (0.75, 0.95, 1.05))


def branched_streaks(canvas: Canvas, rng: Random) -> None:
    """Dark forked lines that leave the border, on one or two sides only."""
    marks, frame = Marks(canvas), canvas.frame
    for side in rng.uniform(0, 2 * np.pi, int(rng.integers(1, 3))):
        for angle in side + np.linspace(-0.75, 0.75, int(rng.integers(10, 15))) + rng.normal(0, 0.03, 1):
            start = frame.place(rng.uniform(0.74, 0.85), angle)
            length = rng.uniform(0.22, 0.42) * frame.radius
            stem = curve(rng, start, angle, length, 0.07)
            for part, width in ((stem[:5], 4.4), (stem[4:9], 3.4), (stem[8:], 2.4)):
                marks.line(part, width)
            for turn in (-0.5, 0.5):
                marks.line(curve(rng, stem[6], angle + turn, length * 0.42, 0.08)[:9], 2.2)
            marks.dot(stem[-1], rng.uniform(1.8, 3.0))
    canvas.absorb(marks.plane(0.7) * 1.5, (0.7, 0.9, 1.0))


def blue_white_veil(canvas: Canvas, rng: Random) -> None:
    """A confluent blue area under a whitish ground-glass film."""
    area = canvas.patch(rng, rng.uniform(0.5, 0.68), rng.uniform(0.15, 0.45), 0.2)
    haze = np.clip(0.8 + np.float32(0.12) * fractal_noise(rng, canvas.size, 10, 2), 0, 1)
    canvas.cover(area * haze, VEIL)
    canvas.cover(area * step(smooth_noise(rng, canvas.size, 8), 0.2, 1.6) * 0.5, (206, 212, 226))


def regression_areas(canvas: Canvas, rng: Random) -> None:
    """White scar-like depigmentation with gray peppering."""
    area = canvas.patch(rng, rng.uniform(0.42, 0.55), rng.uniform(0.4, 0.6), 0.4)
    canvas.cover(area * 0.8, WHITE)
    _pepper(canvas, rng, area, 0.5)


def gray_peppering(canvas: Canvas, rng: Random) -> None:
    """Fine to coarse gray granules all over the lesion."""
    _pepper(canvas, rng, canvas.frame.mask * step(fractal_noise(rng, canvas.size, 5, 2), -1.2, 0.1), 1.0)


def _pepper(canvas: Canvas, rng: Random, area: Plane, strength: float) -> None:
    cells = canvas.cells(rng, 7.0, 0.9)
    grains = step(cells.centre, 0.42, 0.2) * step(cells.value, 0.3, 0.5)
    canvas.cover(area * grains * np.float32(0.85 * strength), (92, 98, 114))


def blue_pigmentation(canvas: Canvas, rng: Random) -> None:
    """Even steel-blue colour without any structure."""
    cloud = np.clip(0.86 + np.float32(0.05) * smooth_noise(rng, canvas.size, 5), 0, 1)
    canvas.cover(canvas.frame.mask * cloud, STEEL)
    canvas.absorb(step(canvas.frame.radial, 0.9, 0.1) * 0.35, BLUE)


def annular_granular(canvas: Canvas, rng: Random) -> None:
    """Gray dots set as rings around hair follicles."""
    cells = canvas.cells(rng, 27.0, 0.6)
    grains = canvas.cells(rng, 5.5, 0.8)
    ring = step(np.abs(cells.centre - 0.3), 0.13, 0.06)
    zone = canvas.frame.mask * step(cells.value, 0.1, 0.25)
    canvas.cover(ring * step(grains.centre, 0.55, 0.3) * zone * 0.9, (72, 78, 92))
    canvas.cover(step(cells.centre, 0.17, 0.08) * zone * 0.6, (222, 196, 168))


def rhomboidal_structures(canvas: Canvas, rng: Random) -> None:
    """Broad gray-brown lines that close around follicles, in one part of the lesion."""
    cells = canvas.cells(rng, 27.0, 0.6, 0.3)
    lines = step(cells.edge, 0.22, 0.1)
    canvas.cover(lines * canvas.patch(rng, 0.85, 0.3, 0.35) * 0.8, GREY)
    canvas.absorb(lines * canvas.frame.mask * 0.25, DARK)
