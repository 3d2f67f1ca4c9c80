"""Smooth random fields (resized small random grids) and cell patterns (cut from one shared Voronoi tile)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.spatial import cKDTree

Plane = npt.NDArray[np.floating[Any]]
Jitter = Literal["even", "uneven", "wild"]  # deviation of the cells from a honeycomb
TILE_CELLS, TILE_PITCH = 32, 16  # the tile is periodic: 32 x 32 cells of 16 pixels
KEPT = 0.72  # share of the deviation of white noise after bicubic interpolation
TILE_SIDE = TILE_CELLS * TILE_PITCH
STRAY: dict[Jitter, float] = {"even": 0.6, "uneven": 0.8, "wild": 1.0}  # in cells


def smooth_noise(rng: np.random.Generator, size: int, cells: float) -> Plane:
    """Return smooth noise of mean 0 and deviation near 1, (size, size), with about `cells` bumps along a side."""
    return fractal_noise(rng, size, cells, octaves=1)


def fractal_noise(rng: np.random.Generator, size: int, cells: float, octaves: int = 3, gain: float = 0.55) -> Plane:
    """Return noise with detail at several scales, deviation near 1, (size, size).

    The coarsest scale has about `cells` bumps along a side; each further octave has twice as many, weighted by `gain`.
    """
    whole = int(np.ceil(cells)) + 3
    grid = rng.standard_normal((whole, whole), dtype=np.float32)
    weight, power = 1.0, KEPT**2
    for _ in range(octaves - 1):  # finer and finer small grids, so that only one step has the full size
        grid = _enlarge(grid, (2 * whole, 2 * whole), (0, 0, whole, whole))
        whole, cells, weight = 2 * whole, 2 * cells, weight * gain
        grid += np.float32(weight) * rng.standard_normal((whole, whole), dtype=np.float32)
        power += (weight * KEPT) ** 2
    edge = (whole - cells) / 2  # interpolation is flatter at the edge of a grid
    field = _enlarge(grid, (size, size), (edge, edge, edge + cells, edge + cells))
    return field / np.float32(power**0.5)


def _enlarge(grid: Plane, shape: tuple[int, int], box: tuple[float, float, float, float]) -> Plane:
    return np.array(Image.fromarray(grid).resize(shape, Image.Resampling.BICUBIC, box=box))


def step(field: Plane, low: float, high: float) -> Plane:
    """Return 0 where `field` is at `low`, 1 at `high`, a smooth ramp between; `low` may be above `high`."""
    ramp = np.clip((field - np.float32(low)) / np.float32(high - low), 0, 1)
    smooth: Plane = ramp * ramp * (3 - 2 * ramp)
    return smooth


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


@cache
def _tile(jitter: Jitter) -> tuple[Plane, Plane]:
    """Return the periodic tile patterns are cut from: (pixels, 2) with `edge` and `centre`; (pixels,) with `value`."""
    rng = np.random.default_rng(20)
    row, column = np.mgrid[0:TILE_CELLS, 0:TILE_CELLS].reshape(2, -1).astype(np.float64)
    points = np.stack([column + 0.5 * (row % 2), row], axis=1)  # every other row shifted: a honeycomb
    points = (points + STRAY[jitter] * rng.uniform(-0.5, 0.5, points.shape)) % TILE_CELLS
    side = (np.arange(TILE_SIDE) + 0.5) / TILE_PITCH
    where = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    distance, nearest = cKDTree(points, boxsize=TILE_CELLS).query(where, k=2)
    apart = np.abs(points[nearest[:, 0]] - points[nearest[:, 1]])
    apart = np.hypot(*np.minimum(apart, TILE_CELLS - apart).T)
    edge = (distance[:, 1] ** 2 - distance[:, 0] ** 2) / (2 * apart)  # the distance to the bisector of two points
    value = rng.random(len(points))[nearest[:, 0]]
    return np.stack([edge, distance[:, 0]], axis=1).astype(np.float32), value.astype(np.float32)


def cut_cells(x: Plane, y: Plane, jitter: Jitter) -> Cells:
    """Return the cell pattern at the positions (x, y), given in units of one cell, any shape."""
    both, value = _tile(jitter)
    u, v = (at * np.float32(TILE_PITCH) + np.float32(16 * TILE_SIDE) for at in (x, y))  # above 0: truncation is floor
    left, top = u.astype(np.int32), v.astype(np.int32)
    across, down = (u - left)[..., None], (v - top)[..., None]
    right, below = (left + 1) % TILE_SIDE, (top + 1) % TILE_SIDE * TILE_SIDE
    left, top = left % TILE_SIDE, top % TILE_SIDE * TILE_SIDE
    above = both.take(top + left, axis=0)
    above += across * (both.take(top + right, axis=0) - above)
    under = both.take(below + left, axis=0)
    under += across * (both.take(below + right, axis=0) - under)
    above += down * (under - above)
    return Cells(np.ascontiguousarray(above[..., 0]), np.ascontiguousarray(above[..., 1]), value.take(top + left))
