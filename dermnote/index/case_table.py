"""Table of the cases behind an index: rows and thumbnails are read from disk one by one; columns are filtered."""

from __future__ import annotations

import difflib
import shutil
import threading
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from dermnote.config import unknown_key
from dermnote.errors import BundleError, IndexQueryError
from dermnote.index.faiss_index import REBUILD
from dermnote.index.recall import Rows
from dermnote.metadata import LesionMetadata

if TYPE_CHECKING:
    import pandas as pd

TABLE_COLUMNS = ("case_id", "source", "split", "modality", "note", *(field.name for field in fields(LesionMetadata)))
FILTER_COLUMNS = ("label", "subtype", "malignancy", "source", "split", "modality", "site", "sex", "skin_type")
THUMBNAIL = "thumbnail"
ROWS_A_GROUP = 512  # a hit decodes one group: under a millisecond, and 2 MB with thumbnails of 128 px
CACHED_GROUPS = 8  # decoded groups kept for the next hits
Jpeg = bytes | None
Where = Mapping[str, str | Collection[str]]


class CaseTable(ABC):
    """One row for each case."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def row(self, number: int) -> dict[str, Any]:
        """Return `TABLE_COLUMNS` and "thumbnail" (JPEG) of a case, None for unknown values."""

    @abstractmethod
    def frame(self, columns: Sequence[str] = TABLE_COLUMNS) -> pd.DataFrame:
        """Return these columns of all cases; a column that the table lacks is empty."""

    @abstractmethod
    def write(self, path: Path) -> None:
        """Write the table as Parquet, thumbnails last."""

    def matching(self, where: Where | None) -> Rows | None:
        """Return the rows that match every condition, ascending; an unknown value matches none.

        Args:
            where: One value or several alternatives by column (`FILTER_COLUMNS`). None or empty: all cases.

        Returns:
            (r,), r may be 0; None for all cases.

        Raises:
            IndexQueryError: An unknown column, or a value of no case (the message names the nearest of each).
        """
        if not where:
            return None
        matches = np.ones(len(self), dtype=bool)
        for column, values in where.items():
            if column not in FILTER_COLUMNS:
                error = unknown_key(str(column), FILTER_COLUMNS, "where")
                raise IndexQueryError(error.message, error.hint)
            if column not in self._factors:
                import pandas as pd

                codes, names = pd.factorize(self.frame([column])[column].replace("", None))
                self._factors[column] = codes, [str(name) for name in names]
            codes, names = self._factors[column]
            alternatives = [values] if isinstance(values, str) else list(values)
            matches &= np.isin(codes, [_code(column, str(value), names) for value in alternatives])
        return np.flatnonzero(matches)

    @cached_property
    def _factors(self) -> dict[str, tuple[Rows, list[str]]]:
        """Codes (n,), -1 for unknown, and their values by column."""
        return {}


def _code(column: str, value: str, names: list[str]) -> int:
    if value in names:
        return names.index(value)
    near = difflib.get_close_matches(value, names, n=3, cutoff=0.0)
    hint = f"The nearest of {len(names)} values: {', '.join(near)}." if near else "It is recorded for none of them."
    raise IndexQueryError(f"No case of this index has {column} '{value}'.", hint)


class MemoryTable(CaseTable):
    """Cases in memory, while an index is built: `TABLE_COLUMNS` and a JPEG (or None) for each case."""

    def __init__(self, frame: pd.DataFrame, thumbnails: Sequence[Jpeg]) -> None:
        self._frame, self._thumbnails = frame, thumbnails

    def __len__(self) -> int:
        return len(self._frame)

    def row(self, number: int) -> dict[str, Any]:
        """Return a case; see `CaseTable`."""
        case: dict[str, Any] = self._arrow.slice(number, 1).to_pylist()[0]
        return {**case, THUMBNAIL: self._thumbnails[number]}

    def frame(self, columns: Sequence[str] = TABLE_COLUMNS) -> pd.DataFrame:
        """Return columns; see `CaseTable`."""
        return self._frame[list(columns)]

    def write(self, path: Path) -> None:
        """Write the table in row groups small enough to decode one for each hit."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        thumbnail = pa.field(THUMBNAIL, pa.binary())
        with pq.ParquetWriter(path, self._arrow.schema.append(thumbnail)) as writer:
            for start in range(0, len(self), ROWS_A_GROUP):
                group = self._arrow.slice(start, ROWS_A_GROUP)
                jpegs = [self._thumbnails[start + row] for row in range(len(group))]
                writer.write_table(group.append_column(thumbnail, pa.array(jpegs, thumbnail.type)))

    @cached_property
    def _arrow(self) -> Any:
        import pyarrow as pa

        return pa.Table.from_pandas(self._frame, preserve_index=False)


class ParquetTable(CaseTable):
    """Cases in a Parquet file, which must not be changed in place; reading a row decodes its row group. Thread-safe.

    Raises:
        BundleError: Missing, damaged, or without required columns.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path = path
        try:
            self._file = pq.ParquetFile(path)  # not memory-mapped: every page a hit touched would stay in memory
        except (OSError, pa.ArrowException) as error:
            raise self._damaged() from error
        if not {"case_id", "note", "source", "split", THUMBNAIL} <= set(self._file.schema_arrow.names):
            raise self._damaged()
        metadata = self._file.metadata
        self._ends = list(accumulate(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)))
        self._cache: OrderedDict[int, Any] = OrderedDict()
        self._reading = threading.Lock()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def row(self, number: int) -> dict[str, Any]:
        """Return a case; see `CaseTable`."""
        if not 0 <= number < len(self):
            raise IndexError(f"There is no case {number} of {len(self)}.")
        group = bisect_right(self._ends, number)
        first = self._ends[group - 1] if group else 0
        case: dict[str, Any] = self._group(group).slice(number - first, 1).to_pylist()[0]
        return case

    def frame(self, columns: Sequence[str] = TABLE_COLUMNS) -> pd.DataFrame:
        """Return columns; see `CaseTable`."""
        present = [name for name in columns if name in self._file.schema_arrow.names]
        with self._reading:
            table = self._valid(lambda: self._file.read(present))
        return table.to_pandas().reindex(columns=list(columns))

    def write(self, path: Path) -> None:
        """Copy the file."""
        shutil.copyfile(self._path, path)

    def _group(self, group: int) -> Any:
        with self._reading:
            if group not in self._cache:
                self._cache[group] = self._valid(lambda: self._file.read_row_group(group, use_threads=False))
            self._cache.move_to_end(group)
            if len(self._cache) > CACHED_GROUPS:
                self._cache.popitem(last=False)
            return self._cache[group]

    def _valid(self, read: Callable[[], Any]) -> Any:
        """Read an Arrow table and validate it: Parquet accepts any bytes as text."""
        import pyarrow as pa

        try:
            table = read()
            table.validate(full=True)
        except (OSError, pa.ArrowException) as error:
            raise self._damaged() from error
        return table

    def _damaged(self) -> BundleError:
        return BundleError(f"{self._path} is missing or damaged.", REBUILD)


class Thumbnails(Sequence[Jpeg]):
    """Lazy sequence of `count` JPEGs; `read` returns one by its position."""

    def __init__(self, count: int, read: Callable[[int], Jpeg]) -> None:
        self._count, self._read = count, read

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> Jpeg: ...
    @overload
    def __getitem__(self, at: slice) -> list[Jpeg]: ...
    def __getitem__(self, at: int | slice) -> Jpeg | list[Jpeg]:
        if isinstance(at, slice):
            return [self._read(row) for row in range(self._count)[at]]
        return self._read(range(self._count)[at])  # negative positions count from the end; IndexError beyond
