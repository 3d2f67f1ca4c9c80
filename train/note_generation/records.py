"""What a note may rest on, case by case, read from plain lists: a data frame takes long to give up a single row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from dermnote.metadata import LesionMetadata

from ..data.cases import Cases

NAMES = tuple(field.name for field in fields(LesionMetadata))


class Records:
    """Cases as they are written of.

    Attributes:
        case_ids: By row.
        images: JPEG bytes by row.
    """

    def __init__(self, cases: Cases) -> None:
        self.case_ids: list[str] = cases.table["case_id"].astype(str).tolist()
        self.images: Sequence[bytes] = cases.images
        self._table = cases.table
        self._columns = {name: cases.table[name].tolist() for name in NAMES}

    def __len__(self) -> int:
        return len(self.case_ids)

    def metadata(self, row: int) -> LesionMetadata:
        """What is known of one case besides its picture."""
        return LesionMetadata.from_mapping({name: column[row] for name, column in self._columns.items()})

    def picture(self, row: int) -> str:
        """Digest of one case's picture, as it was prepared."""
        return str(self._table["content_sha256"].iat[row])
