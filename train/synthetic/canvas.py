"""Canvas: optical density (-log of the reflectance) at each pixel, and the frame of the lesion.

Densities of pigment and blood add up, as they do in skin. Scar, scale and veil are opaque: they replace the density.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from .attributes import Attributes
from .noise import Cells, Jitter, Plane, cut_cells, fractal_noise, smooth_noise, step

REFERENCE_SIZE = 320  # lengths in the drawing code are pixels of an image this wide

BORDER_WIDTH = {"sharp": 0.1, "indistinct": 0.42}  # the ramp at the border, in units of its distance

RGB = tuple[float, float, float]

# Optical density in red, green, blue of one unit of pigment.
MELANIN = (0.42, 0.68, 0.92)
BLOOD = (0.12, 0.9, 0.68)
VESSEL = (0.2, 1.3, 1.02)  # blood in a vessel, seen sharply
CLOT = (0.95, 1.25, 1.05)
DARK = (1.0, 1.12, 1.12)
DEEP = (0.9, 0.82, 0.7)  # melanin deep in the skin looks blue
UMBER = (0.72, 0.92, 1.05)  # dense melanin near the surface, nearly black

# Opaque colours, 0 to 255.
WHITE = (234, 217, 210)
BRIGHT = (250, 242, 236)
SCAR = (232, 206, 198)
HAZE = (204, 208, 220)
VEIL = (116, 126, 146)
STEEL = (96, 99, 108)
GREY = (112, 104, 108)
GRANULE = (92, 92, 100)
NEST = (80, 82, 98)
LEAF = (98, 76, 72)
OCHRE = (196, 158, 100)
KERATIN = (224, 204, 164)
CREAM = (243, 234, 212)
CYST = (244, 230, 198)
PLUG = (50, 35, 26)
FOLLICLE = (220, 186, 136)
RAW = (150, 46, 40)
CRUST = (84, 32, 26)
SCAB = (50, 18, 18)


def density_of(colour: RGB) -> RGB:
    """Return the optical density of a colour given as 0 to 255."""
    return tuple(float(-np.log(max(channel, 1.0) / 255)) for channel in colour)  # type: ignore[return-value]


@dataclass(frozen=True)
class Frame:
    """Position and shape of the lesion.

    Attributes:
        centre: (x, y) in pixels.
        outline: Distance from the centre to the border at 360 angles, pixels.
        radial: (S, S); 0 at the centre, 1 on the border, above 1 outside.
        angle: (S, S); radians.
        mask: (S, S); 1 inside, 0 outside, a ramp as wide as the border is blurred.
        symmetric: Whether its content is spread evenly.
    """

    centre: tuple[float, float]
    outline: Plane
    radial: Plane
    angle: Plane
    mask: Plane
    symmetric: bool

    def place(self, radial: float, angle: float) -> tuple[float, float]:
        """Return the pixel position of a polar one, `radial` in units of the border's distance."""
        reach = radial * float(self.outline[int(np.degrees(angle)) % 360])
        return self.centre[0] + reach * float(np.cos(angle)), self.centre[1] + reach * float(np.sin(angle))

    @property
    def radius(self) -> float:
        """Mean radius in pixels."""
        return float(self.outline.mean())


class Canvas:
    """A square image being drawn, `size` pixels a side."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.unit = size / REFERENCE_SIZE
        self.density = np.zeros((3, size, size), np.float32)
        self.gloom = 0.0  # additional density of opaque colours under the melanin of dark skin
        side = np.arange(size, dtype=np.float32)
        self.x, self.y = np.meshgrid(side, side)
        self.frame: Frame

    def absorb(self, amount: Plane | float, density: RGB) -> None:
        """Add a pigment: `amount` (S, S) times its density in red, green and blue."""
        for channel, weight in enumerate(density):
            self.density[channel] += amount * np.float32(weight)

    def cover(self, share: Plane, colour: RGB) -> None:
        """Cover with an opaque colour (0 to 255); `share` (S, S) from 0 to 1."""
        for channel, target in enumerate(density_of(colour)):
            target += self.gloom * (0.2 + 0.8 * min(target, 1.0))
            self.density[channel] += share * (np.float32(target) - self.density[channel])

    def cells(self, rng: np.random.Generator, pitch: float, jitter: Jitter, warp: float = 0.35) -> Cells:
        """Return a cell pattern over the whole canvas; `pitch` is the width of one cell, in reference pixels."""
        turn, pitch = rng.uniform(0, 2 * np.pi), pitch * self.unit
        cos, sin = np.float32(np.cos(turn) / pitch), np.float32(np.sin(turn) / pitch)
        x0, y0 = rng.uniform(0, 32, 2).astype(np.float32)
        bumps = self.size / (6 * pitch)  # a bend is some cells long, so that cells keep their shape
        bend = [np.float32(warp) * smooth_noise(rng, self.size, bumps) for _ in range(2)]
        x = cos * self.x - sin * self.y + x0 + bend[0]
        y = sin * self.x + cos * self.y + y0 + bend[1]
        return cut_cells(x, y, jitter)

    def band(self, inner: float, outer: float, soft: float = 0.15) -> Plane:
        """Return the ring from `inner` to `outer`, in units of the border's distance; not cut off at the border."""
        return step(self.frame.radial, inner - soft, inner + soft) * step(self.frame.radial, outer + soft, outer - soft)

    def patch(
        self, rng: np.random.Generator, reach: float, away: float = 0.45, ragged: float = 0.3, soft: float = 0.35
    ) -> Plane:
        """Return a ragged area inside the lesion: `reach` is its radius, `away` its distance from the centre."""
        frame = self.frame
        x, y = frame.place(away * rng.uniform(0.7, 1.3), rng.uniform(0, 2 * np.pi))
        field = np.hypot(self.x - np.float32(x), self.y - np.float32(y)) / np.float32(reach * frame.radius)
        field += np.float32(ragged) * fractal_noise(rng, self.size, 7, 3)
        return step(field, 1.05, 1.05 - soft) * frame.mask

    def zone(self, rng: np.random.Generator, reach: float) -> Plane:
        """Return an area that keeps the lesion's symmetry: central in a symmetric lesion, else off-centre."""
        if self.frame.symmetric:
            ragged = np.float32(0.12) * smooth_noise(rng, self.size, 12)
            return step(self.frame.radial + ragged, reach + 0.12, reach - 0.12) * self.frame.mask
        return self.patch(rng, reach)

    def to_image(self) -> Image.Image:
        """Return the finished image, slightly softened as by a lens."""
        rolled = 0.5 * (self.density + np.sqrt(self.density * self.density + np.float32(0.012)))  # soft highlights
        levels = (np.exp(-rolled) * 255 + 0.5).astype(np.uint8)
        image = Image.fromarray(np.ascontiguousarray(levels.transpose(1, 2, 0)))
        return image.filter(ImageFilter.BoxBlur(0.5 * self.unit))


def draw_outline(canvas: Canvas, rng: np.random.Generator, attributes: Attributes) -> None:
    """Set the canvas's frame; draws nothing yet."""
    symmetric = attributes.asymmetry == "symmetric"
    centre = (attributes.position[0] * canvas.size, attributes.position[1] * canvas.size)
    outline = _outline(rng, attributes.reach * canvas.size, symmetric)
    dx, dy = canvas.x - np.float32(centre[0]), canvas.y - np.float32(centre[1])
    angle = np.arctan2(dy, dx)
    degrees = np.degrees(angle)
    below = np.floor(degrees).astype(np.int32)
    share = degrees - below
    border = outline[below % 360] * (1 - share) + outline[(below + 1) % 360] * share
    radial = np.hypot(dx, dy) / border
    ragged = 0.028 if symmetric else 0.06
    radial += np.float32(ragged) * fractal_noise(rng, canvas.size, 6, 5, 0.75) * np.minimum(radial * 2, 1)
    width = _border_width(canvas, rng, attributes.border, angle)
    mask = step((1 + 0.5 * width - radial) / width, 0.0, 1.0)
    canvas.frame = Frame(centre, outline, radial, angle, mask, symmetric)


def _outline(rng: np.random.Generator, radius: float, symmetric: bool) -> Plane:
    """Return the distance from centre to border at 360 angles: an oval, with lobes if it is asymmetric."""
    angle = np.arange(360) * np.pi / 180
    turn, oval = rng.uniform(0, np.pi), rng.uniform(0.78, 1.0)
    shape = 1 / np.hypot(np.cos(angle - turn), np.sin(angle - turn) / oval)
    lobes = np.zeros(360)
    for order, size in ((1, 0.13), (2, 0.1), (3, 0.11), (4, 0.06), (5, 0.05)):
        lobes += size * rng.uniform(0.6, 1.2) * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    shape = shape * (1 + (0.0 if symmetric else 1.0) * lobes)
    outline: Plane = (shape * radius / shape.mean()).astype(np.float32)
    return outline


def _border_width(canvas: Canvas, rng: np.random.Generator, border: str, angle: Plane) -> Plane:
    """Return the width of the ramp at each pixel: even, or sharp on one side and blurred on the other."""
    if border in BORDER_WIDTH:
        return np.full((canvas.size, canvas.size), BORDER_WIDTH[border] * rng.uniform(0.8, 1.2), np.float32)
    side = np.cos(angle - np.float32(rng.uniform(0, 2 * np.pi))) + np.float32(0.1) * smooth_noise(rng, canvas.size, 5)
    blurred = step(side, -0.25, 0.25)
    return np.float32(BORDER_WIDTH["sharp"]) + blurred * np.float32(BORDER_WIDTH["indistinct"])
