"""Structures of blood: lacunae, and vessels of every shape."""

from __future__ import annotations

import numpy as np

from .canvas import BLOOD, CLOT, VESSEL, Canvas
from .marks import Marks, Point, anywhere, curve, evenly
from .noise import Plane, fractal_noise, step

Random = np.random.Generator
PALE = (238, 196, 190)


def _lagoons(canvas: Canvas, rng: Random, gap: float, reach: float) -> Plane:
    """Return round lagoons side by side, (S, S); each has its own depth, and none runs into the next."""
    marks = Marks(canvas)
    for place in evenly(canvas, rng, gap, reach):
        long, turn = gap * rng.uniform(0.38, 0.56), rng.uniform(0, np.pi)
        short = long * rng.uniform(0.7, 1)
        marks.oval(place, long + 2.8, short + 2.8, turn, 0)  # the wall, cut out of the neighbours
        marks.oval(place, long, short, turn, rng.uniform(0.6, 1))
    return marks.plane(1.0)


def red_lacunae(canvas: Canvas, rng: Random) -> None:
    """Draw round red to maroon lagoons with pale walls between them."""
    depth = _lagoons(canvas, rng, rng.uniform(20, 30), 1.0) * step(canvas.frame.radial, 1.06, 0.96)
    canvas.absorb(canvas.frame.mask * 0.35, BLOOD)
    canvas.cover((1 - np.minimum(depth * 2, 1)) * canvas.frame.mask * 0.28, PALE)
    canvas.absorb(depth * 1.05 + 0.12 * fractal_noise(rng, canvas.size, 12) * depth, (0.3, 1.3, 1.05))
    canvas.absorb(step(depth, 0.8, 1.0) * 0.45, CLOT)


def dark_lacunae(canvas: Canvas, rng: Random) -> None:
    """Draw blue-black, clotted lagoons in part of the lesion."""
    depth = _lagoons(canvas, rng, rng.uniform(20, 30), 1.0)
    area = step(canvas.patch(rng, 0.85, 0.25, 0.2), 0.2, 0.7)
    canvas.cover(np.minimum(depth * 1.5, 0.93) * area, (44, 26, 50))


def _tree(marks: Marks, rng: Random, start: Point, heading: float, length: float, width: float) -> None:
    """Draw a stem that thins out, with ever finer branches."""
    stem = curve(rng, start, heading, length, 0.2)
    for part, share in ((stem[:4], 1.0), (stem[3:7], 0.88), (stem[6:10], 0.74), (stem[9:], 0.6)):
        marks.line(part, max(width * share, 0.9), 1.0 if width > 1.4 else 0.8)
    if width < 1.0:
        return
    for at in rng.choice(np.arange(3, 12), int(rng.integers(2, 5)), replace=False):
        turn = heading + rng.choice((-1, 1)) * rng.uniform(0.4, 1.1)
        _tree(marks, rng, stem[int(at)], turn, length * rng.uniform(0.4, 0.65), width * 0.55)


def arborising_vessels(canvas: Canvas, rng: Random) -> None:
    """Draw sharp bright red stems that branch like trees, from the border inwards."""
    marks, frame = Marks(canvas), canvas.frame
    for angle in rng.uniform(0, 2 * np.pi) + np.arange(4) * 1.57 + rng.normal(0, 0.35, 4):
        start = frame.place(rng.uniform(0.85, 1.08), float(angle))
        inward = angle + np.pi + rng.normal(0, 0.45)
        _tree(marks, rng, start, inward, frame.radius * rng.uniform(0.8, 1.2), rng.uniform(2.8, 4.2))
    canvas.absorb(marks.plane(0.5) * 0.95, VESSEL)


def fine_vessels(canvas: Canvas, rng: Random) -> None:
    """Draw short fine red vessels that hardly branch."""
    _wander(canvas, rng, int(rng.integers(18, 30)), 1.4, 0.26, (14, 34))


def wavy_vessels(canvas: Canvas, rng: Random) -> None:
    """Draw fine wavy vessels, seen between follicles."""
    _wander(canvas, rng, 14, 1.5, 0.5, (24, 42))


def irregular_vessels(canvas: Canvas, rng: Random) -> None:
    """Draw serpentine vessels of uneven width."""
    _wander(canvas, rng, 18, 3.0, 0.45, (26, 50))


def _wander(canvas: Canvas, rng: Random, count: int, width: float, bend: float, length: tuple[float, float]) -> None:
    marks = Marks(canvas)
    for place in anywhere(canvas, rng, count, 0.88):
        line = curve(rng, place, rng.uniform(0, 2 * np.pi), rng.uniform(*length) * canvas.unit, bend)
        strength = rng.uniform(0.55, 1)
        for part in (line[:5], line[4:9], line[8:]):
            marks.line(part, width * rng.uniform(0.55, 1.2), strength)
    canvas.absorb(marks.plane(0.5), VESSEL)


def glomerular_vessels(canvas: Canvas, rng: Random) -> None:
    """Draw clusters of tightly coiled red vessels."""
    marks, frame = Marks(canvas), canvas.frame
    turn = np.linspace(0, 4.4 * np.pi, 26)
    for _ in range(int(rng.integers(3, 5))):
        x, y = frame.place(rng.uniform(0.15, 0.65), rng.uniform(0, 2 * np.pi))
        for dx, dy in rng.normal(0, 0.2 * frame.radius, (18, 2)):
            out = np.linspace(0.5, rng.uniform(3.4, 5.4), 26) * canvas.unit
            lead = turn * rng.choice((-1, 1)) + rng.uniform(0, 6.3)
            coil = zip((x + dx + out * np.cos(lead)).tolist(), (y + dy + out * np.sin(lead)).tolist(), strict=True)
            marks.line(list(coil), 1.5, rng.uniform(0.65, 1))
    canvas.absorb(marks.plane(0.5) * 1.1, VESSEL)


def _hairpin(canvas: Canvas, rng: Random, marks: Marks, halo: Marks, place: Point, heading: float) -> None:
    """Draw a slightly crooked loop: out, round and back."""
    length, wide = rng.uniform(7, 17), rng.uniform(2.0, 3.2)
    around = np.linspace(-np.pi / 2, np.pi / 2, 7)
    along = np.concatenate([[-length], np.cos(around) * wide, [-length * rng.uniform(0.6, 1)]]) * canvas.unit
    across = np.concatenate([[-wide * 0.7], np.sin(around) * wide, [wide * 0.7]]) * canvas.unit
    across += rng.normal(0, 0.25 * canvas.unit, across.size)
    x = place[0] + along * np.cos(heading) - across * np.sin(heading)
    y = place[1] + along * np.sin(heading) + across * np.cos(heading)
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    marks.line(points, rng.uniform(1.3, 2.0), rng.uniform(0.65, 1))
    halo.line([points[0], points[4]], 11)


def radial_hairpins(canvas: Canvas, rng: Random) -> None:
    """Draw hairpin loops with a pale halo, set as spokes around the centre."""
    marks, halo = Marks(canvas), Marks(canvas)
    for angle in np.linspace(0, 2 * np.pi, int(rng.integers(20, 30)), endpoint=False):
        lead = float(angle + rng.normal(0, 0.09))
        place = canvas.frame.place(rng.uniform(0.72, 0.95), lead)
        _hairpin(canvas, rng, marks, halo, place, lead + rng.normal(0, 0.25))
    _show_hairpins(canvas, marks, halo)


def hairpins(canvas: Canvas, rng: Random) -> None:
    """Draw a few hairpin loops with a pale halo."""
    marks, halo = Marks(canvas), Marks(canvas)
    for place in anywhere(canvas, rng, int(rng.integers(7, 12)), 0.8):
        _hairpin(canvas, rng, marks, halo, place, rng.uniform(0, 2 * np.pi))
    _show_hairpins(canvas, marks, halo)


def _show_hairpins(canvas: Canvas, marks: Marks, halo: Marks) -> None:
    canvas.cover(halo.plane(2.0) * 0.35, PALE)
    canvas.absorb(marks.plane(0.5) * 1.25, VESSEL)


def dotted_vessels(canvas: Canvas, rng: Random) -> None:
    """Draw small red dots."""
    marks = Marks(canvas)
    for place in anywhere(canvas, rng, int(rng.integers(34, 60))):
        marks.dot(place, rng.uniform(1.4, 2.3), rng.uniform(0.6, 1))
    canvas.absorb(marks.plane(0.6) * 1.15, VESSEL)
