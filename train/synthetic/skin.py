"""The skin around the lesion: tone, blotches, fine lines and the light that falls on it."""

from __future__ import annotations

import numpy as np

from .canvas import RGB, Canvas, density_of
from .noise import smooth_noise, step
from .pigments import BLOOD, DARK, MELANIN

TONES: dict[int, RGB] = {  # Fitzpatrick I to VI, as polarised dermoscopy shows them
    1: (230, 197, 186),
    2: (222, 184, 166),
    3: (212, 166, 142),
    4: (182, 134, 108),
    5: (138, 96, 76),
    6: (96, 66, 54),
}


def draw_skin(canvas: Canvas, rng: np.random.Generator, skin_type: int, age: int) -> None:
    """Fills the canvas with skin.

    Args:
        canvas: Empty canvas.
        rng: Source of chance.
        skin_type: Fitzpatrick type, 1 to 6.
        age: Years; old skin has coarser lines and more blotches.
    """
    tone = density_of(TONES[skin_type])
    worn = np.clip((age - 20) / 70, 0, 1)
    canvas.absorb(1.0, tone)
    canvas.gloom = 0.09 * (skin_type - 1)
    canvas.absorb(rng.normal(0.03, 0.07) + 0.05 * smooth_noise(rng, canvas.size, 3), BLOOD)
    canvas.absorb(rng.normal(0, 0.05) + (0.03 + 0.05 * worn) * smooth_noise(rng, canvas.size, 6), MELANIN)
    canvas.absorb(0.03 * smooth_noise(rng, canvas.size, 45), BLOOD)
    field = canvas.cells(rng, rng.uniform(15, 20) + 7 * worn, "wild", 0.3)
    lines = step(field.edge, 0.13, 0.0) * step(smooth_noise(rng, canvas.size, 8), -1.5, 1.0)
    canvas.absorb(lines * np.float32(0.04 + 0.05 * worn + 0.012 * skin_type), MELANIN)
    canvas.absorb(0.02 * (field.value - 0.5), DARK)
    canvas.absorb(0.016 * rng.standard_normal((canvas.size, canvas.size), dtype=np.float32), DARK)


def light(canvas: Canvas, rng: np.random.Generator) -> None:
    """Uneven light over the whole picture, and the colour cast of a camera."""
    turn = rng.uniform(0, 2 * np.pi)
    across = (np.cos(turn) * canvas.x + np.sin(turn) * canvas.y) / np.float32(canvas.size) - 0.5
    canvas.absorb(rng.uniform(0, 0.12) * across.astype(np.float32) + rng.normal(0.01, 0.035), DARK)
    for channel in canvas.density:
        channel += np.float32(rng.normal(0, 0.03))
