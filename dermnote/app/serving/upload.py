"""Taking a stranger's file: stripped of its metadata before its address is known, opened safely when it is read."""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio import CapacityLimiter, to_thread
from gradio.utils import get_upload_folder
from PIL import Image

from dermnote.errors import PictureError
from dermnote.images.opening import DECODED_SIDE, encode_jpeg, open_picture
from dermnote.storage import replacing_file

if TYPE_CHECKING:
    from gradio.data_classes import ImageData
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

AT_ONCE = 2  # decoded pictures in memory while many upload
UPLOAD_ROUTE = "/gradio_api/upload"
# What a JPEG may say besides its pixels; anything else (EXIF with GPS, XMP, comments, profiles) is dropped.
HARMLESS = {"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "adobe", "adobe_transform", "progressive"}
HARMLESS_PARTS = {"APP0", "APP14"}  # JFIF and Adobe's colours; others may hold what Pillow does not list


def take_upload(payload: ImageData | None) -> Image.Image | PictureError | None:
    """Opens what the browser or a client sent: a path in Gradio's upload folder, or a data URL.

    A refused file is returned as its error, not raised: the page shows it beside the input, an endpoint raises it.
    """
    if payload is None or not (payload.path or payload.url):
        return None
    try:
        kept = _uploaded(Path(payload.path)) if payload.path else _decode(payload.url or "")
        return open_picture(kept, at_least=DECODED_SIDE)
    except PictureError as error:
        return error


def _uploaded(path: Path) -> Path:
    """The file itself, if it lies where uploads do: Gradio lets a script name any other file of the server.

    A tool call puts its picture there past `CleanUploads`, so it is stripped here at the latest.
    """
    if not path.resolve().is_relative_to(Path(get_upload_folder()).resolve()):
        raise PictureError("That picture was not uploaded.", "Upload a file.")
    strip_metadata(path)
    return path


def strip_metadata(path: Path) -> None:
    """Puts the picture itself, upright and as a plain JPEG, in the place of its file, unless it is one already.

    What cannot be opened stays as it is: it is refused when it is read, and says why.
    """
    if _is_plain(path):
        return
    try:
        picture = open_picture(path, at_least=DECODED_SIDE)
    except PictureError:
        return
    with replacing_file(path) as aside:
        aside.write_bytes(encode_jpeg(picture))


def _is_plain(path: Path) -> bool:
    try:
        with Image.open(path, formats=["JPEG"]) as image:
            return set(image.info) <= HARMLESS and {name for name, _ in image.applist} <= HARMLESS_PARTS
    except Exception:  # whatever is wrong with it, `open_picture` says in words
        return False


class CleanUploads:
    """ASGI middleware: strips uploads after they are written and before the browser is told where they are.

    Later would be too late: the browser asks for the file at once, and must not meet it while it changes.

    Args:
        app: What answers the requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._few = CapacityLimiter(AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on; holds back the answer to an upload."""
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith(UPLOAD_ROUTE):
            await self.app(scope, receive, send)
            return
        held: list[Message] = []

        async def hold(message: Message) -> None:
            held.append(message)

        await self.app(scope, receive, hold)  # to its very end: Gradio may still be moving the file
        body = b"".join(message.get("body", b"") for message in held)
        if held and held[0].get("status") == 200:
            for path in _paths(body):
                await to_thread.run_sync(strip_metadata, path, limiter=self._few)
        for message in held:
            await send(message)


def _paths(body: bytes) -> list[Path]:
    listed: Any = json.loads(body)
    return [Path(each) for each in listed if Path(each).is_file()]


def _decode(url: str) -> bytes:
    try:
        kind, encoded = url.split(",", 1)
        if not kind.startswith("data:image/"):
            raise ValueError(kind)
        return base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise PictureError("That is not a picture.", "Upload a file.") from error
