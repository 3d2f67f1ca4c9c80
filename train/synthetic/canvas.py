"""The canvas: light absorbed at each pixel, and the frame of the lesion on it.

Colours are kept as optical density (-log of the reflectance). Pigment and blood then simply add up, as they do in skin,
and the same pigment is darker on darker skin. Scar, scale and veil are opaque: they pull the density towards a colour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from .noise import Cells, Jitter, Plane, cut_cells, fractal_noise, smooth_noise, step

REFERENCE_SIZE = 320  # lengths in the drawing code are pixels of a picture this wide

RGB = tuple[float, float, float]


def density_of(colour: RGB) -> RGB:
    """Optical density of a colour given as 0 to 255."""
    return tuple(float(-np.log(max(channel, 1.0) / 255)) for channel in colour)  # type: ignore[return-value]


@dataclass(frozen=True)
class Frame:
    """Where the lesion lies and which shape it has.

    Attributes:
        centre: (x, y) in pixels.
        outline: Distance from the centre to the border at 360 angles, pixels.
        radial: (S, S); 0 at the centre, 1 on the border, above 1 outside.
        angle: (S, S); radians.
        mask: (S, S); 1 inside, 0 outside, a ramp as wide as the border is blurred.
        symmetric: Whether what lies inside is to be spread evenly.
    """

    centre: tuple[float, float]
    outline: Plane
    radial: Plane
    angle: Plane
    mask: Plane
    symmetric: bool

    def place(self, radial: float, angle: float) -> tuple[float, float]:
        """Pixel place of a polar place, `radial` in units of the border's distance."""
        reach = radial * float(self.outline[int(np.degrees(angle)) % 360])
        return self.centre[0] + reach * float(np.cos(angle)), self.centre[1] + reach * float(np.sin(angle))

    @property
    def radius(self) -> float:
        """Mean radius in pixels."""
        return float(self.outline.mean())


class Canvas:
    """A square picture in the making.

    Args:
        size: Side in pixels.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.unit = size / REFERENCE_SIZE
        self.density = np.zeros((3, size, size), np.float32)
        self.gloom = 0.0  # how much darker opaque colours look, under the melanin of dark skin
        side = np.arange(size, dtype=np.float32)
        self.x, self.y = np.meshgrid(side, side)
        self.frame: Frame

    def absorb(self, amount: Plane | float, density: RGB) -> None:
        """Adds a pigment: `amount` (S, S) times its density in red, green and blue."""
        for channel, weight in enumerate(density):
            self.density[channel] += amount * np.float32(weight)

    def cover(self, share: Plane, colour: RGB) -> None:
        """Covers with an opaque colour (0 to 255); `share` (S, S) from 0 to 1."""
        for channel, target in enumerate(density_of(colour)):
            target += self.gloom * (0.2 + 0.8 * min(target, 1.0))
            self.density[channel] += share * (np.float32(target) - self.density[channel])

    def cells(self, rng: np.random.Generator, pitch: float, jitter: Jitter, warp: float = 0.35) -> Cells:
        """A cell pattern over the whole canvas; `pitch` is the width of one cell, in reference pixels."""
        turn, pitch = rng.uniform(0, 2 * np.pi), pitch * self.unit
        cos, sin = np.float32(np.cos(turn) / pitch), np.float32(np.sin(turn) / pitch)
        x0, y0 = rng.uniform(0, 32, 2).astype(np.float32)
        bumps = self.size / (6 * pitch)  # a bend is some cells long, so that cells keep their shape
        bend = [np.float32(warp) * smooth_noise(rng, self.size, bumps) for _ in range(2)]
        x = cos * self.x - sin * self.y + x0 + bend[0]
        y = sin * self.x + cos * self.y + y0 + bend[1]
        return cut_cells(x, y, jitter)

    def band(self, inner: float, outer: float, soft: float = 0.15) -> Plane:
        """The ring from `inner` to `outer`, in units of the border's distance; not cut off at the border."""
        return step(self.frame.radial, inner - soft, inner + soft) * step(self.frame.radial, outer + soft, outer - soft)

    def patch(
        self, rng: np.random.Generator, reach: float, away: float = 0.45, ragged: float = 0.3, soft: float = 0.35
    ) -> Plane:
        """A ragged area inside the lesion: `reach` is its radius, `away` its distance from the centre."""
        frame = self.frame
        x, y = frame.place(away * rng.uniform(0.7, 1.3), rng.uniform(0, 2 * np.pi))
        field = np.hypot(self.x - np.float32(x), self.y - np.float32(y)) / np.float32(reach * frame.radius)
        field += np.float32(ragged) * fractal_noise(rng, self.size, 7, 3)
        return step(field, 1.05, 1.05 - soft) * frame.mask

    def zone(self, rng: np.random.Generator, reach: float) -> Plane:
        """An area that keeps the lesion's symmetry: in the middle of a symmetric lesion, else off to a side."""
        if self.frame.symmetric:
            ragged = np.float32(0.12) * smooth_noise(rng, self.size, 12)
            return step(self.frame.radial + ragged, reach + 0.12, reach - 0.12) * self.frame.mask
        return self.patch(rng, reach)

    def to_image(self) -> Image.Image:
        """The finished picture, a touch softened as a lens would."""
        rolled = 0.5 * (self.density + np.sqrt(self.density * self.density + np.float32(0.012)))  # soft highlights
        levels = (np.exp(-rolled) * 255 + 0.5).astype(np.uint8)
        picture = Image.fromarray(np.ascontiguousarray(levels.transpose(1, 2, 0)))
        return picture.filter(ImageFilter.BoxBlur(0.5 * self.unit))
