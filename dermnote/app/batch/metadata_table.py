"""The table that may come with the pictures: a column with the file's name, and what is known of each lesion."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import PurePosixPath

from dermnote.app.batch.batch_limits import MAX_TABLE_MB, MB
from dermnote.errors import CasesError
from dermnote.metadata import LesionMetadata
from dermnote.notes.template import UNKNOWN

FILE_COLUMNS = ("file", "file_name", "filename", "picture", "image", "image_id", "path")
KNOWN = tuple(field.name for field in fields(LesionMetadata))
SEXES = {"f": "female", "m": "male"}
AS_CSV = "Save it as CSV UTF-8."


@dataclass(frozen=True)
class Row:
    """One row: the file it speaks of, what it says, and its place in the table (the heading is 1)."""

    file: str
    says: Mapping[str, str]
    place: int


@dataclass(frozen=True)
class Table:
    """A table that was read.

    Attributes:
        name: Of its file.
        rows: Those that name a file.
        used: Columns that go into the notes.
        unused: All other columns.
    """

    name: str
    rows: Sequence[Row]
    used: Sequence[str]
    unused: Sequence[str]


@dataclass(frozen=True)
class Matched:
    """Which rows speak of which picture.

    Attributes:
        rows: By the picture's name.
        absent: Files that the table names and nobody gave.
        unclear: Files that the table names and several pictures could be.
    """

    rows: Mapping[str, Sequence[Row]]
    absent: Sequence[str]
    unclear: Sequence[str]


def read_table(data: bytes, name: str) -> Table:
    """Reads a CSV with commas, semicolons or tabs.

    Raises:
        CasesError: It is too large, no table, or lacks a column with file names.
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
    rows = [_row(dict(zip(heads, cells, strict=False)), file, place) for place, cells in enumerate(lines[1:], 2)]
    used = [head for head in heads if head in KNOWN]
    unused = [head for head in heads if head and head != file and head not in KNOWN]
    return Table(name, [row for row in rows if row.file], used, unused)


def match(table: Table, names: Sequence[str]) -> Matched:
    """Finds the picture of each row: by its whole path, else by its name alone, else by its name without the ending."""
    found: dict[str, list[Row]] = defaultdict(list)
    by_key = _by_key(names)
    absent, unclear = [], []
    for row in table.rows:
        wanted = row.file.replace("\\", "/").removeprefix("./").casefold()
        fitting = next((by_key[key] for key in (wanted, PurePosixPath(wanted).name) if key in by_key), [])
        if len(fitting) == 1:
            found[fitting[0]].append(row)
        else:
            (unclear if fitting else absent).append(row.file)
    return Matched(found, absent, unclear)


def _by_key(names: Sequence[str]) -> Mapping[str, Sequence[str]]:
    keys: dict[str, list[str]] = {}
    for way in (str, _last, _stem):  # a closer fit found by an earlier way is not made unclear by a later one
        found: dict[str, list[str]] = defaultdict(list)
        for name in names:
            found[way(name).casefold()].append(name)
        keys = {**found, **keys}
    return keys


def _last(name: str) -> str:
    return PurePosixPath(name).name


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _row(cells: Mapping[str, str], file: str, place: int) -> Row:
    says = {column: cells.get(column, "").strip() for column in KNOWN}
    says["sex"] = SEXES.get(says["sex"].lower(), says["sex"].lower())
    says["malignancy"] = says["malignancy"].lower()
    known = {column: value for column, value in says.items() if value.lower() not in UNKNOWN}
    return Row(cells.get(file, "").strip(), known, place)


def _delimiter(data: bytes) -> str:
    head = data.split(b"\n", 1)[0].decode("utf-8", "replace")
    return max(",;\t", key=head.count)
