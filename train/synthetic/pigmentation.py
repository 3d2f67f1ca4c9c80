"""Structures of pigment in clumps and sheets: dots, globules, streaks, veil, regression, peppering, nests, leaves."""

from __future__ import annotations

import numpy as np

from .canvas import DARK, DEEP, GRANULE, HAZE, LEAF, MELANIN, NEST, STEEL, UMBER, VEIL, WHITE, Canvas
from .marks import Marks, anywhere, curve, evenly, in_clumps
from .noise import Plane, fractal_noise, smooth_noise, step

Random = np.random.Generator


def regular_dots(canvas: Canvas, rng: Random) -> None:
    """Draw small dark dots of one size, evenly spread around the centre."""
    marks = Marks(canvas)
    for place in evenly(canvas, rng, 14, 0.6):
        marks.dot(place, rng.uniform(1.8, 2.4))
    canvas.absorb(marks.plane(0.5) * 1.8, UMBER)


def irregular_dots(canvas: Canvas, rng: Random) -> None:
    """Draw small black dots of several sizes in clumps off the centre."""
    marks = Marks(canvas)
    for place in in_clumps(canvas, rng, 16, 0.2):
        marks.dot(place, rng.uniform(1.3, 3.0), rng.uniform(0.6, 1))
    canvas.absorb(marks.plane(0.5) * 1.7, DARK)


def regular_globules(canvas: Canvas, rng: Random) -> None:
    """Draw round brown globules of like size set as cobblestones."""
    gap = rng.uniform(14, 18)
    marks = Marks(canvas)
    for place in evenly(canvas, rng, gap, 0.9):
        long = gap * rng.uniform(0.31, 0.4)
        marks.oval(place, long, long * rng.uniform(0.8, 1), rng.uniform(0, np.pi), rng.uniform(0.65, 1))
    canvas.absorb(marks.plane(1.5) * 1.45 - 0.35 * canvas.frame.mask * step(canvas.frame.radial, 1, 0.8), MELANIN)


def irregular_globules(canvas: Canvas, rng: Random) -> None:
    """Draw round to oval globules of very different size, in clumps off the centre."""
    marks = Marks(canvas)
    for place in in_clumps(canvas, rng, 9, 0.24):
        long = rng.uniform(3, 9)
        marks.oval(place, long, long * rng.uniform(0.6, 1), rng.uniform(0, np.pi), rng.uniform(0.5, 1))
    canvas.absorb(marks.plane(1.0) * (0.35 + 0.65 * canvas.frame.mask) * 1.4, UMBER)


def branched_streaks(canvas: Canvas, rng: Random) -> None:
    """Draw dark forked lines that leave the border, on one or two sides only."""
    marks, frame = Marks(canvas), canvas.frame
    for side in rng.uniform(0, 2 * np.pi, int(rng.integers(1, 3))):
        for angle in side + np.linspace(-0.8, 0.8, int(rng.integers(13, 18))) + rng.normal(0, 0.04):
            lead = float(angle + rng.normal(0, 0.05))
            start = frame.place(rng.uniform(0.72, 0.86), lead)
            length = rng.uniform(0.2, 0.46) * frame.radius
            stem, dark = curve(rng, start, lead + rng.normal(0, 0.15), length, 0.12), rng.uniform(0.6, 1)
            for part, width in ((stem[:5], 4.2), (stem[4:9], 3.0), (stem[8:], 1.8)):
                marks.line(part, width, dark)
            for turn in rng.uniform(0.3, 0.8, int(rng.integers(1, 3))) * rng.choice((-1, 1)):
                fork = curve(rng, stem[int(rng.integers(4, 9))], lead + turn, length * rng.uniform(0.3, 0.5), 0.1)
                marks.line(fork, 1.9, dark)
            if rng.uniform() < 0.35:
                marks.dot(stem[-1], rng.uniform(1.6, 2.8), dark)
    canvas.absorb(marks.plane(0.8) * 1.35, UMBER)


def blue_white_veil(canvas: Canvas, rng: Random) -> None:
    """Draw a confluent blue area under a whitish ground-glass film."""
    area = canvas.patch(rng, rng.uniform(0.55, 0.72), rng.uniform(0.15, 0.4), 0.3, soft=0.6)
    haze = np.clip(0.85 + np.float32(0.1) * fractal_noise(rng, canvas.size, 10, 3), 0, 1)
    canvas.cover(area * haze, VEIL)
    canvas.cover(area * step(fractal_noise(rng, canvas.size, 7, 2), 0.0, 2.0) * 0.7, HAZE)


def regression_areas(canvas: Canvas, rng: Random) -> None:
    """Draw white scar-like depigmentation with gray peppering."""
    area = canvas.patch(rng, rng.uniform(0.45, 0.58), rng.uniform(0.4, 0.55), 0.4, soft=0.5)
    canvas.cover(area * 0.75, WHITE)
    _pepper(canvas, rng, area, 0.75)


def gray_peppering(canvas: Canvas, rng: Random) -> None:
    """Draw fine to coarse gray granules all over the lesion."""
    uneven = step(fractal_noise(rng, canvas.size, 5, 2), -1.3, 0.2)
    _pepper(canvas, rng, canvas.frame.mask * uneven, 1.0)


def _pepper(canvas: Canvas, rng: Random, area: Plane, strength: float) -> None:
    cells = canvas.cells(rng, 5.6, "wild", 0.6)
    grains = step(cells.centre, 0.55, 0.2) * step(cells.value, 0.4, 0.6)
    canvas.cover(area * grains * np.float32(0.8 * strength), GRANULE)


def blue_pigmentation(canvas: Canvas, rng: Random) -> None:
    """Draw even steel-blue colour without any structure."""
    cloud = np.clip(0.78 + np.float32(0.06) * fractal_noise(rng, canvas.size, 6, 4, 0.75), 0, 1)
    canvas.cover(canvas.frame.mask * cloud, STEEL)
    deep = step(canvas.frame.radial, 1.0, 0.1) * (0.45 + np.float32(0.08) * fractal_noise(rng, canvas.size, 9))
    canvas.absorb(deep * canvas.frame.mask, DEEP)


def leaf_like_areas(canvas: Canvas, rng: Random) -> None:
    """Draw brown to gray-blue bulbs that join at a base, like maple leaves, towards the border."""
    marks, frame, unit = Marks(canvas), canvas.frame, canvas.unit
    for angle in rng.uniform(0, 2 * np.pi) + np.cumsum(rng.uniform(0.9, 1.7, int(rng.integers(3, 5)))):
        x, y = frame.place(rng.uniform(0.5, 0.68), float(angle))
        lobes = np.linspace(-1.2, 1.2, int(rng.integers(3, 6)))
        for lobe in angle + lobes + rng.normal(0, 0.15, lobes.size):
            long, dark = rng.uniform(7, 14), rng.uniform(0.75, 1)
            tip = (x + 1.5 * long * unit * np.cos(lobe), y + 1.5 * long * unit * np.sin(lobe))
            marks.line([(x, y), tip], rng.uniform(4, 6), dark)
            marks.oval(tip, long * 0.75, rng.uniform(4.2, 6.5), lobe, dark)
    uneven = np.clip(0.85 + np.float32(0.12) * smooth_noise(rng, canvas.size, 14), 0, 1)
    canvas.cover(marks.plane(1.6) * uneven * 0.9, LEAF)


def ovoid_nests(canvas: Canvas, rng: Random) -> None:
    """Draw large blue-gray ovals, well defined, with small globules around."""
    marks = Marks(canvas)
    for place in anywhere(canvas, rng, int(rng.integers(4, 12))):
        marks.dot(place, rng.uniform(2, 4), 0.9)
    for place in anywhere(canvas, rng, int(rng.integers(4, 8)), 0.7):
        long = rng.uniform(11, 21)
        marks.oval(place, long, long * rng.uniform(0.55, 0.85), rng.uniform(0, np.pi), rng.uniform(0.8, 1))
    cloud = np.clip(0.88 + np.float32(0.12) * fractal_noise(rng, canvas.size, 14, 2), 0, 1)
    canvas.cover(marks.plane(1.7) * cloud, NEST)


def spoke_wheels(canvas: Canvas, rng: Random) -> None:
    """Draw short spokes around a dark hub."""
    marks, unit = Marks(canvas), canvas.unit
    for _ in range(int(rng.integers(3, 6))):
        x, y = canvas.frame.place(rng.uniform(0.35, 0.8), rng.uniform(0, 2 * np.pi))
        for spoke in np.linspace(0, 2 * np.pi, int(rng.integers(9, 13)), endpoint=False) + rng.normal(0, 0.1):
            reach = rng.uniform(9, 16) * unit
            end = (x + reach * float(np.cos(spoke)), y + reach * float(np.sin(spoke)))
            marks.line([(x, y), end], 2.0, 0.75)
            marks.dot(end, rng.uniform(1.4, 2.2), 0.75)
        marks.dot((x, y), rng.uniform(3.6, 5))
    canvas.cover(marks.plane(0.8) * 0.9, LEAF)
