"""Pictures of a Parquet part as an uncompressed Arrow file beside it: read at random from disk, never all in memory.

Parquet gives pictures by whole row groups only. So they are copied once, row group by row group, into a file that the
system maps into memory: a picture then costs one read, and what is read again lies in the system's cache, which all
processes of a machine share. A file is named after the part and a mark of its state, so a changed part gets another.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock
from tqdm.auto import tqdm

from dermnote.errors import CasesError

from ..runtime.environment import ENVIRONMENT, cache_folder
from .jpeg_column import SCHEMA

BESIDE = ".arrow"
BATCH_BYTES = 32e6  # what is held in memory while a file is written
BATCH_ROWS = 256
PICTURES = "image.bytes"
ELSEWHERE = f"Set {ENVIRONMENT} to a folder with room that you may write to."


def picture_bytes(part: Path) -> int:
    """Bytes of all pictures of a Parquet part, told by its footer alone."""
    return sum(column.total_uncompressed_size for column in _picture_chunks(pq.read_metadata(part)))


def mapped_files(cases: Path, parts: Sequence[Path]) -> list[Path]:
    """The Arrow files of these Parquet parts, made where they are not there yet. Safe in several processes at once.

    Args:
        cases: The cases folder.
        parts: Parquet files in it.

    Raises:
        CasesError: There is no place that may be written to, or no room.
    """
    names = [f"{part.name}.{_mark(part)}.arrow" for part in parts]
    for folder in _places(cases):
        if all((folder / name).is_file() for name in names):
            return [folder / name for name in names]
    folder = _writable(cases)
    try:
        with _one_at_a_time(folder):
            missing = [(part, folder / name) for part, name in zip(parts, names, strict=True)]
            missing = [(part, path) for part, path in missing if not path.is_file()]
            if missing:
                _remove_stale(folder, parts, names)
                _check_room(folder, sum(picture_bytes(part) for part, _ in missing))
                _write_all(missing)
    except pa.ArrowException as error:
        raise CasesError(f"{cases} cannot be read: one of its Parquet files is damaged.") from error
    except OSError as error:
        raise CasesError(
            f"The pictures of {cases} cannot be mapped in {folder}: {error.strerror}.", ELSEWHERE
        ) from error
    return [folder / name for name in names]


def _mark(part: Path) -> str:
    """Of a part's state: size, time, and the footer, which tells the place and size of everything in it."""
    state = part.stat()
    with part.open("rb") as stream:
        stream.seek(-8, os.SEEK_END)
        length = int.from_bytes(stream.read(4), "little")
        stream.seek(-min(length + 8, state.st_size), os.SEEK_END)
        footer = stream.read()
    digest = hashlib.sha256(f"{state.st_size} {state.st_mtime_ns} ".encode())
    digest.update(footer)
    return digest.hexdigest()[:16]


def _places(cases: Path) -> list[Path]:
    """Where the files may lie, the best place first."""
    key = hashlib.sha256(str(cases.resolve()).encode()).hexdigest()[:16]
    own = cache_folder("cases") / key
    return [own] if os.environ.get(ENVIRONMENT) else [cases / BESIDE, own]


def _writable(cases: Path) -> Path:
    for folder in _places(cases):
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
            return folder
    tried = " nor in ".join(map(str, _places(cases)))
    raise CasesError(f"The pictures of {cases} cannot be mapped: nothing can be written in {tried}.", ELSEWHERE)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Lets one process of many write; where the file system knows no locks, each writes its own, and the last stays."""
    lock = FileLock(folder / ".lock")
    with suppress(NotImplementedError, OSError):
        lock.acquire()
    try:
        if lock.is_locked:  # then what is still aside was left by a process that was killed
            for left in folder.glob("*.part"):
                shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        lock.release()


def _remove_stale(folder: Path, parts: Sequence[Path], names: Sequence[str]) -> None:
    """Removes files of an earlier state of these parts, and those of parts that are no longer there."""
    asked = {part.name for part in parts}
    there = {part.name for part in parts[0].parent.iterdir()}
    for path in folder.glob("*.arrow"):
        part = path.name.rsplit(".", 2)[0]
        if (part in asked and path.name not in names) or part not in there:
            with suppress(OSError):  # Windows keeps what another process has mapped
                path.unlink()


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed * 1.01 > free:
        words = f"Mapping the pictures takes {needed / 1e9:.1f} GB in {folder}, which has {free / 1e9:.1f} GB free."
        raise CasesError(words, ELSEWHERE)


def _write_all(missing: Sequence[tuple[Path, Path]]) -> None:
    total = sum(pq.read_metadata(part).num_rows for part, _ in missing)
    with tqdm(total=total, desc="mapping pictures (once)", unit="img", leave=False) as bar:
        for part, path in missing:
            # A name of its own even where two machines share the disk and a process number.
            with tempfile.TemporaryDirectory(prefix=".", suffix=".part", dir=path.parent) as aside:
                _write(part, Path(aside) / path.name, bar)
                (Path(aside) / path.name).replace(path)


def _write(part: Path, path: Path, bar: tqdm) -> None:
    """Copies the pictures in small batches; the read is buffered, as a row group may be larger than memory."""
    with pq.ParquetFile(part, buffer_size=1 << 20, pre_buffer=False) as source:
        mean = picture_bytes(part) / max(source.metadata.num_rows, 1)
        rows = int(max(1, min(BATCH_ROWS, BATCH_BYTES / max(mean, 1))))
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
            for batch in source.iter_batches(rows, columns=[PICTURES], use_threads=False):
                pictures = batch.column(0).flatten()[0].cast(pa.binary())
                writer.write_batch(pa.record_batch([pictures], schema=SCHEMA))
                bar.update(len(pictures))


def _picture_chunks(metadata: pq.FileMetaData) -> Iterator[pq.ColumnChunkMetaData]:
    found = [i for i in range(metadata.num_columns) if metadata.schema.column(i).path == PICTURES]
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        yield from (row_group.column(i) for i in found)
