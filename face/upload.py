"""Taking a stranger's file: opened safely, and stripped of its metadata where it lies."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from dermnote.errors import PictureError
from dermnote.picture import DECODED_SIDE, encode_jpeg, open_picture
from dermnote.storage import replacing_file

if TYPE_CHECKING:
    from gradio.data_classes import ImageData

# What a JPEG may say besides its pixels; anything else (EXIF with GPS, XMP, comments, profiles) is dropped.
HARMLESS = {"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "adobe", "adobe_transform", "progressive"}


def take_upload(payload: ImageData | None, folder: Path) -> Image.Image | PictureError | None:
    """Opens what the browser or a client sent.

    A refused file is returned as its error, not raised: the page shows it beside the input, an endpoint raises it.

    Args:
        payload: What Gradio hands to a component: a path in its upload folder, or a data URL.
        folder: That upload folder; only files inside it are ever rewritten.
    """
    if payload is None or not (payload.path or payload.url):
        return None
    try:
        if payload.path:
            path = Path(payload.path)
            picture = open_picture(path, at_least=DECODED_SIDE)
            if path.resolve().is_relative_to(folder.resolve()):
                strip_metadata(path, picture)
            return picture
        return open_picture(_decode(payload.url or ""))
    except PictureError as error:
        return error


def strip_metadata(path: Path, picture: Image.Image) -> None:
    """Puts `picture` as a plain JPEG in the place of the file it was read from, unless that is one already.

    The browser goes on showing the file under its address, and later requests read the clean one.
    """
    with Image.open(path) as image:
        plain = image.format == "JPEG" and set(image.info) <= HARMLESS
    if not plain:
        with replacing_file(path) as aside:
            aside.write_bytes(encode_jpeg(picture))


def _decode(url: str) -> bytes:
    try:
        kind, encoded = url.split(",", 1)
        if not kind.startswith("data:image/"):
            raise ValueError(kind)
        return base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise PictureError("That is not a picture.", "Upload a file.") from error
