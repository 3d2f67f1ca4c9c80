"""The cases behind an index: rows and thumbnails looked up one by one, so that a million of them wait on the disk."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dermnote.errors import BundleError
from dermnote.index.faiss_header import REBUILD
from dermnote.metadata import LesionMetadata

if TYPE_CHECKING:
    import pandas as pd

TABLE_COLUMNS = ("case_id", "source", "split", "modality", "note", *(field.name for field in fields(LesionMetadata)))
THUMBNAIL = "thumbnail"
ROWS_A_GROUP = 512  # a hit decodes one group: under a millisecond, and 2 MB with thumbnails of 128 px
GROUPS_KEPT = 8  # decoded groups kept for the next hits


class CaseTable(Protocol):
    """One row a case."""

    def __len__(self) -> int:
        """Cases."""

    def row(self, number: int) -> dict[str, Any]:
        """`TABLE_COLUMNS` and "thumbnail" (JPEG) of a case, None for what is not known."""

    def frame(self, columns: Sequence[str] = TABLE_COLUMNS) -> pd.DataFrame:
        """These columns of all cases; one that was not recorded when the table was made is empty."""

    def pieces(self) -> Iterator[Any]:
        """The whole table as Arrow tables of at most `ROWS_A_GROUP` rows, thumbnails last."""


class MemoryTable:
    """Cases as they are when an index is built.

    Args:
        frame: `TABLE_COLUMNS`, one row a case.
        thumbnails: One JPEG (or None) a case, in the same order.
    """

    def __init__(self, frame: pd.DataFrame, thumbnails: Sequence[bytes | None]) -> None:
        self._frame, self._thumbnails = frame, thumbnails

    def __len__(self) -> int:
        return len(self._frame)

    def row(self, number: int) -> dict[str, Any]:
        """See `CaseTable`."""
        case: dict[str, Any] = self._arrow.slice(number, 1).to_pylist()[0]
        return {**case, THUMBNAIL: self._thumbnails[number]}

    def frame(self, columns: Sequence[str] = TABLE_COLUMNS) -> pd.DataFrame:
        """See `CaseTable`."""
        return self._frame[list(columns)]

    def pieces(self) -> Iterator[Any]:
        """See `CaseTable`."""
        import pyarrow as pa

        for start in range(0, len(self), ROWS_A_GROUP):
            thumbnails = [self._thumbnails[row] for row in range(start, min(start + ROWS_A_GROUP, len(self)))]
            column = pa.array(thumbnails, type=pa.binary())
            yield self._arrow.slice(start, ROWS_A_GROUP).append_column(THUMBNAIL, column)

    @cached_property
    def _arrow(self) -> Any:
        import pyarrow as pa

        return pa.Table.from_pandas(self._frame, preserve_index=False)


class ParquetTable:
    """Cases in a Parquet file; a row costs the decoding of the group it is in. For several threads at once.

    Args:
        path: What `write_table` wrote. It must not be changed in place.

    Raises:
        BundleError: Missing, damaged, or without the columns a hit needs.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path = path
        try:
            self._file = pq.ParquetFile(path)  # not mapped: every page a hit touched would stay
        except (OSError, pa.ArrowException) as error:
            raise self._damaged() from error
        if not {"case_id", "note", "source", "split", THUMBNAIL} <= set(self._file.schema_arrow.names):
            raise self._damaged()
        about = self._file.metadata
        self._ends = list(accumulate(about.row_group(group).num_rows for group in range(about.num_row_groups)))
        self._kept: OrderedDict[int, Any] = OrderedDict()
        self._reading = threading.Lock()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def row(self, number: int) -> dict[str, Any]:
        """See `CaseTable`."""
        if not 0 <= number < len(self):
            raise IndexError(f"There is no case {number} of {len(self)}.")
        group = bisect_right(self._ends, number)
        first = self._ends[group - 1] if group else 0
        case: dict[str, Any] = self._group(group).slice(number - first, 1).to_pylist()[0]
        return case

    def frame(self, columns: Sequence[str] = TABLE_COLUMNS) -> pd.DataFrame:
        """See `CaseTable`."""
        import pyarrow as pa

        try:
            with self._reading:
                there = [name for name in columns if name in self._file.schema_arrow.names]
                return _whole(self._file.read(there)).to_pandas().reindex(columns=list(columns))
        except (OSError, pa.ArrowException) as error:
            raise self._damaged() from error

    def pieces(self) -> Iterator[Any]:
        """See `CaseTable`."""
        import pyarrow as pa

        with self._reading:
            for batch in self._file.iter_batches(ROWS_A_GROUP):
                yield pa.Table.from_batches([batch], schema=self._file.schema_arrow)

    def _group(self, group: int) -> Any:
        import pyarrow as pa

        with self._reading:
            if group not in self._kept:
                try:
                    self._kept[group] = _whole(self._file.read_row_group(group, use_threads=False))
                except (OSError, pa.ArrowException) as error:
                    raise self._damaged() from error
            self._kept.move_to_end(group)
            if len(self._kept) > GROUPS_KEPT:
                self._kept.popitem(last=False)
            return self._kept[group]

    def _damaged(self) -> BundleError:
        return BundleError(f"{self._path} is missing or damaged.", REBUILD)


def _whole(table: Any) -> Any:
    """The table, known to hold what its types say: Parquet takes any bytes for text; an Arrow error if it does not."""
    table.validate(full=True)
    return table


def write_table(table: CaseTable, path: Path) -> None:
    """Writes a table as Parquet, in groups small enough that a hit reads one of them."""
    import pyarrow.parquet as pq

    writer = None
    try:
        for piece in table.pieces():
            writer = writer or pq.ParquetWriter(path, piece.schema)
            writer.write_table(piece)
    finally:
        if writer is not None:
            writer.close()
