"""Structures of keratin and lost surface: cysts, openings, scar, scale, keratin mass, circles, ulcers, crust."""

from __future__ import annotations

import numpy as np

from .canvas import (
    BRIGHT,
    CREAM,
    CRUST,
    CYST,
    DARK,
    KERATIN,
    MELANIN,
    OCHRE,
    PLUG,
    RAW,
    SCAB,
    SCAR,
    UMBER,
    WHITE,
    Canvas,
)
from .marks import Marks, anywhere, curve
from .noise import Plane, fractal_noise, smooth_noise, step

Random = np.random.Generator


def _relief(field: Plane, shift: int) -> Plane:
    """Return the relief of a rough surface lit from the upper left: above 0 in shade, below 0 in light."""
    relief: Plane = np.clip(np.roll(field, (shift, shift), (0, 1)) - field, -1.5, 1.5)
    return relief


def milia_like_cysts(canvas: Canvas, rng: Random) -> None:
    """Draw round white to yellowish spots that seem to shine."""
    marks, glow = Marks(canvas), Marks(canvas)
    for place in anywhere(canvas, rng, int(rng.integers(14, 28))):
        radius = rng.uniform(2.0, 5.0)
        marks.dot(place, radius, rng.uniform(0.65, 1))
        glow.dot(place, radius * 1.7, 0.5)
    canvas.cover(glow.plane(2.4) * 0.5, CYST)
    canvas.cover(marks.plane(1.2) * 0.9, CYST)


def comedo_like_openings(canvas: Canvas, rng: Random) -> None:
    """Draw dark round to oval plugs with a brown rim."""
    marks, rim = Marks(canvas), Marks(canvas)
    for place in anywhere(canvas, rng, int(rng.integers(8, 16)), 0.82):
        long, turn = rng.uniform(3.2, 8), rng.uniform(0, np.pi)
        short = long * rng.uniform(0.55, 0.95)
        rim.oval(place, long * 1.4, short * 1.4, turn)
        marks.oval(place, long, short, turn, rng.uniform(0.7, 1))
    canvas.absorb(rim.plane(1.6) * 0.5, MELANIN)
    canvas.cover(marks.plane(1.2) * 0.9, PLUG)


def central_scar(canvas: Canvas, rng: Random) -> None:
    """Draw a white scar-like area in the middle, crossed by fine strands."""
    ragged = np.float32(0.08) * fractal_noise(rng, canvas.size, 8, 3)
    area = step(canvas.frame.radial + ragged, 0.66, 0.28)
    canvas.cover(area * 0.85, SCAR)
    strands = step(np.abs(fractal_noise(rng, canvas.size, 12, 2)), 0.18, 0.0)
    canvas.cover(strands * area * 0.55, BRIGHT)


def shiny_white_lines(canvas: Canvas, rng: Random) -> None:
    """Draw short bright white lines at right angles to each other."""
    marks, turn = Marks(canvas), rng.uniform(0, np.pi)
    for place in anywhere(canvas, rng, int(rng.integers(16, 28)), 0.75):
        heading = turn + rng.choice((0, np.pi / 2)) + rng.normal(0, 0.15)
        length = rng.uniform(12, 28) * canvas.unit
        marks.line(curve(rng, place, heading, length, 0.05), rng.uniform(1.3, 2.3), rng.uniform(0.55, 1))
    canvas.cover(marks.plane(0.7) * 0.9, BRIGHT)


def surface_scale(canvas: Canvas, rng: Random) -> None:
    """Draw white to yellow flakes: a thin film, brighter where its edges lift."""
    area = step(canvas.frame.radial, 1.05, 0.7)
    field = fractal_noise(rng, canvas.size, 11, 4, 0.7)
    film = step(field, 0.35, 0.95) * area
    canvas.cover(film * 0.5, CREAM)
    canvas.cover(step(np.abs(field - 0.55), 0.22, 0.02) * area * 0.6, BRIGHT)
    canvas.absorb(_relief(field, 2) * film * 0.16, DARK)


def keratin_mass(canvas: Canvas, rng: Random) -> None:
    """Draw an amorphous lump of yellow-white keratin in the middle, with blood spots."""
    ragged = np.float32(0.11) * fractal_noise(rng, canvas.size, 7, 4, 0.65)
    area = step(canvas.frame.radial + ragged, 0.62, 0.45)
    body, rough = fractal_noise(rng, canvas.size, 6, 3), fractal_noise(rng, canvas.size, 18, 3, 0.7)
    canvas.absorb(step(canvas.frame.radial + ragged, 0.8, 0.55) * 0.3, (0.35, 0.6, 0.7))
    canvas.cover(area * 0.94, KERATIN)
    canvas.cover(area * step(body, 0.1, 1.4) * 0.75, CREAM)
    canvas.cover(area * step(body, -0.3, -1.5) * 0.75, OCHRE)
    canvas.absorb(_relief(rough, 2) * area * 0.15, UMBER)
    canvas.absorb(step(np.abs(rough), 0.14, 0.0) * area * 0.16, UMBER)
    canvas.cover(step(smooth_noise(rng, canvas.size, 20), 1.7, 2.2) * area * 0.8, CRUST)


def white_circles(canvas: Canvas, rng: Random) -> None:
    """Draw white rings around the yellow-brown plugs of hair follicles."""
    halo, rings, plugs = Marks(canvas), Marks(canvas), Marks(canvas)
    for place in anywhere(canvas, rng, int(rng.integers(14, 24)), 0.92):
        radius, strength = rng.uniform(5.5, 10), rng.uniform(0.6, 1)
        halo.dot(place, radius * 1.2, strength)
        rings.ring(place, radius, radius * 0.42, strength)
        plugs.dot(place, radius * 0.5, strength)
    canvas.cover(halo.plane(1.4) * 0.35, WHITE)
    canvas.cover(rings.plane(1.4) * 0.95, BRIGHT)
    canvas.cover(plugs.plane(1.0) * 0.7, OCHRE)


def white_areas(canvas: Canvas, rng: Random) -> None:
    """Draw milky areas without structure."""
    canvas.cover(canvas.patch(rng, rng.uniform(0.45, 0.6), 0.6, 0.35, soft=0.6) * 0.75, WHITE)


def structureless_areas(canvas: Canvas, rng: Random) -> None:
    """Draw a part in which pattern and texture are lost."""
    area = canvas.zone(rng, rng.uniform(0.36, 0.5))
    weight = max(float(area.sum()), 1.0)
    for channel in canvas.density:
        mean = float((channel * area).sum()) / weight
        channel += area * 0.9 * (np.float32(mean) * 0.92 - channel)


def rosettes(canvas: Canvas, rng: Random) -> None:
    """Draw four bright points set as a clover leaf, inside follicles."""
    marks = Marks(canvas)
    for x, y in anywhere(canvas, rng, int(rng.integers(6, 11))):
        turn, away = rng.uniform(0, np.pi), 3.4 * canvas.unit
        for quarter in turn + np.arange(4) * np.pi / 2:
            marks.dot((x + away * float(np.cos(quarter)), y + away * float(np.sin(quarter))), 2.0)
    canvas.cover(marks.plane(0.6) * 0.95, BRIGHT)


def ulceration(canvas: Canvas, rng: Random) -> None:
    """Draw a raw, glistening red-brown loss of surface with a sharp edge and a yellowish fringe."""
    area = canvas.patch(rng, rng.uniform(0.3, 0.42), rng.uniform(0.1, 0.4), 0.35, soft=0.5)
    field = fractal_noise(rng, canvas.size, 14, 4, 0.7)
    area = area + np.float32(0.14) * field * (area > 0.01)
    canvas.cover(step(area, 0.05, 0.4) * 0.4, OCHRE)
    raw = step(area, 0.3, 0.55)
    canvas.cover(raw * 0.9, RAW)
    canvas.cover(raw * step(field, 0.0, 1.3) * 0.75, CRUST)
    canvas.cover(raw * step(smooth_noise(rng, canvas.size, 34), 1.6, 2.2) * 0.8, BRIGHT)


def hemorrhagic_crust(canvas: Canvas, rng: Random) -> None:
    """Draw dried blood, nearly black."""
    area = canvas.patch(rng, rng.uniform(0.3, 0.4), 0.3, 0.25, soft=0.5)
    field = fractal_noise(rng, canvas.size, 16, 4, 0.7)
    area = step(area + np.float32(0.2) * field * (area > 0.01), 0.15, 0.6)
    canvas.cover(area * 0.92, SCAB)
    canvas.cover(area * step(field, 0.4, 1.6) * 0.5, RAW)
    canvas.absorb(_relief(field, 2) * area * 0.2, DARK)


def white_collarette(canvas: Canvas, rng: Random) -> None:
    """Draw a white scaly ring around the base."""
    ragged = np.float32(0.02) * fractal_noise(rng, canvas.size, 16, 3)
    ring = step(np.abs(canvas.frame.radial + ragged - 1.0), 0.13, 0.03)
    worn = np.clip(0.8 + np.float32(0.18) * fractal_noise(rng, canvas.size, 18, 2), 0.2, 1)
    canvas.cover(ring * worn, CREAM)
