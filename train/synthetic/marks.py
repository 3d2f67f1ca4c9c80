"""Marks drawn with a pen: ellipses, lines and polygons on a sheet of twice the size, so that their edges are smooth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .canvas import Canvas
from .noise import Plane

FINER = 2
Point = tuple[float, float]


class Marks:
    """A sheet the size of a canvas; places are in canvas pixels, widths in reference pixels."""

    def __init__(self, canvas: Canvas) -> None:
        self.unit = canvas.unit
        self._sheet = Image.new("L", (canvas.size * FINER, canvas.size * FINER))
        self._pen = ImageDraw.Draw(self._sheet)

    def dot(self, place: Point, radius: float, strength: float = 1.0) -> None:
        """A disc."""
        reach = radius * self.unit * FINER
        x, y = place[0] * FINER, place[1] * FINER
        self._pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=_grey(strength))

    def oval(self, place: Point, long: float, short: float, turn: float, strength: float = 1.0) -> None:
        """An ellipse with half axes `long` and `short`, turned by `turn` radians."""
        around = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        along, across = long * self.unit * np.cos(around), short * self.unit * np.sin(around)
        x = place[0] + along * np.cos(turn) - across * np.sin(turn)
        y = place[1] + along * np.sin(turn) + across * np.cos(turn)
        self.area(list(zip(x.tolist(), y.tolist(), strict=True)), strength)

    def area(self, corners: Sequence[Point], strength: float = 1.0) -> None:
        """A filled polygon."""
        self._pen.polygon([(x * FINER, y * FINER) for x, y in corners], fill=_grey(strength))

    def line(self, points: Sequence[Point], width: float, strength: float = 1.0) -> None:
        """A line through points."""
        wide = max(1, round(width * self.unit * FINER))
        self._pen.line([(x * FINER, y * FINER) for x, y in points], fill=_grey(strength), width=wide, joint="curve")

    def ring(self, place: Point, radius: float, width: float, strength: float = 1.0) -> None:
        """A circle's outline."""
        reach, wide = radius * self.unit * FINER, max(1, round(width * self.unit * FINER))
        x, y = place[0] * FINER, place[1] * FINER
        self._pen.ellipse((x - reach, y - reach, x + reach, y + reach), outline=_grey(strength), width=wide)

    def plane(self, blur: float = 0.0) -> Plane:
        """The sheet as (S, S) from 0 to 1, blurred by `blur` reference pixels."""
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
    """A wandering line of 12 steps from `start`.

    Args:
        rng: Source of chance.
        start: Place in canvas pixels.
        heading: First direction, radians.
        length: Canvas pixels.
        bend: Deviation of the turn at each step, radians.
        curl: Turn at each step that comes on top, radians.
    """
    turns = heading + np.cumsum(rng.normal(curl, bend, 12))
    x = start[0] + np.cumsum(np.cos(turns)) * length / 12
    y = start[1] + np.cumsum(np.sin(turns)) * length / 12
    return [start, *zip(x.tolist(), y.tolist(), strict=True)]
