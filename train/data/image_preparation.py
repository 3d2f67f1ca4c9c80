"""Image preparation in worker processes: open, crop, scale, encode, hash. A bad image never ends a run."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from dermnote.errors import CasesError, DermNoteError
from dermnote.images.opening import Crop, encode_jpeg, prepare_image
from dermnote.storage import sha256_of

from .sources import RawCase

CHUNK = 16  # images handed to a worker at once
MIN_CASES = 64  # below, starting processes takes longer than the work
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class PreparedImage:
    """An image ready to store, or the error.

    Attributes:
        jpeg: The encoded image; empty on error.
        crop: The way it was cropped.
        pixels_sha256: Of the prepared pixels, before encoding.
        file_sha256: Of the file it came from; None if it was drawn.
        error: One line; empty without an error.
    """

    jpeg: bytes = b""
    crop: Crop = "whole"
    pixels_sha256: str = ""
    file_sha256: str | None = None
    error: str = ""


def prepare_all(cases: Sequence[RawCase], *, workers: int, max_pixels: int) -> Iterator[PreparedImage]:
    """Prepare images in the order given, on `workers` processes (1: in this one).

    Raises:
        CasesError: A worker process was killed.
    """
    prepare = partial(prepare_one, max_pixels=max_pixels)
    if workers <= 1 or len(cases) < MIN_CASES:
        yield from map(prepare, cases)
        return
    context = multiprocessing.get_context("spawn")  # forking a process that has threads can hang
    with _one_thread_each(), ProcessPoolExecutor(workers, context, initializer=_silence_pillow) as pool:
        try:
            yield from pool.map(prepare, cases, chunksize=CHUNK)
        except BrokenProcessPool as error:
            hint = "Try --workers 1, or a lower --max-pixels."
            raise CasesError("A worker process was killed, perhaps for lack of memory.", hint) from error


def prepare_one(case: RawCase, max_pixels: int) -> PreparedImage:
    """Prepare one image; any error is in `error`."""
    try:
        image = case.picture() if callable(case.picture) else case.picture
        file_sha256 = sha256_of(image) if isinstance(image, Path) else None
        prepared, crop = prepare_image(image, case.modality, case.box, aspect=case.aspect, max_pixels=max_pixels)
    except DermNoteError as error:
        return PreparedImage(error=error.message)
    except Exception as error:  # one bad file never stops a run
        return PreparedImage(error=f"{type(error).__name__}: {error}".splitlines()[0])
    digest = hashlib.sha256(repr(prepared.size).encode() + prepared.tobytes()).hexdigest()
    return PreparedImage(encode_jpeg(prepared), crop, digest, file_sha256)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Give each worker one thread: workers share the cores by process."""
    before = {name: os.environ[name] for name in THREADS if name in os.environ}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name in THREADS:
            os.environ.pop(name)
        os.environ.update(before)


def _silence_pillow() -> None:
    """Ignore Pillow's warning about large images: they are refused with a reason."""
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
