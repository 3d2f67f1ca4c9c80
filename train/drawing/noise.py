"""Smooth random fields and cell patterns, made by resizing small random grids and by one shared Voronoi tile."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.spatial import cKDTree

Plane = npt.NDArray[np.float32]
TILE_CELLS, TILE_PITCH = 32, 16  # the tile is periodic: 32 x 32 cells of 16 pixels


def smooth_noise(rng: np.random.Generator, size: int, cells: float) -> Plane:
    """Smooth noise of mean 0 and deviation near 1, (size, size), with about `cells` bumps along a side."""
    whole = int(np.ceil(cells)) + 3
    grid = rng.standard_normal((whole, whole), dtype=np.float32)
    box = (1.0, 1.0, 1.0 + cells, 1.0 + cells)  # away from the grid's edge, where interpolation flattens
    field = np.asarray(Image.fromarray(grid).resize((size, size), Image.Resampling.BICUBIC, box=box))
    return field / np.float32(0.72)  # what bicubic interpolation leaves of the deviation


def fractal_noise(rng: np.random.Generator, size: int, cells: float, octaves: int = 3, gain: float = 0.55) -> Plane:
    """Noise with detail at several scales, deviation near 1, (size, size)."""
    total = np.zeros((size, size), np.float32)
    weight, power = 1.0, 0.0
    for octave in range(octaves):
        total += np.float32(weight) * smooth_noise(rng, size, min(cells * 2**octave, size / 2))
        power += weight**2
        weight *= gain
    return total / np.float32(power**0.5)


def step(field: Plane, low: float, high: float) -> Plane:
    """0 where `field` is at `low`, 1 at `high`, a smooth ramp between; `low` may lie above `high`."""
    ramp = np.clip((field - np.float32(low)) / np.float32(high - low), 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


@dataclass(frozen=True)
class Cells:
    """A cell pattern, in units of one cell.

    Attributes:
        edge: Distance to the nearest wall between two cells.
        centre: Distance to the cell's own centre.
        value: A number from 0 to 1 that is the same all over one cell.
    """

    edge: Plane
    centre: Plane
    value: Plane


@lru_cache(maxsize=4)
def _tile(jitter: float) -> Cells:
    """The periodic tile all cell patterns are cut from; `jitter` 0 is a honeycomb, 1 is wild."""
    rng = np.random.default_rng(20)
    row, column = np.mgrid[0:TILE_CELLS, 0:TILE_CELLS].reshape(2, -1).astype(np.float64)
    points = np.stack([column + 0.5 * (row % 2), row], axis=1)  # every other row shifted: a honeycomb
    points = (points + jitter * rng.uniform(-0.5, 0.5, points.shape)) % TILE_CELLS
    side = (np.arange(TILE_CELLS * TILE_PITCH) + 0.5) / TILE_PITCH
    where = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    distance, nearest = cKDTree(points, boxsize=TILE_CELLS).query(where, k=2)
    apart = np.abs(points[nearest[:, 0]] - points[nearest[:, 1]])
    apart = np.hypot(*np.minimum(apart, TILE_CELLS - apart).T)
    edge = (distance[:, 1] ** 2 - distance[:, 0] ** 2) / (2 * apart)  # the distance to the bisector of two points
    shape = (side.size, side.size)
    value = rng.random(len(points))[nearest[:, 0]]
    return Cells(*(each.reshape(shape).astype(np.float32) for each in (edge, distance[:, 0], value)))


def cut_cells(x: Plane, y: Plane, jitter: float) -> Cells:
    """The cell pattern at the places (x, y), given in units of one cell, any shape.

    Args:
        x: Places across.
        y: Places down.
        jitter: 0 for a honeycomb, up to 1 for cells of very different size and shape.
    """
    tile, side = _tile(jitter), TILE_CELLS * TILE_PITCH
    u, v = x * np.float32(TILE_PITCH), y * np.float32(TILE_PITCH)
    left, top = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
    fu, fv = u - left, v - top
    left, top = left % side, top % side
    right, below = (left + 1) % side, (top + 1) % side

    def between(plane: Plane) -> Plane:
        above = plane[top, left] * (1 - fu) + plane[top, right] * fu
        under = plane[below, left] * (1 - fu) + plane[below, right] * fu
        return above * (1 - fv) + under * fv

    return Cells(between(tile.edge), between(tile.centre), tile.value[top, left])
