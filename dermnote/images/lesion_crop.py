"""Lesion detection in dermoscopic images: removal of black frame and vignette, then Otsu's threshold.

Otsu cropping follows the paper's preprocessing (arXiv 2511.21827); the heuristics around it are our own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageFilter

Array = np.ndarray[Any, Any]
Square = tuple[int, int, int, int]
Rectangle = tuple[float, float, float, float]

WORK_SIDE = 128  # pixels of the long side during the search; removes hairs, keeps lesions
DARK = 40  # 0..255; upper bound of the brightest channel in a frame or vignette
MIN_AREA, MAX_AREA = 0.02, 0.90  # plausible share of the field of view
MARGIN = 0.20  # of the lesion's longer side, on each side
MIN_SQUARE = 0.50  # of the field's short side; smaller detections are mostly a crust, a bubble or a hair
MIN_WEIGHT = 0.25  # of the heaviest component's weight
CENTRE = 0.25  # of the field's short side; always kept, because the camera was aimed at the lesion


def find_lesion_square(image: Image.Image) -> tuple[Square, bool]:
    """Return the square to crop (x0, y0, x1, y1 in pixels of an RGB image), and whether a lesion was found.

    Without a plausible lesion it is the centre square of the field of view.
    """
    shrink = max(image.size) / WORK_SIDE
    small_size = (max(1, round(image.width / shrink)), max(1, round(image.height / shrink)))
    small = image.resize(small_size, Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(1.5))
    pixels = np.asarray(small, dtype=np.float32)  # (h, w, 3)
    field = field_of_view(pixels)
    bounds = _bounds(field)
    blob = _find_blob(pixels, field)
    square = _square_around(blob, bounds) if blob is not None else _centre_square(bounds)
    return _to_image(square, small_size, image.size), blob is not None


def field_of_view(pixels: Array) -> Array:
    """Mask black frame and vignette (dark regions that reach a corner): pixels (h, w, 3), 0..255, to a mask (h, w)."""
    from scipy import ndimage

    dark = pixels.max(axis=2) < DARK
    labels, _ = ndimage.label(dark)
    corners = {int(labels[y, x]) for y in (0, -1) for x in (0, -1)} - {0}
    frame = ndimage.binary_dilation(np.isin(labels, list(corners)), iterations=3)
    return ~frame if frame.mean() < 0.8 else np.ones_like(dark)  # nearly all dark: a dark image without a frame


def _find_blob(pixels: Array, field: Array) -> Array | None:
    """Return the lesion's mask (h, w) by darkness, else by saturation; None if neither is plausible."""
    grey = pixels @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    saturation = pixels.max(axis=2) - pixels.min(axis=2)
    for score in (-grey, saturation):
        blob = _largest_central(score, field)
        if blob is not None:
            return blob
    return None


def _largest_central(score: Array, field: Array) -> Array | None:
    from scipy import ndimage
    from skimage.filters import threshold_otsu

    inside = score[field]
    if inside.size == 0 or np.ptp(inside) < 10:  # too flat for a threshold
        return None
    mask = ndimage.binary_opening((score > threshold_otsu(inside)) & field, iterations=1)
    labels, count = ndimage.label(mask)
    if not count:
        return None
    height, width = score.shape
    ys, xs = np.mgrid[:height, :width]
    off_centre = ((xs / width - 0.5) ** 2 + (ys / height - 0.5) ** 2) / 0.25**2
    weights = ndimage.sum(np.exp(-off_centre), labels, np.arange(1, count + 1))
    # A lesion often has several components; specks, hairs and neighbours in a corner weigh too little to be kept.
    blob = np.isin(labels, 1 + np.flatnonzero(weights >= MIN_WEIGHT * weights.max()))
    share = float(blob.sum() / field.sum())
    return blob if MIN_AREA <= share <= MAX_AREA else None


def _bounds(mask: Array) -> Rectangle:
    ys, xs = np.nonzero(mask)
    return float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)


def _centre_square(bounds: Rectangle) -> Rectangle:
    x0, y0, x1, y1 = bounds
    side = min(x1 - x0, y1 - y0)
    left, top = (x0 + x1 - side) / 2, (y0 + y1 - side) / 2
    return left, top, left + side, top + side


def _square_around(blob: Array, bounds: Rectangle) -> Rectangle:
    """Return a square with a margin around the blob, shifted into the field of view."""
    fx0, fy0, fx1, fy1 = bounds
    longest = min(fx1 - fx0, fy1 - fy0)
    x0, y0, x1, y1 = _bounds(blob)
    middle = CENTRE * longest / 2
    x0, x1 = min(x0, (fx0 + fx1) / 2 - middle), max(x1, (fx0 + fx1) / 2 + middle)
    y0, y1 = min(y0, (fy0 + fy1) / 2 - middle), max(y1, (fy0 + fy1) / 2 + middle)
    side = min(max(max(x1 - x0, y1 - y0) * (1 + 2 * MARGIN), MIN_SQUARE * longest), longest)
    left = min(max((x0 + x1 - side) / 2, fx0), fx1 - side)
    top = min(max((y0 + y1 - side) / 2, fy0), fy1 - side)
    return left, top, left + side, top + side


def _to_image(square: Rectangle, small: tuple[int, int], size: tuple[int, int]) -> Square:
    """Scale a square from the small image to the full image, and keep it inside."""
    across, down = size[0] / small[0], size[1] / small[1]
    left, top = round(square[0] * across), round(square[1] * down)
    side = min(max(round(square[2] * across) - left, round(square[3] * down) - top), *size)
    x0, y0 = min(left, size[0] - side), min(top, size[1] - side)
    return x0, y0, x0 + side, y0 + side
