"""Uploaded images: stripped of metadata, opened safely, and deleted by age and total size."""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import stat
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from anyio import to_thread
from PIL import Image, JpegImagePlugin

from dermnote.errors import ConfigError, ImageError
from dermnote.images.opening import DECODED_SIDE, encode_jpeg, open_image
from dermnote.storage import replacing_file

if TYPE_CHECKING:
    from gradio.data_classes import ImageData

FOLDER_NAME = f"dermnote-uploads-{getattr(os, 'getuid', lambda: 0)()}"  # one for each user of the machine
MAX_AGE_SECONDS = 3600
MAX_FOLDER_BYTES = 2 * 1024**3
TIDY_SECONDS = 60
# Allowed contents of a JPEG besides its pixels; anything else (EXIF with GPS, XMP, comments, profiles) is dropped.
HARMLESS = {"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "adobe", "adobe_transform", "progressive"}
HARMLESS_SEGMENTS = {"APP0", "APP14"}  # JFIF and Adobe's colours; others may hold what Pillow does not list


def open_upload(payload: ImageData | None) -> Image.Image | ImageError | None:
    """Open the payload of an image input: a path in Gradio's upload folder, or a data URL.

    The error of a refused file is returned, not raised: the page shows it beside the input, an endpoint raises it.
    """
    if payload is None or not (payload.path or payload.url):
        return None
    try:
        source = _uploaded(Path(payload.path)) if payload.path else _decode(payload.url or "")
        return open_image(source, at_least=DECODED_SIDE)
    except ImageError as error:
        return error


def _uploaded(path: Path) -> Path:
    """Return the path, stripped of metadata; raise ImageError unless it is inside the upload folder.

    Gradio lets a script name any file of the server, and a tool call brings its image past `CleanUploads`.
    """
    from gradio.utils import get_upload_folder  # imported late: `own_folder` runs before Gradio may be imported

    if not path.resolve().is_relative_to(Path(get_upload_folder()).resolve()):
        raise ImageError("That picture was not uploaded.", "Upload a file.")
    strip_metadata(path)
    return path


def _decode(url: str) -> bytes:
    try:
        kind, encoded = url.split(",", 1)
        if not kind.startswith("data:image/"):
            raise ValueError(kind)
        return base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise ImageError("That is not a picture.", "Upload a file.") from error


def strip_metadata(path: Path) -> None:
    """Replace an image file by an upright JPEG without metadata, unless it is one already.

    A file that cannot be opened stays as it is: it is refused, with the reason, when it is read.
    """
    if _is_stripped(path):
        return
    try:
        image = open_image(path, at_least=DECODED_SIDE)
    except ImageError:
        return
    with replacing_file(path) as temporary:
        temporary.write_bytes(encode_jpeg(image))


def _is_stripped(path: Path) -> bool:
    try:
        with Image.open(path, formats=["JPEG"]) as image:
            assert isinstance(image, JpegImagePlugin.JpegImageFile)
            segments = {name for name, _ in image.applist}
            return set(image.info) <= HARMLESS and segments <= HARMLESS_SEGMENTS
    except Exception:  # whatever is wrong with it, `open_image` reports it
        return False


def own_folder(parent: str) -> Path:
    """Create the folder of uploads, readable for this user only.

    Args:
        parent: GRADIO_TEMP_DIR; "" is the machine's folder for temporary files.

    Raises:
        ConfigError: It cannot be created, or belongs to another user.
    """
    folder = Path(parent or tempfile.gettempdir()).absolute() / FOLDER_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.is_symlink():
            raise PermissionError(folder)
        folder.chmod(0o700)  # fails where it belongs to another user
    except OSError as error:
        raise ConfigError(f"Uploads cannot be kept in {folder}.", "Name another folder in GRADIO_TEMP_DIR.") from error
    return folder


def tidy(folder: Path, max_age: float = MAX_AGE_SECONDS, max_bytes: int = MAX_FOLDER_BYTES) -> None:
    """Delete files older than `max_age` seconds, then the oldest until the rest takes at most `max_bytes`.

    Gradio deletes what its own process wrote down. Files of a killed process, of tool calls and of broken connections
    are not in that list, so the folder itself is searched.
    """
    found, now = list(_files_and_folders(folder)), time.time()
    files = sorted((changed, size, path) for path, changed, size, is_folder in found if not is_folder)
    total = sum(size for _, size, _ in files)
    for changed, size, path in files:
        if now - changed <= max_age and total <= max_bytes:
            break
        total -= size
        with suppress(OSError):
            path.unlink()
    for path, changed, _, is_folder in found:  # each upload has a folder of its own
        if is_folder and now - changed > max_age:
            with suppress(OSError):  # not empty: another upload of the same image is newer
                path.rmdir()


def _files_and_folders(folder: Path) -> Iterator[tuple[Path, float, int, bool]]:
    """Yield path, time of change, size and whether it is a folder; what disappears meanwhile is left out."""
    for path in folder.rglob("*"):
        with suppress(OSError):
            status = path.lstat()
            yield path, status.st_mtime, status.st_size, stat.S_ISDIR(status.st_mode)


@asynccontextmanager
async def tidied(folder: Path) -> AsyncIterator[None]:
    """Tidy the folder now and every minute until the block ends; only a folder that `own_folder` made."""

    async def repeat() -> None:
        while folder.name == FOLDER_NAME:
            await to_thread.run_sync(tidy, folder)
            await asyncio.sleep(TIDY_SECONDS)

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
