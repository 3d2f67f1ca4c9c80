"""Safe opening of untrusted images, and the image geometry that training, index and app share.

Steps: `open_image` -> `crop_lesion` -> `resize_short_side(256)` -> stored JPEG -> `to_square`. `prepare_image` does
the first three, so that a query is made in the same way as the training data. Visitors of the app read the messages.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from dermnote.errors import ImageError

ImageSource = str | Path | bytes | BinaryIO | Image.Image | np.ndarray[Any, Any]
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
# Raster formats only: Pillow also reads scripts (EPS) and rare containers.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
FORMATS_HINT = "Use a JPEG, PNG, WebP, GIF, BMP or TIFF file."


def open_image(source: ImageSource, *, max_pixels: int = MAX_PIXELS, at_least: int | None = None) -> Image.Image:
    """Open an image as plain RGB: orientation applied, first frame only, alpha on white, metadata removed.

    Args:
        source: A path, encoded bytes, a binary stream, a PIL image, or an array of shape (H, W), (H, W, 1), (H, W, 3)
            or (H, W, 4), uint8, uint16 or float in 0..1.
        max_pixels: Larger images are refused before any pixel is decoded.
        at_least: Allows a large JPEG to be decoded at a fraction of its size, as long as its short side keeps this many
            pixels. Faster, but boxes in pixels of the original no longer fit.

    Raises:
        ImageError: It is missing, empty, too large, truncated, too narrow, or not an image.
    """
    if isinstance(source, np.ndarray):
        if source.ndim >= 2:
            _check_size((source.shape[1], source.shape[0]), "the array", max_pixels)
        return _to_rgb(_from_array(source))
    if isinstance(source, Image.Image):
        with _decoding("the picture"):
            return _checked_rgb(source, "the picture", max_pixels)
    name, data = _read_bytes(source)
    if not data:
        raise ImageError(f"{name} is empty.", FORMATS_HINT)
    with _decoding(name), Image.open(io.BytesIO(data), formats=FORMATS) as image:
        if at_least is not None and min(image.size) > 2 * at_least:
            _check_size(image.size, name, max_pixels)
            image.draft("RGB", (at_least, at_least))
        return _checked_rgb(image, name, max_pixels)


def crop_lesion(image: Image.Image, modality: Modality | None, box: Box | None = None) -> tuple[Image.Image, Crop]:
    """Crop an RGB image to the lesion; return the crop and its method.

    Args:
        image: RGB image.
        modality: "dermoscopy" finds the lesion by Otsu's threshold (else takes the centre square); "clinical" is left
            whole; None means already cropped.
        box: x0, y0, x1, y1 in pixels of `image`; overrides the modality.

    Raises:
        ImageError: The box is outside the image or is empty, or the modality is unknown.
    """
    if box is not None:
        return image.crop(_checked_box(box, image.size)), "box"
    if modality is None or modality == "clinical":
        return image, "whole"
    if modality != "dermoscopy":
        raise ImageError(f"Unknown modality '{modality}'.", "It is 'dermoscopy', 'clinical', or None.")
    from dermnote.images.lesion_crop import find_lesion_square  # scikit-image is slow to import

    square, found = find_lesion_square(image)
    return image.crop(square), "otsu" if found else "centre"


def prepare_image(
    source: ImageSource,
    modality: Modality | None,
    box: Box | None = None,
    *,
    aspect: float | None = None,
    max_pixels: int = MAX_PIXELS,
) -> tuple[Image.Image, Crop]:
    """Open, crop and scale an image to RGB with a short side of 256 px; for stored cases and for queries.

    `aspect` is the true width / height of an image that was stored distorted; None keeps its shape. For the other
    arguments and the errors see `open_image` and `crop_lesion`.
    """
    image = open_image(source, max_pixels=max_pixels, at_least=None if box else DECODED_SIDE)
    if aspect is not None:  # enlarge the side that was compressed
        wider = aspect * image.height >= image.width
        size = (round(image.height * aspect), image.height) if wider else (image.width, round(image.width / aspect))
        image = image.resize(size, Image.Resampling.BICUBIC)
    cropped, crop = crop_lesion(image, modality, box)
    return resize_short_side(cropped, STORED_SIDE), crop


def resize_short_side(image: Image.Image, size: int = STORED_SIDE) -> Image.Image:
    """Scale an image to a short side of `size` pixels; bilinear with antialiasing."""
    width, height = image.size
    scale = size / min(width, height)
    scaled = (max(size, round(width * scale)), max(size, round(height * scale)))
    return image if scaled == image.size else image.resize(scaled, Image.Resampling.BILINEAR)


def to_square(image: Image.Image, size: int) -> Image.Image:
    """Centre-crop to a square and scale to (size, size); bilinear with antialiasing. The evaluation geometry."""
    return ImageOps.fit(image, (size, size), method=Image.Resampling.BILINEAR)


def encode_jpeg(image: Image.Image, quality: int = JPEG_QUALITY) -> bytes:
    """Encode an image as JPEG without metadata."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def decode_jpeg(data: bytes, size: int) -> Image.Image:
    """Decode a stored JPEG to RGB, at a fraction of its size if that still leaves twice `size` on the short side."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            image.draft("RGB", (2 * size, 2 * size))
            return image.convert("RGB")
    except Exception as error:
        raise ImageError("A stored picture is damaged.", "Prepare the cases again.") from error


def _read_bytes(source: str | Path | bytes | BinaryIO) -> tuple[str, bytes]:
    """Return a name to show and up to MAX_BYTES of data; a file's name without its folder, which may be temporary."""
    name = "the picture"
    if isinstance(source, bytes):
        data = source
    elif isinstance(source, str | Path):
        path = Path(source)
        name = path.name or str(source)
        try:
            if not path.is_file():
                raise ImageError(f"{name} is not a file." if path.exists() else f"{name} does not exist.")
            with path.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            raise ImageError(f"{name} cannot be read.", "Check that it exists and is readable.") from error
    elif hasattr(source, "read"):
        data = source.read(MAX_BYTES + 1)
    else:
        raise ImageError(f"A {type(source).__name__} is not a picture.", "Pass a path, bytes, PIL image or array.")
    if len(data) > MAX_BYTES:
        raise ImageError(f"{name} is larger than {MAX_BYTES // 1024**2} MB.", "Scale it down first.")
    return name, data


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Convert any exception a decoder raises on broken data (OSError to struct.error) to one ImageError."""
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{name} has too many pixels.", "Scale it down first.") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is not a picture that can be read.", FORMATS_HINT) from error
    except Exception as error:
        raise ImageError(f"{name} is damaged or cut off.", "Copy or export it again.") from error


def _checked_rgb(image: Image.Image, name: str, max_pixels: int) -> Image.Image:
    _check_size(image.size, name, max_pixels)
    image.load()  # fails on a truncated file
    return _to_rgb(image)


def _check_size(size: tuple[int, int], name: str, max_pixels: int) -> None:
    stated = f"{name} is {size[0]} x {size[1]} pixels;"
    if size[0] * size[1] > max_pixels:
        raise ImageError(f"{stated} the limit is {max_pixels:,} pixels.", "Scale it down first.")
    if min(size) < MIN_SIDE:
        raise ImageError(f"{stated} each side needs at least {MIN_SIDE}.")
    if max(size) > MAX_ASPECT * min(size):
        raise ImageError(f"{stated} that is too narrow to be a photo.")


def _checked_box(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    width, height = size
    if not all(np.isfinite(box)):
        raise ImageError(f"The box {box} is not four numbers.")
    x0, y0, x1, y1 = max(0, round(box[0])), max(0, round(box[1])), min(width, round(box[2])), min(height, round(box[3]))
    if x1 - x0 < MIN_SIDE or y1 - y0 < MIN_SIDE:
        raise ImageError(f"The box {box} leaves under {MIN_SIDE} pixels of a {width} x {height} picture.")
    return x0, y0, x1, y1


def _to_rgb(image: Image.Image) -> Image.Image:
    with contextlib.suppress(Exception):  # the pixels are valid even if the EXIF data is not
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        image = _to_8_bit(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    clean = image.convert("RGB")
    clean.info = {}  # EXIF, GPS, colour profile, comments
    return clean


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Scale 16-bit, 32-bit and float grey to 8 bits; Pillow's own conversion would clip instead."""
    values = np.asarray(image, dtype=np.float64)
    peak = float(values.max(initial=0.0))
    if image.mode.startswith("I;16") or peak > 255:
        values = values / 257
    elif image.mode == "F" and peak <= 1:
        values = values * 255
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _from_array(array: np.ndarray[Any, Any]) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.size == 0 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ImageError(f"An array of shape {array.shape} is not a picture.", "Use (H, W), (H, W, 3) or (H, W, 4).")
    if array.dtype == np.uint16:
        array = array / np.float32(65535)
    if np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise ImageError("Float pixels must be in 0..1.", "Divide by 255, or use uint8.")
        array = np.rint(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise ImageError(f"An array of {array.dtype} is not a picture.", "Use uint8, uint16, or floats in 0..1.")
    return Image.fromarray(np.ascontiguousarray(array))
