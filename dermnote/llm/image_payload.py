"""The picture as it leaves the house: a small JPEG of the lesion, and nothing else."""

from __future__ import annotations

import io

from PIL import Image

from dermnote.errors import PictureError
from dermnote.images.opening import MAX_PIXELS, encode_jpeg, open_picture

LONGEST_SIDE = 512  # what "low" detail looks at; a larger picture costs more and shows no more
QUALITY = 90


def outgoing_jpeg(picture: Image.Image | bytes) -> bytes:
    """The picture as a JPEG of at most 512 px a side, encoded anew: no EXIF, comment or thumbnail survives.

    Args:
        picture: An opened picture, or the bytes of one.

    Raises:
        PictureError: The bytes are no picture that can be read.
    """
    image = open_picture(io.BytesIO(picture), max_pixels=MAX_PIXELS) if isinstance(picture, bytes) else picture
    if image.mode != "RGB":
        raise PictureError(f"The picture is {image.mode}, not RGB.", "Open it with dermnote.images.opening.")
    small = image.copy()
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    small.info = {}
    return encode_jpeg(small, QUALITY)
