"""Marks: antialiased ellipses, lines and polygons, and random positions for them in a lesion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .canvas import Canvas
from .noise import Plane

FINER = 2  # the sheet is drawn at twice the size, so that edges are smooth
Point = tuple[float, float]


class Marks:
    """A sheet of the canvas's size; positions are in canvas pixels, widths in reference pixels."""

    def __init__(self, canvas: Canvas) -> None:
        self.unit = canvas.unit
        self._sheet = Image.new("L", (canvas.size * FINER, canvas.size * FINER))
        self._pen = ImageDraw.Draw(self._sheet)

    def dot(self, place: Point, radius: float, strength: float = 1.0) -> None:
        """Draw a disc."""
        reach = radius * self.unit * FINER
        x, y = place[0] * FINER, place[1] * FINER
        self._pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=_grey(strength))

    def oval(self, place: Point, long: float, short: float, turn: float, strength: float = 1.0) -> None:
        """Draw an ellipse with half axes `long` and `short`, turned by `turn` radians."""
        around = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        along, across = long * self.unit * np.cos(around), short * self.unit * np.sin(around)
        x = place[0] + along * np.cos(turn) - across * np.sin(turn)
        y = place[1] + along * np.sin(turn) + across * np.cos(turn)
        self.area(list(zip(x.tolist(), y.tolist(), strict=True)), strength)

    def area(self, corners: Sequence[Point], strength: float = 1.0) -> None:
        """Draw a filled polygon."""
        self._pen.polygon([(x * FINER, y * FINER) for x, y in corners], fill=_grey(strength))

    def line(self, points: Sequence[Point], width: float, strength: float = 1.0) -> None:
        """Draw a line through points."""
        wide = max(1, round(width * self.unit * FINER))
        self._pen.line([(x * FINER, y * FINER) for x, y in points], fill=_grey(strength), width=wide, joint="curve")

    def ring(self, place: Point, radius: float, width: float, strength: float = 1.0) -> None:
        """Draw a circle's outline."""
        reach, wide = radius * self.unit * FINER, max(1, round(width * self.unit * FINER))
        x, y = place[0] * FINER, place[1] * FINER
        self._pen.ellipse((x - reach, y - reach, x + reach, y + reach), outline=_grey(strength), width=wide)

    def plane(self, blur: float = 0.0) -> Plane:
        """Return the sheet as (S, S) from 0 to 1, blurred by `blur` reference pixels."""
        sheet = self._sheet.reduce(FINER)
        if blur > 0:
            narrow = blur < 1.3  # one box is as good as a Gaussian there, and three times as fast
            kind = ImageFilter.BoxBlur if narrow else ImageFilter.GaussianBlur
            sheet = sheet.filter(kind(blur * self.unit))
        return np.asarray(sheet, np.float32) / np.float32(255)


def _grey(strength: float) -> int:
    return int(np.clip(strength * 255, 0, 255))


def curve(
    rng: np.random.Generator, start: Point, heading: float, length: float, bend: float, curl: float = 0.0
) -> list[Point]:
    """Return a wandering line of 12 steps from `start`; positions and `length` in canvas pixels, angles in radians.

    At each step it turns by `curl`, with a standard deviation of `bend`.
    """
    turns = heading + np.cumsum(rng.normal(curl, bend, 12))
    x = start[0] + np.cumsum(np.cos(turns)) * length / 12
    y = start[1] + np.cumsum(np.sin(turns)) * length / 12
    return [start, *zip(x.tolist(), y.tolist(), strict=True)]


def anywhere(canvas: Canvas, rng: np.random.Generator, count: int, reach: float = 0.85) -> list[Point]:
    """Return `count` positions all over the lesion, out to `reach` of the border."""
    frame = canvas.frame
    return [frame.place(reach * rng.uniform() ** 0.5, rng.uniform(0, 2 * np.pi)) for _ in range(count)]


def evenly(canvas: Canvas, rng: np.random.Generator, gap: float, reach: float) -> list[Point]:
    """Return even, slightly jittered positions, `gap` reference pixels apart, out to `reach` of the border."""
    frame, pace = canvas.frame, gap * canvas.unit
    side = int(2.8 * frame.radius / pace) + 2
    row, column = np.mgrid[0:side, 0:side].reshape(2, -1)
    shake = rng.uniform(-0.3, 0.3, (2, row.size))
    x = frame.centre[0] + (column + 0.5 * (row % 2) + shake[0] - side / 2) * pace
    y = frame.centre[1] + (row + shake[1] - side / 2) * pace * 0.87
    column_at, row_at = np.clip(x, 0, canvas.size - 1).astype(int), np.clip(y, 0, canvas.size - 1).astype(int)
    inside = frame.radial[row_at, column_at] < reach
    return list(zip(x[inside].tolist(), y[inside].tolist(), strict=True))


def in_clumps(canvas: Canvas, rng: np.random.Generator, count: int, spread: float) -> list[Point]:
    """Return uneven positions: two or three clumps of `count`, off the centre; `spread` in units of the radius."""
    places: list[Point] = []
    for _ in range(int(rng.integers(2, 4))):
        x, y = canvas.frame.place(rng.uniform(0.35, 0.75), rng.uniform(0, 2 * np.pi))
        dx, dy = rng.normal(0, spread * canvas.frame.radius, (2, count))
        places += zip((x + dx).tolist(), (y + dy).tolist(), strict=True)
    return places
