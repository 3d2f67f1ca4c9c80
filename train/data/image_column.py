"""Stored images by row: JPEG bytes in Arrow, held in memory or mapped from files; nothing is decoded in advance.

Parquet gives images by whole row groups only. So those of a large folder are copied once, in small batches, into
uncompressed Arrow files that the system maps into memory: an image then costs one read, and the system's page cache is
shared by all processes of a machine. A file is named after its Parquet part and a digest of the part's state.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock
from tqdm.auto import tqdm

from dermnote.errors import CasesError

from ..runtime.environment import ENVIRONMENT, cache_folder

SCHEMA = pa.schema([("bytes", pa.binary())])  # of a file that images are mapped from
PARQUET_COLUMN = "image.bytes"
BESIDE = ".arrow"  # folder in the cases folder
BATCH_BYTES, BATCH_ROWS = 32e6, 256  # held in memory while a file is written
HINT = f"Set {ENVIRONMENT} to a writable folder with enough disk space."


class JpegColumn(Sequence[bytes]):
    """JPEG bytes by row: a selection shares the column, and an image is copied out when it is read.

    Args:
        column: All images, of type binary.
        rows: Row numbers in the column, in order; None for all.
        files: Arrow files the column is mapped from, if any. Only their names are pickled: another process maps them.
    """

    def __init__(self, column: pa.ChunkedArray, rows: np.ndarray | None = None, files: Sequence[Path] = ()) -> None:
        self._column, self._files = column, tuple(files)
        self._chunks = column.chunks
        self._starts = np.cumsum([0, *(len(chunk) for chunk in self._chunks)])
        self._rows = np.arange(len(column)) if rows is None else rows

    @classmethod
    def mapped(cls, files: Sequence[Path], rows: np.ndarray | None = None) -> JpegColumn:
        """Return the images of Arrow files, one file after another, left on disk until they are read.

        Raises:
            CasesError: A file is missing or damaged.
        """
        chunks: list[pa.Array] = []
        for path in files:
            try:
                chunks += pa.ipc.open_file(pa.memory_map(str(path))).read_all().column(0).chunks
            except (OSError, pa.ArrowException) as error:
                hint = "Start again: the file is rebuilt."
                raise CasesError(f"The mapped images {path} are gone or damaged.", hint) from error
        return cls(pa.chunked_array(chunks, pa.binary()), rows, files)

    @classmethod
    def in_memory(cls, parts: Sequence[Path]) -> JpegColumn:
        """Return the images of Parquet parts of a cases folder, read at once."""
        read = (pq.ParquetFile(path).read([PARQUET_COLUMN])["image"] for path in parts)
        chunks = [chunk.flatten()[0].cast(pa.binary()) for column in read for chunk in column.chunks]
        return cls(pa.chunked_array(chunks, pa.binary()))

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> JpegColumn: ...
    def __getitem__(self, index: int | slice) -> bytes | JpegColumn:
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        row = int(self._rows[index])
        chunk = int(np.searchsorted(self._starts, row, side="right")) - 1
        jpeg: bytes = self._chunks[chunk][row - int(self._starts[chunk])].as_py()
        return jpeg

    def take(self, rows: np.ndarray) -> JpegColumn:
        """Return the given rows, in that order."""
        return JpegColumn(self._column, self._rows[rows], self._files)

    def absent(self) -> np.ndarray:
        """Return (n,) whether a row has no bytes. Reads lengths only."""
        lengths = pc.fill_null(pc.binary_length(self._column), 0).to_numpy()
        absent: np.ndarray = lengths == 0
        return absent[self._rows]

    def __reduce__(self) -> tuple[Any, ...]:
        if self._files:
            return JpegColumn.mapped, (self._files, self._rows)
        return JpegColumn, (self._column, self._rows)


def image_bytes(part: Path) -> int:
    """Return the size of all images of a Parquet part in bytes, from its footer alone."""
    metadata = pq.read_metadata(part)
    columns = [i for i in range(metadata.num_columns) if metadata.schema.column(i).path == PARQUET_COLUMN]
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    return sum(group.column(i).total_uncompressed_size for group in groups for i in columns)


def mapped_files(cases: Path, parts: Sequence[Path]) -> list[Path]:
    """Return the Arrow files of a cases folder's Parquet parts; missing ones are written. Safe across processes.

    Raises:
        CasesError: No folder is writable, or the disk is full.
    """
    names = [f"{part.name}.{_state_digest(part)}.arrow" for part in parts]
    for folder in _folders(cases):
        if all((folder / name).is_file() for name in names):
            return [folder / name for name in names]
    folder = _writable_folder(cases)
    try:
        with _locked(folder):
            missing = [
                (part, path) for part, name in zip(parts, names, strict=True) if not (path := folder / name).is_file()
            ]
            if missing:
                _remove_stale(folder, parts, names)
                _check_disk_space(folder, sum(image_bytes(part) for part, _ in missing))
                _write_all(missing)
    except pa.ArrowException as error:
        raise CasesError(f"{cases} cannot be read: one of its Parquet files is damaged.") from error
    except OSError as error:
        raise CasesError(f"The images of {cases} cannot be mapped in {folder}: {error.strerror}.", HINT) from error
    return [folder / name for name in names]


def _state_digest(part: Path) -> str:
    """Return a digest of a part's size, time and footer, which has the offset and size of everything in it."""
    state = part.stat()
    with part.open("rb") as stream:
        stream.seek(-8, os.SEEK_END)
        length = int.from_bytes(stream.read(4), "little")
        stream.seek(-min(length + 8, state.st_size), os.SEEK_END)
        footer = stream.read()
    return hashlib.sha256(f"{state.st_size} {state.st_mtime_ns} ".encode() + footer).hexdigest()[:16]


def _folders(cases: Path) -> list[Path]:
    """Return the folders that may hold the files, the preferred one first."""
    key = hashlib.sha256(str(cases.resolve()).encode()).hexdigest()[:16]
    own = cache_folder("cases") / key
    return [own] if os.environ.get(ENVIRONMENT) else [cases / BESIDE, own]


def _writable_folder(cases: Path) -> Path:
    for folder in _folders(cases):
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
            return folder
    tried = " nor in ".join(map(str, _folders(cases)))
    raise CasesError(f"The images of {cases} cannot be mapped: nothing can be written in {tried}.", HINT)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process write; on a file system without locks each writes its own file, and the last one is kept."""
    lock = FileLock(folder / ".lock")
    with suppress(NotImplementedError, OSError):
        lock.acquire()
    try:
        if lock.is_locked:  # so any partial file was left by a killed process
            for left in folder.glob("*.part"):
                shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        lock.release()


def _remove_stale(folder: Path, parts: Sequence[Path], names: Sequence[str]) -> None:
    """Remove files of an earlier state of these parts, and those of parts that no longer exist."""
    current = {part.name for part in parts}
    existing = {part.name for part in parts[0].parent.iterdir()}
    for path in folder.glob("*.arrow"):
        part = path.name.rsplit(".", 2)[0]
        if (part in current and path.name not in names) or part not in existing:
            with suppress(OSError):  # Windows keeps a file that another process has mapped
                path.unlink()


def _check_disk_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed * 1.01 > free:
        message = f"Mapping the images takes {needed / 1e9:.1f} GB in {folder}, which has {free / 1e9:.1f} GB free."
        raise CasesError(message, HINT)


def _write_all(missing: Sequence[tuple[Path, Path]]) -> None:
    total = sum(pq.read_metadata(part).num_rows for part, _ in missing)
    with tqdm(total=total, desc="mapping images (once)", unit="img", leave=False) as bar:
        for part, path in missing:
            # The folder's random name differs even between two machines that share the disk and a process number.
            with tempfile.TemporaryDirectory(prefix=".", suffix=".part", dir=path.parent) as aside:
                _write(part, Path(aside) / path.name, bar)
                (Path(aside) / path.name).replace(path)


def _write(part: Path, path: Path, bar: tqdm) -> None:
    """Copy the images in small batches; the read is buffered, as a row group may be larger than memory."""
    with pq.ParquetFile(part, buffer_size=1 << 20, pre_buffer=False) as source:
        mean = image_bytes(part) / max(source.metadata.num_rows, 1)
        rows = int(max(1, min(BATCH_ROWS, BATCH_BYTES / max(mean, 1))))
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
            for batch in source.iter_batches(rows, columns=[PARQUET_COLUMN], use_threads=False):
                images = batch.column(0).flatten()[0].cast(pa.binary())
                writer.write_batch(pa.record_batch([images], schema=SCHEMA))
                bar.update(len(images))
