"""Where in a lesion to put things: anywhere, evenly, or in clumps."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas

Random = np.random.Generator
Point = tuple[float, float]


def anywhere(canvas: Canvas, rng: Random, count: int, reach: float = 0.85) -> list[Point]:
    """`count` places all over the lesion, out to `reach` of the border."""
    frame = canvas.frame
    return [frame.place(reach * rng.uniform() ** 0.5, rng.uniform(0, 2 * np.pi)) for _ in range(count)]


def evenly(canvas: Canvas, rng: Random, gap: float, reach: float) -> list[Point]:
    """Even, slightly shaken places, `gap` reference pixels apart, out to `reach` of the border."""
    frame, pace = canvas.frame, gap * canvas.unit
    side = int(2.8 * frame.radius / pace) + 2
    row, column = np.mgrid[0:side, 0:side].reshape(2, -1)
    shake = rng.uniform(-0.3, 0.3, (2, row.size))
    x = frame.centre[0] + (column + 0.5 * (row % 2) + shake[0] - side / 2) * pace
    y = frame.centre[1] + (row + shake[1] - side / 2) * pace * 0.87
    column_at, row_at = np.clip(x, 0, canvas.size - 1).astype(int), np.clip(y, 0, canvas.size - 1).astype(int)
    inside = frame.radial[row_at, column_at] < reach
    return list(zip(x[inside].tolist(), y[inside].tolist(), strict=True))


def in_clumps(canvas: Canvas, rng: Random, count: int, spread: float) -> list[Point]:
    """Uneven places: two or three clumps of `count`, off the centre; `spread` in units of the radius."""
    places: list[Point] = []
    for _ in range(int(rng.integers(2, 4))):
        x, y = canvas.frame.place(rng.uniform(0.35, 0.75), rng.uniform(0, 2 * np.pi))
        dx, dy = rng.normal(0, spread * canvas.frame.radius, (2, count))
        places += zip((x + dx).tolist(), (y + dy).tolist(), strict=True)
    return places
