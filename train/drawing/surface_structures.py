"""Structures of keratin, scar and lost surface: cysts, openings, ridges, scar, scale, keratin, circles, ulcers, crust."""

from __future__ import annotations

import numpy as np

from train.drawing.canvas import Canvas
from train.drawing.marks import Marks, curve
from train.drawing.noise import Plane, fractal_noise, smooth_noise, step
from train.drawing.pigments import BLOOD, CRUST, CYST, DARK, KERATIN, MELANIN, SCAR, WHITE

Random = np.random.Generator


def milia_like_cysts(canvas: Canvas, rng: Random) -> None:
    """Round white to yellowish spots that seem to shine."""
    marks, glow = Marks(canvas), Marks(canvas)
    for _ in range(int(rng.integers(12, 24))):
        place = canvas.frame.place(0.88 * rng.uniform() ** 0.5, rng.uniform(0, 2 * np.pi))
        radius = rng.uniform(2.6, 5.2)
        marks.dot(place, radius)
        glow.dot(place, radius * 1.9, 0.5)
    canvas.cover(glow.plane(2.2) * 0.7, CYST)
    canvas.cover(marks.plane(0.8) * 0.92, CYST)


def comedo_like_openings(canvas: Canvas, rng: Random) -> None:
    """Dark round to oval plugs with a brown rim."""
    marks, rim = Marks(canvas), Marks(canvas)
    for _ in range(int(rng.integers(8, 16))):
        place = canvas.frame.place(0.85 * rng.uniform() ** 0.5, rng.uniform(0, 2 * np.pi))
        long, turn = rng.uniform(4, 8), rng.uniform(0, np.pi)
        short = long * rng.uniform(0.55, 0.95)
        rim.oval(place, long * 1.35, short * 1.35, turn)
        marks.oval(place, long, short, turn)
    canvas.absorb(rim.plane(1.2) * 0.45, MELANIN)
    canvas.cover(marks.plane(1.0) * 0.88, (48, 33, 24))


def fissures_and_ridges(canvas: Canvas, rng: Random) -> None:
    """Dark winding furrows between paler ridges, as on a brain."""
    field = smooth_noise(rng, canvas.size, 11) + np.float32(0.3) * smooth_noise(rng, canvas.size, 22)
    furrow = step(np.abs(field), 0.3, 0.05)
    canvas.absorb((furrow * 1.1 - 0.15) * canvas.frame.mask, MELANIN)


def fingerprint_structures(canvas: Canvas, rng: Random) -> None:
    """Fine light brown parallel lines that bend as on a fingertip."""
    turn = rng.uniform(0, np.pi)
    across = (np.cos(turn) * canvas.x + np.sin(turn) * canvas.y) / np.float32(7.5 * canvas.unit)
    phase = across + np.float32(0.9) * smooth_noise(rng, canvas.size, 4)
    lines = step(np.sin(phase.astype(np.float32) * np.float32(2 * np.pi)), -0.1, 0.8)
    breaks = step(fractal_noise(rng, canvas.size, 9, 2), -1.2, -0.3)
    canvas.absorb((lines * 0.95 - 0.25) * canvas.frame.mask * breaks, MELANIN)


def central_scar(canvas: Canvas, rng: Random) -> None:
    """A white scar-like area in the middle, crossed by fine strands."""
    ragged = np.float32(0.1) * smooth_noise(rng, canvas.size, 9)
    area = step(canvas.frame.radial + ragged, 0.52, 0.3)
    canvas.cover(area * 0.85, SCAR)
    strands = step(np.abs(smooth_noise(rng, canvas.size, 13)), 0.16, 0.02)
    canvas.cover(strands * area * 0.7, (250, 238, 232))


def shiny_white_lines(canvas: Canvas, rng: Random) -> None:
    """Short bright white lines at right angles to each other."""
    marks, turn = Marks(canvas), rng.uniform(0, np.pi)
    for _ in range(int(rng.integers(14, 24))):
        place = canvas.frame.place(0.75 * rng.uniform() ** 0.5, rng.uniform(0, 2 * np.pi))
        heading = turn + rng.choice((0, np.pi / 2)) + rng.normal(0, 0.12)
        length = rng.uniform(14, 28) * canvas.unit
        marks.line(curve(rng, place, heading, length, 0.03), rng.uniform(1.6, 2.6), rng.uniform(0.6, 1))
    canvas.cover(marks.plane(0.6) * 0.85, (250, 240, 238))


def _flakes(canvas: Canvas, rng: Random, area: Plane, share: float) -> None:
    """Ragged flakes with lit upper edges and shaded lower ones."""
    field = fractal_noise(rng, canvas.size, 15, 4, 0.7)
    flake = step(field, share, share + 0.25) * area
    relief = np.clip(np.roll(field, (2, 2), (0, 1)) - field, -1, 1)
    canvas.cover(flake * 0.82, (238, 228, 208))
    canvas.absorb(relief * flake * 0.28, DARK)


def surface_scale(canvas: Canvas, rng: Random) -> None:
    """White to yellow flakes on the surface."""
    _flakes(canvas, rng, step(canvas.frame.radial, 1.0, 0.7), 0.55)


def keratin_mass(canvas: Canvas, rng: Random) -> None:
    """An amorphous lump of yellow-white keratin in the middle, lit from the upper left, with blood spots."""
    ragged = np.float32(0.13) * fractal_noise(rng, canvas.size, 8)
    area = step(canvas.frame.radial + ragged, 0.6, 0.46)
    field = fractal_noise(rng, canvas.size, 12, 4, 0.75)
    relief = np.clip(np.roll(field, (3, 3), (0, 1)) - field, -1.6, 1.6)
    canvas.absorb(step(canvas.frame.radial + ragged, 0.72, 0.55) * 0.35, (0.4, 0.6, 0.7))
    canvas.cover(area * 0.93, KERATIN)
    canvas.cover(area * step(field, 0.0, 1.2) * 0.7, (246, 236, 212))
    canvas.absorb(relief * area * 0.3, (0.7, 0.9, 1.1))
    spots = step(smooth_noise(rng, canvas.size, 22), 1.75, 2.2) * area
    canvas.cover(spots * 0.8, CRUST)


def white_circles(canvas: Canvas, rng: Random) -> None:
    """Bright white rings around yellow-brown plugs of hair follicles."""
    halo, rings, plugs = Marks(canvas), Marks(canvas), Marks(canvas)
    for _ in range(int(rng.integers(12, 20))):
        place = canvas.frame.place(0.92 * rng.uniform() ** 0.4, rng.uniform(0, 2 * np.pi))
        radius = rng.uniform(6.5, 10)
        halo.dot(place, radius * 1.15)
        rings.ring(place, radius, radius * 0.42)
        plugs.dot(place, radius * 0.5)
    canvas.cover(halo.plane(1.0) * 0.35, WHITE)
    canvas.cover(rings.plane(0.7) * 0.92, (250, 244, 238))
    canvas.cover(plugs.plane(0.7) * 0.75, (186, 136, 84))


def white_areas(canvas: Canvas, rng: Random) -> None:
    """Milky areas without structure."""
    canvas.cover(canvas.patch(rng, rng.uniform(0.4, 0.55), 0.6, 0.35) * 0.75, WHITE)


def structureless_areas(canvas: Canvas, rng: Random) -> None:
    """A part in which pattern and texture are lost."""
    area = canvas.zone(rng, rng.uniform(0.36, 0.5))
    for channel in canvas.density:
        mean = float((channel * area).sum() / max(float(area.sum()), 1.0))
        channel += area * 0.9 * (np.float32(mean) * 0.92 - channel)


def strawberry_pattern(canvas: Canvas, rng: Random) -> None:
    """A red network of vessels around yellow-white follicles with a white halo."""
    cells = canvas.cells(rng, rng.uniform(19, 24), 0.55, 0.2)
    zone = step(canvas.frame.radial, 1.05, 0.85)
    fine = step(np.abs(smooth_noise(rng, canvas.size, 42)), 0.5, 0.1)
    canvas.absorb(zone * (0.5 + 0.35 * fine) * step(cells.centre, 0.26, 0.42), BLOOD)
    canvas.cover(zone * step(cells.centre, 0.38, 0.26) * 0.8, (246, 226, 206))
    canvas.cover(zone * step(cells.centre, 0.2, 0.1) * 0.85, (214, 170, 110))


def rosettes(canvas: Canvas, rng: Random) -> None:
    """Four bright points set as a clover leaf, inside follicles."""
    marks = Marks(canvas)
    for _ in range(int(rng.integers(6, 11))):
        x, y = canvas.frame.place(0.85 * rng.uniform() ** 0.5, rng.uniform(0, 2 * np.pi))
        turn, away = rng.uniform(0, np.pi), 3.6 * canvas.unit
        for quarter in turn + np.arange(4) * np.pi / 2:
            marks.dot((x + away * np.cos(quarter), y + away * np.sin(quarter)), 2.2)
    canvas.cover(marks.plane(0.4) * 0.95, (255, 250, 244))


def ulceration(canvas: Canvas, rng: Random) -> None:
    """A raw, glistening red-brown loss of surface with a sharp edge."""
    area = canvas.patch(rng, rng.uniform(0.28, 0.38), rng.uniform(0.1, 0.45), 0.3)
    field = fractal_noise(rng, canvas.size, 14)
    canvas.cover(step(area, 0.2, 0.6) * 0.9, (138, 36, 30))
    canvas.cover(step(area, 0.2, 0.6) * step(field, 0.1, 1.2) * 0.75, CRUST)
    canvas.cover(step(area, 0.6, 0.95) * step(smooth_noise(rng, canvas.size, 30), 1.5, 2.0) * 0.85, (250, 226, 214))


def hemorrhagic_crust(canvas: Canvas, rng: Random) -> None:
    """Dried blood, nearly black."""
    area = step(canvas.patch(rng, rng.uniform(0.22, 0.32), 0.3, 0.45), 0.3, 0.6)
    canvas.cover(area * 0.92, (52, 16, 18))
    canvas.cover(area * step(fractal_noise(rng, canvas.size, 16), 0.5, 1.6) * 0.55, (128, 44, 34))


def white_collarette(canvas: Canvas, rng: Random) -> None:
    """A white scaly ring around the base."""
    ragged = np.float32(0.03) * smooth_noise(rng, canvas.size, 24)
    ring = step(np.abs(canvas.frame.radial + ragged - 1.0), 0.13, 0.05)
    canvas.cover(ring * 0.88, (246, 232, 222))
