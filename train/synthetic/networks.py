"""Structures made of lines around holes: pigment networks, and the patterns that close around hair follicles."""

from __future__ import annotations

import numpy as np

from .canvas import BLOOD, BRIGHT, DARK, FOLLICLE, GRANULE, GREY, MELANIN, Canvas
from .noise import fractal_noise, smooth_noise, step

Random = np.random.Generator


def regular_network(canvas: Canvas, rng: Random) -> None:
    """Draw thin even brown lines around even holes, fading towards the border."""
    cells = canvas.cells(rng, rng.uniform(9.5, 12), "even", 0.5)
    lines = step(cells.edge, 0.3, 0.03)
    zone = step(canvas.frame.radial, 1.05, 0.7) * canvas.frame.mask
    amount = zone * (1 + np.float32(0.18) * smooth_noise(rng, canvas.size, 5))
    canvas.absorb((lines * 1.5 - 0.5) * amount, MELANIN)


def irregular_network(canvas: Canvas, rng: Random) -> None:
    """Draw lines of uneven width and darkness around uneven holes, ending abruptly, on one part of the lesion."""
    cells = canvas.cells(rng, rng.uniform(14, 18), "wild", 0.8)
    width = np.clip(0.2 + np.float32(0.11) * smooth_noise(rng, canvas.size, 7), 0.05, 0.42)
    lines = step(width - cells.edge, 0.0, 0.13)
    dark = np.clip(1 + np.float32(0.4) * fractal_noise(rng, canvas.size, 5, 2), 0.2, 1.8)
    side = np.cos(canvas.frame.angle - np.float32(rng.uniform(0, 2 * np.pi)))
    zone = step(side, -0.9, -0.2) * step(canvas.frame.radial, 1.12, 1.02) * np.maximum(canvas.frame.mask, 0.25)
    canvas.absorb((lines * 2.0 * dark - 0.5) * zone, MELANIN)


def delicate_network(canvas: Canvas, rng: Random) -> None:
    """Draw fine light brown lines in a ring around the centre."""
    cells = canvas.cells(rng, rng.uniform(9, 11.5), "even", 0.5)
    lines = step(cells.edge, 0.26, 0.03)
    worn = np.clip(0.85 + np.float32(0.2) * fractal_noise(rng, canvas.size, 6, 2), 0.3, 1.2)
    canvas.absorb((lines * 1.0 - 0.15) * canvas.band(0.55, 1.02, 0.2) * worn, MELANIN)


def annular_granular(canvas: Canvas, rng: Random) -> None:
    """Draw gray dots set as rings around hair follicles."""
    cells = canvas.cells(rng, 25.0, "even")
    grains = canvas.cells(rng, 4.6, "uneven")
    ring = step(np.abs(cells.centre - 0.3), 0.15, 0.07)
    zone = canvas.frame.mask * step(cells.value, 0.1, 0.3)
    canvas.cover(ring * step(grains.centre, 0.6, 0.3) * zone * 0.8, GRANULE)
    canvas.absorb(ring * zone * 0.14, DARK)
    canvas.cover(step(cells.centre, 0.2, 0.08) * zone * 0.55, FOLLICLE)


def rhomboidal_structures(canvas: Canvas, rng: Random) -> None:
    """Draw broad gray-brown lines that close around follicles, in one part of the lesion."""
    cells = canvas.cells(rng, 23.0, "even", 0.35)
    lines = step(cells.edge, 0.27, 0.1)
    area = canvas.patch(rng, 0.9, 0.3, 0.35)
    canvas.cover(lines * area * 0.5, GREY)
    canvas.absorb((lines * 0.75 - 0.2) * area, (0.6, 0.72, 0.8))


def strawberry_pattern(canvas: Canvas, rng: Random) -> None:
    """Draw a red network of fine vessels around yellow-white follicles with a white halo."""
    cells = canvas.cells(rng, rng.uniform(17, 22), "uneven", 0.5)
    zone = step(canvas.frame.radial, 1.15, 0.75)
    fine = step(np.abs(smooth_noise(rng, canvas.size, 46)), 0.5, 0.05)
    uneven = np.clip(0.9 + np.float32(0.25) * smooth_noise(rng, canvas.size, 6), 0.4, 1.4)
    strength = 0.55 + 0.45 * cells.value
    canvas.absorb(zone * uneven * (0.42 + 0.3 * fine) * step(cells.centre, 0.2, 0.42), BLOOD)
    canvas.cover(zone * step(cells.centre, 0.42, 0.2) * strength * 0.5, BRIGHT)
    canvas.cover(zone * step(cells.centre, 0.2, 0.06) * strength * 0.75, FOLLICLE)


def fissures_and_ridges(canvas: Canvas, rng: Random) -> None:
    """Draw dark winding furrows between paler ridges, as on a brain."""
    field = smooth_noise(rng, canvas.size, 13) + np.float32(0.35) * smooth_noise(rng, canvas.size, 26)
    furrow = step(np.abs(field), 0.34, 0.03)
    canvas.absorb((furrow * 1.05 - 0.2) * canvas.frame.mask, MELANIN)


def fingerprint_structures(canvas: Canvas, rng: Random) -> None:
    """Draw fine light brown parallel lines that bend as on a fingertip."""
    turn = rng.uniform(0, np.pi)
    across = (np.cos(turn) * canvas.x + np.sin(turn) * canvas.y) / np.float32(5.6 * canvas.unit)
    phase = across + np.float32(0.9) * smooth_noise(rng, canvas.size, 5) + 0.25 * smooth_noise(rng, canvas.size, 24)
    lines = step(np.sin(phase.astype(np.float32) * np.float32(2 * np.pi)), -0.4, 0.9)
    breaks = step(fractal_noise(rng, canvas.size, 12, 2), -0.8, 0.9)
    canvas.absorb((lines * 0.75 - 0.2) * canvas.frame.mask * breaks, MELANIN)
