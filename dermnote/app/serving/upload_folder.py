"""Where uploads lie, and for how long: a folder of this app alone, looked over by age and by size.

Gradio deletes what its own process has noted down. What a killed process left, what a tool call brought and what a
broken connection left half-written is in no such list, so the folder itself is looked over.
"""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from anyio import to_thread

from dermnote.errors import ConfigError

NAME = f"dermnote-uploads-{getattr(os, 'getuid', lambda: 0)()}"  # one for each user of the machine
KEPT_SECONDS = 3600
KEPT_BYTES = 2 * 1024**3
EVERY_SECONDS = 60


def own_folder(parent: str) -> Path:
    """Makes the folder of uploads, which nobody else of the machine may read.

    Args:
        parent: GRADIO_TEMP_DIR; "" is the machine's folder for temporary files.

    Raises:
        ConfigError: It cannot be made, or belongs to somebody else.
    """
    folder = Path(parent or tempfile.gettempdir()).absolute() / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.is_symlink():
            raise PermissionError(folder)
        folder.chmod(0o700)  # refused where it is somebody else's
    except OSError as error:
        raise ConfigError(f"Uploads cannot be kept in {folder}.", "Name another folder in GRADIO_TEMP_DIR.") from error
    return folder


def tidy(folder: Path, age: float = KEPT_SECONDS, room: int = KEPT_BYTES) -> None:
    """Deletes files older than `age` seconds, then the oldest until the rest takes no more than `room` bytes."""
    found, now = list(_found(folder)), time.time()
    files = sorted((made, size, path) for path, made, size, is_folder in found if not is_folder)
    taken = sum(size for _, size, _ in files)
    for made, size, path in files:
        if now - made <= age and taken <= room:
            break
        taken -= size
        with suppress(OSError):
            path.unlink()
    for path, changed, _, is_folder in found:  # each upload has a folder of its own
        if is_folder and now - changed > age:
            with suppress(OSError):  # it is not empty: another upload of the same picture is newer
                path.rmdir()


def _found(folder: Path) -> Iterator[tuple[Path, float, int, bool]]:
    """Path, time of change, size and whether it is a folder; what goes away meanwhile is left out."""
    for path in folder.rglob("*"):
        with suppress(OSError):
            told = path.lstat()
            yield path, told.st_mtime, told.st_size, stat.S_ISDIR(told.st_mode)


@asynccontextmanager
async def looked_after(folder: Path) -> AsyncIterator[None]:
    """Tidies the folder now and every minute until the block ends; one that `own_folder` did not make is left alone."""

    async def again_and_again() -> None:
        while folder.name == NAME:
            await to_thread.run_sync(tidy, folder)
            await asyncio.sleep(EVERY_SECONDS)

    task = asyncio.create_task(again_and_again())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
