"""Safe opening of pictures from strangers, and the one geometry that training, index and app share.

The way of a picture: `open_picture` -> `crop_lesion` -> `resize_short_side(256)` -> stored JPEG -> `to_square`.
`prepare_picture` does the first three, so that whatever is asked of a model was made as its training data was.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from dermnote.errors import PictureError
from dermnote.images.pixels import from_array, to_rgb

Picture = str | Path | bytes | BinaryIO | Image.Image | np.ndarray[Any, Any]
Modality = Literal["dermoscopy", "clinical"]
Crop = Literal["otsu", "centre", "box", "whole"]
Box = tuple[float, float, float, float]

MAX_PIXELS = 64_000_000
MAX_BYTES = 100 * 1024 * 1024
MIN_SIDE = 16
MAX_ASPECT = 20  # a strip of 16 x 4,000,000 pixels passes a pixel limit, and becomes 256 x 64,000,000 when scaled
STORED_SIDE = 256
# A JPEG far larger than needed is decoded at 1/2, 1/4 or 1/8; a lesion a quarter of the side wide still has 256 pixels.
DECODED_SIDE = 1024
JPEG_QUALITY = 95
# Formats that are pictures and nothing else: Pillow also reads scripts (EPS) and exotic containers nobody needs here.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
FORMATS_HINT = "Use a JPEG, PNG, WebP, GIF, BMP or TIFF file."


def open_picture(source: Picture, *, max_pixels: int = MAX_PIXELS, at_least: int | None = None) -> Image.Image:
    """Opens a picture as plain RGB: orientation applied, first frame only, alpha on white, no metadata left.

    Args:
        source: A path, encoded bytes, a binary stream, a PIL picture, or an array of shape (H, W), (H, W, 1), (H, W, 3)
            or (H, W, 4), uint8, uint16 or float in 0..1.
        max_pixels: Refuse anything larger, before a single pixel is decoded.
        at_least: Allows a large JPEG to be decoded at a fraction of its size, as long as its short side keeps this many
            pixels. Faster, but boxes in the original's pixels then no longer fit.

    Raises:
        PictureError: It is missing, empty, too large, truncated, too narrow, or no picture at all.
    """
    if isinstance(source, np.ndarray):
        if source.ndim >= 2:
            _check_size((source.shape[1], source.shape[0]), "the array", max_pixels)
        return to_rgb(from_array(source))
    if isinstance(source, Image.Image):
        with _decoding("the picture"):
            return _checked_rgb(source, "the picture", max_pixels)
    name, data = _read_bytes(source)
    if not data:
        raise PictureError(f"{name} is empty.", FORMATS_HINT)
    with _decoding(name), Image.open(io.BytesIO(data), formats=FORMATS) as image:
        if at_least is not None and min(image.size) > 2 * at_least:
            _check_size(image.size, name, max_pixels)
            _draft(image, at_least)
        return _checked_rgb(image, name, max_pixels)


def crop_lesion(image: Image.Image, modality: Modality | None, box: Box | None = None) -> tuple[Image.Image, Crop]:
    """Crops to the lesion.

    Args:
        image: RGB picture.
        modality: "dermoscopy" finds the lesion by Otsu's threshold (else takes the centre square); "clinical" is left
            whole; None means already cropped.
        box: x0, y0, x1, y1 in pixels of `image`; wins over everything else.

    Returns:
        The cropped picture, and how it was cropped.

    Raises:
        PictureError: The box lies outside the picture or is empty, or the modality is unknown.
    """
    if box is not None:
        return image.crop(_inside(box, image.size)), "box"
    if modality is None or modality == "clinical":
        return image, "whole"
    if modality != "dermoscopy":
        raise PictureError(f"Unknown modality '{modality}'.", "It is 'dermoscopy', 'clinical', or None.")
    from dermnote.images.lesion_crop import (
        find_lesion_square,  # scikit-image is slow to import, and only this branch needs it
    )

    square, found = find_lesion_square(image)
    return image.crop(square), "otsu" if found else "centre"


def prepare_picture(
    source: Picture,
    modality: Modality | None,
    box: Box | None = None,
    *,
    aspect: float | None = None,
    max_pixels: int = MAX_PIXELS,
) -> tuple[Image.Image, Crop]:
    """Opens, crops and scales a picture: RGB, short side 256. This makes the stored cases, and the app's queries.

    Args:
        source: See `open_picture`, also for the errors.
        modality: See `crop_lesion`.
        box: See `crop_lesion`.
        aspect: True width / height of a picture that somebody squashed; None leaves its shape.
        max_pixels: See `open_picture`.
    """
    image = open_picture(source, max_pixels=max_pixels, at_least=None if box else DECODED_SIDE)
    if aspect is not None:
        image = _unsquash(image, aspect)
    cropped, crop = crop_lesion(image, modality, box)
    return resize_short_side(cropped, STORED_SIDE), crop


def resize_short_side(image: Image.Image, size: int = STORED_SIDE) -> Image.Image:
    """Scales so that the short side has `size` pixels; bilinear with antialiasing."""
    width, height = image.size
    scale = size / min(width, height)
    wanted = (max(size, round(width * scale)), max(size, round(height * scale)))
    return image if wanted == image.size else image.resize(wanted, Image.Resampling.BILINEAR)


def to_square(image: Image.Image, size: int) -> Image.Image:
    """Centre-crops to a square and scales to (size, size); bilinear with antialiasing. THE evaluation geometry."""
    return ImageOps.fit(image, (size, size), method=Image.Resampling.BILINEAR)


def encode_jpeg(image: Image.Image, quality: int = JPEG_QUALITY) -> bytes:
    """The picture as JPEG, without any metadata."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def decode_jpeg(data: bytes, size: int) -> Image.Image:
    """Decodes a stored JPEG to RGB, at a fraction of its size if that still leaves twice `size` on the short side."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            _draft(image, 2 * size)
            return image.convert("RGB")
    except Exception as error:
        raise PictureError("A stored picture is damaged.", "Prepare the cases again.") from error


def _unsquash(image: Image.Image, aspect: float) -> Image.Image:
    """Stretches the side that was squashed more."""
    wider = aspect * image.height >= image.width
    size = (round(image.height * aspect), image.height) if wider else (image.width, round(image.width / aspect))
    return image.resize(size, Image.Resampling.BICUBIC)


def _draft(image: Image.Image, short_side: int) -> None:
    """Asks the JPEG decoder for the smallest size that keeps `short_side`; other formats ignore it."""
    image.draft("RGB", (short_side, short_side))


def _read_bytes(source: str | Path | bytes | BinaryIO) -> tuple[str, bytes]:
    """A name fit to show (never a folder: uploads lie in temporary ones), and at most MAX_BYTES of data."""
    if isinstance(source, bytes):
        name, data = "the picture", source
    elif isinstance(source, str | Path):
        path = Path(source)
        name = path.name or str(source)
        try:
            if not path.is_file():
                raise PictureError(f"{name} is not there." if not path.exists() else f"{name} is not a file.")
            with path.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            raise PictureError(f"{name} cannot be read.", "Check that it exists and may be read.") from error
    elif hasattr(source, "read"):
        name, data = "the picture", source.read(MAX_BYTES + 1)
    else:
        raise PictureError(f"A {type(source).__name__} is not a picture.", "Pass a path, bytes, PIL picture or array.")
    if len(data) > MAX_BYTES:
        raise PictureError(f"{name} is larger than {MAX_BYTES // 1024**2} MB.", "Scale it down first.")
    return name, data


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Turns whatever a decoder throws at broken data (OSError to struct.error) into one line."""
    try:
        yield
    except (PictureError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(f"{name} has too many pixels.", "Scale it down first.") from error
    except UnidentifiedImageError as error:
        raise PictureError(f"{name} is not a picture that can be read.", FORMATS_HINT) from error
    except Exception as error:
        raise PictureError(f"{name} is damaged or cut off.", "Copy or export it again.") from error


def _checked_rgb(image: Image.Image, name: str, max_pixels: int) -> Image.Image:
    _check_size(image.size, name, max_pixels)
    image.load()  # a cut-off file fails here
    return to_rgb(image)


def _check_size(size: tuple[int, int], name: str, max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise PictureError(
            f"{name} is {width} x {height} pixels; the limit is {max_pixels:,} pixels.", "Scale it down first."
        )
    if min(size) < MIN_SIDE:
        raise PictureError(f"{name} is {width} x {height} pixels; each side needs at least {MIN_SIDE}.")
    if max(size) > MAX_ASPECT * min(size):
        raise PictureError(f"{name} is {width} x {height} pixels; that is too narrow to be a photo.")


def _inside(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    width, height = size
    if not all(np.isfinite(box)):
        raise PictureError(f"The box {box} is not four numbers.")
    x0, y0, x1, y1 = max(0, round(box[0])), max(0, round(box[1])), min(width, round(box[2])), min(height, round(box[3]))
    if x1 - x0 < MIN_SIDE or y1 - y0 < MIN_SIDE:
        raise PictureError(f"The box {box} leaves under {MIN_SIDE} pixels of a {width} x {height} picture.")
    return x0, y0, x1, y1
