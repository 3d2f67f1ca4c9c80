"""A small chart as inline SVG: two axes in percent, coloured by the page's stylesheet, so that dark mode follows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 340, 280
LEFT, RIGHT, TOP, BOTTOM = 52, 20, 10, 42
TICKS = 4  # steps of an axis


@dataclass(frozen=True)
class Axes:
    """Both axes from 0; x to 1, y to `y_top`.

    Attributes:
        x_title: Under the x axis.
        y_title: Beside the y axis.
        y_top: 0..1.
    """

    x_title: str
    y_title: str
    y_top: float = 1.0

    def x(self, value: float) -> float:
        """Of 0..1, in the picture's units."""
        return LEFT + value * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Of 0..y_top, in the picture's units."""
        return HEIGHT - BOTTOM - min(1.0, value / self.y_top) * (HEIGHT - TOP - BOTTOM)

    def line(self, points: Sequence[tuple[float, float]], kind: str) -> str:
        """A line through points (x, y); `kind` is the last part of its class."""
        path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        return f'<polyline class="dn-plot-{kind}" points="{path}"/>'

    def dot(self, x: float, y: float, radius: float) -> str:
        """A point."""
        return f'<circle class="dn-plot-dot" cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="{radius:.1f}"/>'

    def draw(self, marks: str, description: str) -> str:
        """The whole picture.

        Args:
            marks: Lines and dots.
            description: What it shows, for who does not see it.
        """
        steps = [step / TICKS for step in range(TICKS + 1)]
        grid = "".join(self._across(step * self.y_top) + self._below(step) for step in steps)
        middle = TOP + (HEIGHT - TOP - BOTTOM) / 2
        return (
            f'<svg class="dn-plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(description)}">{grid}'
            f'{marks}<text class="dn-plot-title" x="{self.x(0.5):.0f}" y="{HEIGHT - 6}">{escape(self.x_title)}</text>'
            f'<text class="dn-plot-title" transform="translate(13 {middle:.0f}) rotate(-90)">{escape(self.y_title)}'
            "</text></svg>"
        )

    def _across(self, value: float) -> str:
        height = self.y(value)
        return (
            f'<line class="dn-plot-grid" x1="{LEFT}" y1="{height:.1f}" x2="{WIDTH - RIGHT}" y2="{height:.1f}"/>'
            f'<text class="dn-plot-tick dn-plot-left" x="{LEFT - 6}" y="{height + 4:.1f}">{value:.0%}</text>'
        )

    def _below(self, value: float) -> str:
        height = HEIGHT - BOTTOM + 16
        return f'<text class="dn-plot-tick" x="{self.x(value):.1f}" y="{height}">{value:.0%}</text>'


def round_up(value: float) -> float:
    """The top of an axis that holds a share: the next of 20%, 40%, ... 100%."""
    return min(1.0, max(0.2, math.ceil(value * 5 - 1e-9) / 5))
