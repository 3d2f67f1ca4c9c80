"""Bringing pixels of any kind (16-bit, palette, alpha, CMYK, arrays) to 8-bit RGB without metadata."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from dermnote.errors import PictureError


def to_rgb(image: Image.Image) -> Image.Image:
    """A plain RGB picture: orientation applied, alpha laid on white, every byte of metadata dropped."""
    with contextlib.suppress(Exception):  # broken EXIF says nothing against the pixels
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        image = _from_wide(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    clean = image.convert("RGB")
    clean.info = {}  # EXIF, GPS, colour profile, comments
    return clean


def from_array(array: np.ndarray[Any, Any]) -> Image.Image:
    """A PIL picture from an array of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).

    Raises:
        PictureError: Another shape or type, or floats outside 0..1.
    """
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.size == 0 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise PictureError(f"An array of shape {array.shape} is not a picture.", "Use (H, W), (H, W, 3) or (H, W, 4).")
    if array.dtype == np.uint16:
        array = array / np.float32(65535)
    if np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise PictureError("An array of floats must lie in 0..1.", "Divide by 255, or use uint8.")
        array = np.rint(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise PictureError(f"An array of {array.dtype} is not a picture.", "Use uint8, uint16, or floats in 0..1.")
    return Image.fromarray(np.ascontiguousarray(array))


def _from_wide(image: Image.Image) -> Image.Image:
    """Brings 16-bit, 32-bit and float grey to 8 bits; Pillow's own conversion would clip instead of scale."""
    values = np.asarray(image, dtype=np.float64)
    peak = float(values.max(initial=0.0))
    if image.mode.startswith("I;16") or peak > 255:
        values = values / 257
    elif image.mode == "F" and peak <= 1:
        values = values * 255
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))
