"""CSV table of a batch: a column with file names, and columns with known facts on each lesion."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import PurePosixPath

from dermnote.app.batch.archive import MAX_TABLE_MB, MB
from dermnote.errors import CasesError
from dermnote.metadata import LesionMetadata
from dermnote.notes.template import UNKNOWN

FILE_COLUMNS = ("file", "file_name", "filename", "picture", "image", "image_id", "path")
KNOWN = tuple(field.name for field in fields(LesionMetadata))
SEXES = {"f": "female", "m": "male"}
AS_CSV = "Save it as CSV UTF-8."


@dataclass(frozen=True)
class TableRow:
    """A row: its file name, its fields, and its number in the table (the header is 1)."""

    file: str
    fields: Mapping[str, str]
    number: int


@dataclass(frozen=True)
class MetadataTable:
    """A parsed table.

    Attributes:
        name: Of its file.
        rows: Those with a file name.
        used: Columns that go into the notes.
        unused: All other columns.
    """

    name: str
    rows: Sequence[TableRow]
    used: Sequence[str]
    unused: Sequence[str]


@dataclass(frozen=True)
class TableMatch:
    """Rows matched to images.

    Attributes:
        rows: By the image's name.
        absent: File names of the table without an image.
        ambiguous: File names of the table that fit several images.
    """

    rows: Mapping[str, Sequence[TableRow]]
    absent: Sequence[str]
    ambiguous: Sequence[str]


def read_table(data: bytes, name: str) -> MetadataTable:
    """Read a CSV with commas, semicolons or tabs.

    Raises:
        CasesError: It is too large, no table, or lacks a column of file names.
    """
    if len(data) > MAX_TABLE_MB * MB:
        raise CasesError(f"{name} is larger than {MAX_TABLE_MB} MB.", "Keep the rows of these pictures only.")
    try:
        lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=_delimiter(data)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise CasesError(f"{name} cannot be read as a table.", AS_CSV) from error
    heads = [cell.strip().lower().replace(" ", "_") for cell in lines[0]] if lines else []
    file = next((column for column in FILE_COLUMNS if column in heads), None)
    if file is None:
        raise CasesError(f"{name} has no column with file names.", f"Call it {', '.join(FILE_COLUMNS[:-1])} or path.")
    if double := next((head for head in (file, *KNOWN) if heads.count(head) > 1), None):
        raise CasesError(f"{name} has two columns named '{double}'.", "Rename one.")
    rows = [_row(dict(zip(heads, cells, strict=False)), file, number) for number, cells in enumerate(lines[1:], 2)]
    used = [head for head in heads if head in KNOWN]
    unused = [head for head in heads if head and head != file and head not in KNOWN]
    return MetadataTable(name, [row for row in rows if row.file], used, unused)


def match(table: MetadataTable, names: Sequence[str]) -> TableMatch:
    """Match rows to images: by the whole path, else by the name alone, else by the name without its suffix."""
    found: dict[str, list[TableRow]] = defaultdict(list)
    by_key = _by_key(names)
    absent: list[str] = []
    ambiguous: list[str] = []
    for row in table.rows:
        wanted = row.file.replace("\\", "/").removeprefix("./").casefold()
        fitting = next((by_key[key] for key in (wanted, PurePosixPath(wanted).name) if key in by_key), [])
        if len(fitting) == 1:
            found[fitting[0]].append(row)
        else:
            (ambiguous if fitting else absent).append(row.file)
    return TableMatch(found, absent, ambiguous)


def _by_key(names: Sequence[str]) -> Mapping[str, Sequence[str]]:
    keys: dict[str, list[str]] = {}
    for key_of in (str, _last, _stem):  # a closer match by an earlier key is not made ambiguous by a later one
        found: dict[str, list[str]] = defaultdict(list)
        for name in names:
            found[key_of(name).casefold()].append(name)
        keys = {**found, **keys}
    return keys


def _last(name: str) -> str:
    return PurePosixPath(name).name


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _row(cells: Mapping[str, str], file: str, number: int) -> TableRow:
    values = {column: cells.get(column, "").strip() for column in KNOWN}
    values["sex"] = SEXES.get(values["sex"].lower(), values["sex"].lower())
    values["malignancy"] = values["malignancy"].lower()
    known = {column: value for column, value in values.items() if value.lower() not in UNKNOWN}
    return TableRow(cells.get(file, "").strip(), known, number)


def _delimiter(data: bytes) -> str:
    head = data.split(b"\n", 1)[0].decode("utf-8", "replace")
    return max(",;\t", key=head.count)
