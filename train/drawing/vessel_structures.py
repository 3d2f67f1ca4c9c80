"""Structures of blood: lacunae and vessels of every shape, and the leaf-like, ovoid and spoke-wheel nests beside them."""

from __future__ import annotations

import numpy as np

from train.drawing.canvas import Canvas
from train.drawing.marks import Marks, Point, curve
from train.drawing.noise import smooth_noise, step
from train.drawing.pigments import BLOOD

Random = np.random.Generator
VESSEL = (0.28, 1.25, 1.0)


def red_lacunae(canvas: Canvas, rng: Random) -> None:
    """Round red to maroon lagoons with pale walls between them."""
    cells = canvas.cells(rng, rng.uniform(28, 38), 0.75, 0.2)
    lagoon = step(cells.edge, 0.03, 0.17) * step(canvas.frame.radial, 1.0, 0.93)
    canvas.absorb(lagoon * (0.75 + 0.5 * cells.value), (0.35, 1.35, 1.1))
    walls = step(cells.edge, 0.09, 0.02) * canvas.frame.mask
    canvas.cover(walls * 0.5, (232, 176, 172))


def dark_lacunae(canvas: Canvas, rng: Random) -> None:
    """Blue-black, clotted lagoons in part of the lesion."""
    cells = canvas.cells(rng, rng.uniform(26, 34), 0.75, 0.2)
    area = step(canvas.patch(rng, 0.75, 0.25, 0.2), 0.3, 0.6)
    lagoon = step(cells.edge, 0.05, 0.18) * step(cells.value, 0.2, 0.25) * area
    canvas.cover(lagoon * 0.88, (44, 24, 46))


def _tree(marks: Marks, rng: Random, start: Point, heading: float, length: float, width: float) -> None:
    """A stem that sends off ever finer branches."""
    stem = curve(rng, start, heading, length, 0.16)
    marks.line(stem[:7], width)
    marks.line(stem[6:], width * 0.8)
    if width < 1.2:
        return
    for at in rng.choice(np.arange(4, 12), int(rng.integers(2, 4)), replace=False):
        turn = heading + rng.choice((-1, 1)) * rng.uniform(0.45, 1.0)
        _tree(marks, rng, stem[int(at)], turn, length * rng.uniform(0.45, 0.65), width * 0.6)


def arborising_vessels(canvas: Canvas, rng: Random) -> None:
    """Sharp bright red stems that branch like trees, from the border inwards."""
    marks, frame = Marks(canvas), canvas.frame
    for angle in rng.uniform(0, 2 * np.pi) + np.arange(4) * 1.57 + rng.normal(0, 0.35, 4):
        start = frame.place(rng.uniform(0.85, 1.05), float(angle))
        inward = angle + np.pi + rng.normal(0, 0.5)
        _tree(marks, rng, start, inward, frame.radius * rng.uniform(0.8, 1.15), rng.uniform(3.4, 4.8))
    canvas.absorb(marks.plane(0.35) * 1.1, VESSEL)


def fine_vessels(canvas: Canvas, rng: Random) -> None:
    """Short fine red vessels that hardly branch."""
    marks = Marks(canvas)
    for _ in range(int(rng.integers(14, 24))):
        place = canvas.frame.place(0.9 * rng.uniform() ** 0.5, rng.uniform(0, 2 * np.pi))
        line = curve(rng, place, rng.uniform(0, 2 * np.pi), rng.uniform(20, 36) * canvas.unit, 0.28)
        marks.line(line, 1.6)
        marks.line(curve(rng, line[6], rng.uniform(0, 2 * np.pi), 9 * canvas.unit, 0.2), 1.2)
    canvas.absorb(marks.plane(0.3) * 0.95, VESSEL)


def wavy_vessels(canvas: Canvas, rng: Random) -> None:
    """Fine wavy vessels, seen between follicles."""
    _wild(canvas, rng, 12, 1.6, 0.5)


def irregular_vessels(canvas: Canvas, rng: Random) -> None:
    """Serpentine vessels of uneven width."""
    _wild(canvas, rng, 18, 3.0, 0.42)


def _wild(canvas: Canvas, rng: Random, count: int, width: float, bend: float) -> None:
    marks = Marks(canvas)
    for _ in range(count):
        place = canvas.frame.place(0.85 * rng.uniform() ** 0.5, rng.uniform(0, 2 * np.pi))
        line = curve(rng, place, rng.uniform(0, 2 * np.pi), rng.uniform(26, 46) * canvas.unit, bend)
        for part in (line[:5], line[4:9], line[8:]):
            marks.line(part, width * rng.uniform(0.5, 1.2))
    canvas.absorb(marks.plane(0.4), VESSEL)


def glomerular_vessels(canvas: Canvas, rng: Random) -> None:
    """Clusters of tightly coiled red vessels."""
    marks, frame = Marks(canvas), canvas.frame
    turn = np.linspace(0, 4.2 * np.pi, 26)
    for _ in range(int(rng.integers(3, 5))):
        x, y = frame.place(rng.uniform(0.15, 0.7), rng.uniform(0, 2 * np.pi))
        for dx, dy in rng.normal(0, 0.2 * frame.radius, (16, 2)):
            out = np.linspace(0.6, rng.uniform(4.0, 5.6), 26) * canvas.unit
            lead = turn + rng.uniform(0, 6.3)
            coil = zip((x + dx + out * np.cos(lead)).tolist(), (y + dy + out * np.sin(lead)).tolist(), strict=True)
            marks.line(list(coil), 1.7)
    canvas.absorb(marks.plane(0.4) * 1.05, VESSEL)


def _hairpin(marks: Marks, halo: Marks, place: Point, heading: float, length: float, unit: float) -> None:
    """A loop: out, round and back."""
    around = np.linspace(-np.pi / 2, np.pi / 2, 7)
    along = np.concatenate([[-length], np.cos(around) * 3, [-length]]) * unit
    across = np.concatenate([[-2.4], np.sin(around) * 3, [2.4]]) * unit
    x = place[0] + along * np.cos(heading) - across * np.sin(heading)
    y = place[1] + along * np.sin(heading) + across * np.cos(heading)
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    marks.line(points, 1.9)
    halo.line([points[0], points[4]], 12)


def radial_hairpins(canvas: Canvas, rng: Random) -> None:
    """Hairpin loops with a pale halo, set as spokes around the centre."""
    marks, halo = Marks(canvas), Marks(canvas)
    for angle in np.linspace(0, 2 * np.pi, int(rng.integers(18, 26)), endpoint=False):
        lead = float(angle + rng.normal(0, 0.08))
        _hairpin(marks, halo, canvas.frame.place(rng.uniform(0.72, 0.92), lead), lead, rng.uniform(9, 17), canvas.unit)
    canvas.cover(halo.plane(1.5) * 0.4, (240, 212, 204))
    canvas.absorb(marks.plane(0.35) * 1.2, VESSEL)


def hairpins(canvas: Canvas, rng: Random) -> None:
    """A few hairpin loops with a pale halo."""
    marks, halo = Marks(canvas), Marks(canvas)
    for _ in range(int(rng.integers(7, 12))):
        place = canvas.frame.place(0.8 * rng.uniform() ** 0.5, rng.uniform(0, 2 * np.pi))
        _hairpin(marks, halo, place, rng.uniform(0, 2 * np.pi), rng.uniform(8, 14), canvas.unit)
    canvas.cover(halo.plane(1.5) * 0.4, (240, 212, 204))
    canvas.absorb(marks.plane(0.35) * 1.2, VESSEL)


def dotted_vessels(canvas: Canvas, rng: Random) -> None:
    """Small red dots."""
    marks = Marks(canvas)
    for _ in range(int(rng.integers(30, 55))):
        marks.dot(canvas.frame.place(0.85 * rng.uniform() ** 0.5, rng.uniform(0, 2 * np.pi)), rng.uniform(1.4, 2.3))
    canvas.absorb(marks.plane(0.5) * 1.1, VESSEL)


def leaf_like_areas(canvas: Canvas, rng: Random) -> None:
    """Brown to gray-blue bulbs that join at a base, like maple leaves, towards the border."""
    marks, frame, unit = Marks(canvas), canvas.frame, canvas.unit
    start = rng.uniform(0, 2 * np.pi)
    for number in range(int(rng.integers(3, 5))):
        angle = start + number * rng.uniform(0.9, 1.5)
        x, y = frame.place(rng.uniform(0.55, 0.7), angle)
        for lobe in angle + np.linspace(-1.1, 1.1, int(rng.integers(4, 6))) + rng.normal(0, 0.1):
            long = rng.uniform(9, 15)
            place = (x + long * unit * np.cos(lobe), y + long * unit * np.sin(lobe))
            marks.oval(place, long, rng.uniform(3.8, 5.8), lobe, rng.uniform(0.85, 1))
    canvas.cover(marks.plane(0.9) * 0.85, (82, 66, 66))


def ovoid_nests(canvas: Canvas, rng: Random) -> None:
    """Large blue-gray ovals, well defined."""
    marks, small = Marks(canvas), Marks(canvas)
    for _ in range(int(rng.integers(4, 8))):
        place = canvas.frame.place(0.7 * rng.uniform() ** 0.5, rng.uniform(0, 2 * np.pi))
        long = rng.uniform(11, 21)
        marks.oval(place, long, long * rng.uniform(0.55, 0.85), rng.uniform(0, np.pi), rng.uniform(0.8, 1))
    for _ in range(int(rng.integers(4, 12))):
        small.dot(canvas.frame.place(0.85 * rng.uniform() ** 0.5, rng.uniform(0, 2 * np.pi)), rng.uniform(2, 4))
    cloud = 0.85 + np.float32(0.1) * smooth_noise(rng, canvas.size, 16)
    canvas.cover(np.clip(np.maximum(marks.plane(1.4), small.plane(0.8)) * cloud, 0, 1), (70, 80, 108))


def spoke_wheels(canvas: Canvas, rng: Random) -> None:
    """Short spokes around a dark hub."""
    marks, unit = Marks(canvas), canvas.unit
    for _ in range(int(rng.integers(3, 6))):
        x, y = canvas.frame.place(rng.uniform(0.35, 0.8), rng.uniform(0, 2 * np.pi))
        reach = rng.uniform(11, 16) * unit
        for spoke in np.linspace(0, 2 * np.pi, int(rng.integers(9, 13)), endpoint=False):
            end = (x + reach * np.cos(spoke), y + reach * np.sin(spoke))
            marks.line([(x, y), end], 2.2, 0.75)
            marks.dot(end, 1.9, 0.75)
        marks.dot((x, y), 4.4)
    canvas.cover(marks.plane(0.6) * 0.85, (88, 62, 54))
