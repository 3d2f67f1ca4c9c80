"""Thumbnails of many cases as sequences that read each JPEG when it is asked for, so that none waits in memory."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import overload

import numpy as np

from dermnote.index.case_table import THUMBNAIL, CaseTable

Jpeg = bytes | None


class _Lazy(Sequence[Jpeg]):
    """A sequence by `_at` of rows from 0."""

    @abstractmethod
    def _at(self, row: int) -> Jpeg: ...

    @overload
    def __getitem__(self, at: int) -> Jpeg: ...
    @overload
    def __getitem__(self, at: slice) -> list[Jpeg]: ...
    def __getitem__(self, at: int | slice) -> Jpeg | list[Jpeg]:
        if isinstance(at, slice):
            return [self._at(row) for row in range(*at.indices(len(self)))]
        return self._at(range(len(self))[at])  # negative numbers count from the end; IndexError beyond


class Thumbnails(_Lazy):
    """The thumbnails of a table."""

    def __init__(self, table: CaseTable) -> None:
        self._table = table

    def __len__(self) -> int:
        return len(self._table)

    def _at(self, row: int) -> Jpeg:
        jpeg: Jpeg = self._table.row(row)[THUMBNAIL]
        return jpeg


class Chained(_Lazy):
    """One sequence after another."""

    def __init__(self, first: Sequence[Jpeg], second: Sequence[Jpeg]) -> None:
        self._first, self._second = first, second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def _at(self, row: int) -> Jpeg:
        return self._first[row] if row < len(self._first) else self._second[row - len(self._first)]


class Picked(_Lazy):
    """Some rows of a sequence, (r,) int."""

    def __init__(self, whole: Sequence[Jpeg], rows: np.ndarray) -> None:
        self._whole, self._rows = whole, rows

    def __len__(self) -> int:
        return len(self._rows)

    def _at(self, row: int) -> Jpeg:
        return self._whole[int(self._rows[row])]
