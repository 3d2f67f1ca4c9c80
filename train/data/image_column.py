"""Stored pictures by row: bytes out of Arrow, held in memory or mapped from files; nothing is decoded in advance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dermnote.errors import CasesError

SCHEMA = pa.schema([("bytes", pa.binary())])  # of a file that pictures are mapped from


class JpegColumn(Sequence[bytes]):
    """JPEG bytes by row: a selection shares the column, and a picture is copied out when it is asked for.

    Args:
        column: All pictures, of type binary.
        rows: Which of them, in which order; None for all.
        files: The Arrow files the column is mapped from, if it is. Another process then maps them itself: what is
            pickled for it are their names.
    """

    def __init__(self, column: pa.ChunkedArray, rows: np.ndarray | None = None, files: Sequence[Path] = ()) -> None:
        self._column, self._files = column, tuple(files)
        self._chunks = column.chunks
        self._starts = np.cumsum([0, *(len(chunk) for chunk in self._chunks)])
        self._rows = np.arange(len(column)) if rows is None else rows

    @classmethod
    def mapped(cls, files: Sequence[Path], rows: np.ndarray | None = None) -> JpegColumn:
        """The pictures of Arrow files, one file after another, left on disk until they are asked for.

        Raises:
            CasesError: A file is gone or damaged.
        """
        chunks: list[pa.Array] = []
        for path in files:
            try:
                chunks += pa.ipc.open_file(pa.memory_map(str(path))).read_all().column(0).chunks
            except (OSError, pa.ArrowException) as error:
                hint = "Start again: it is made anew."
                raise CasesError(f"The mapped pictures {path} are gone or damaged.", hint) from error
        return cls(pa.chunked_array(chunks, pa.binary()), rows, files)

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
        """The given rows, in that order."""
        return JpegColumn(self._column, self._rows[rows], self._files)

    def absent(self) -> np.ndarray:
        """(n,) whether a row has no bytes. Reads lengths alone, no picture."""
        lengths = pc.fill_null(pc.binary_length(self._column), 0).to_numpy()
        absent: np.ndarray = lengths == 0
        return absent[self._rows]

    def __reduce__(self) -> tuple[Any, ...]:
        if self._files:
            return JpegColumn.mapped, (self._files, self._rows)
        return JpegColumn, (self._column, self._rows)
