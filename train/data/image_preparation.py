"""Preparing pictures in worker processes: opened, cropped, scaled, encoded, hashed. A bad one never ends a run."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from dermnote.errors import CasesError, DermNoteError
from dermnote.images.opening import Crop, encode_jpeg, prepare_picture
from dermnote.storage import sha256_of

from .sources.raw import RawCase

CHUNK = 16  # pictures handed over at once
TOO_FEW = 64  # below, starting processes takes longer than the work
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Prepared:
    """A picture ready to store, or why it is not.

    Attributes:
        jpeg: The encoded picture; empty on error.
        crop: How it was cropped.
        pixels_sha256: Of the prepared pixels, before encoding.
        file_sha256: Of the file it came from; None if it was drawn.
        error: What is wrong with it; empty if nothing is.
    """

    jpeg: bytes = b""
    crop: Crop = "whole"
    pixels_sha256: str = ""
    file_sha256: str | None = None
    error: str = ""

    def without_jpeg(self) -> Prepared:
        """The same, with the picture let go."""
        return replace(self, jpeg=b"")


@dataclass(frozen=True)
class Task:
    """The part of a case that a worker needs."""

    case: RawCase
    max_pixels: int


def prepare_all(cases: Sequence[RawCase], *, workers: int, max_pixels: int) -> Iterator[Prepared]:
    """Prepares pictures in the order given, on `workers` processes (1: in this one).

    Raises:
        CasesError: A worker process was killed.
    """
    tasks = (Task(case, max_pixels) for case in cases)
    if workers <= 1 or len(cases) < TOO_FEW:
        yield from map(prepare_one, tasks)
        return
    context = multiprocessing.get_context("spawn")  # forking a process that has threads can hang
    with _one_thread_each(), ProcessPoolExecutor(workers, context, initializer=_be_quiet) as pool:
        try:
            yield from pool.map(prepare_one, tasks, chunksize=CHUNK)
        except BrokenProcessPool as error:
            hint = "Try --workers 1, or a lower --max-pixels."
            raise CasesError("A worker process was killed, perhaps for lack of memory.", hint) from error


def prepare_one(task: Task) -> Prepared:
    """Prepares one picture; whatever goes wrong with it is in `error`."""
    case = task.case
    try:
        picture = case.picture() if callable(case.picture) else case.picture
        file_sha256 = sha256_of(picture) if isinstance(picture, Path) else None
        image, crop = prepare_picture(picture, case.modality, case.box, aspect=case.aspect, max_pixels=task.max_pixels)
    except DermNoteError as error:
        return Prepared(error=error.message)
    except Exception as error:  # one bad file never stops a run
        return Prepared(error=f"{type(error).__name__}: {error}".splitlines()[0])
    digest = hashlib.sha256(repr(image.size).encode() + image.tobytes()).hexdigest()
    return Prepared(encode_jpeg(image), crop, digest, file_sha256)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Workers share the cores by process; threads on top only get in each other's way."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _be_quiet() -> None:
    """Pillow warns of large pictures on its own; ours are refused with a reason instead."""
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
