"""From the files somebody dropped to a batch: the pictures, each with what the table says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from dermnote.app.batch.archive import PICTURES, TABLE, open_archive
from dermnote.app.batch.batch_items import Item, LeftOut, Upload
from dermnote.app.batch.batch_limits import MAX_FILE_MB, MAX_PICTURES, MB
from dermnote.app.batch.metadata_table import Matched, Table, match, read_table
from dermnote.errors import CasesError, DermNoteError, PictureError

ZIP = ".zip"
NAMED = 3  # as many absent files are named; the rest is counted


@dataclass(frozen=True)
class Batch:
    """What is to be read.

    Attributes:
        items: The pictures, in the order they were given.
        left_out: What was given beside them, and why it is not used.
        table: The table, if one came with them.
        remarks: What about the table its owner should know, a line each.
    """

    items: Sequence[Item]
    left_out: Sequence[LeftOut] = ()
    table: Table | None = None
    remarks: Sequence[str] = ()


def gather(uploads: Sequence[Upload], stack: ExitStack) -> Batch:
    """Sorts uploads into pictures and a table. No picture is opened yet.

    Args:
        uploads: Pictures, zips of pictures, and at most one table (which may also lie in a zip).
        stack: Keeps zips open as long as pictures may be asked for.

    Raises:
        CasesError: There is no picture, too many, two tables, or a zip or table that cannot be used.
        PictureError: Nothing was given.
    """
    if not uploads:
        raise PictureError("There are no pictures yet.", "Drop some first, or a zip of them.")
    items: list[Item] = []
    tables: list[Item] = []
    left_out: list[LeftOut] = []
    for upload in uploads:
        if upload.suffix == ZIP:
            inside = open_archive(upload, stack)
            items += inside.items
            tables += inside.tables
            left_out += inside.left_out
        elif upload.suffix == TABLE:
            tables.append(_item(upload))
        elif upload.suffix in PICTURES:
            items.append(_item(upload))
        else:
            left_out.append(LeftOut(upload.name, "not a picture"))
    _refuse_counts(items, tables)
    return _with_table(_once_each(items), tables, left_out)


def _refuse_counts(items: Sequence[Item], tables: Sequence[Item]) -> None:
    if not items:
        raise CasesError("There is no picture in it.", f"Pictures end in {', '.join(sorted(PICTURES))}.")
    if len(items) > MAX_PICTURES:
        raise CasesError(f"These are {len(items):,} pictures; the limit is {MAX_PICTURES}.", "Give them in parts.")
    if len(tables) > 1:
        named = " and ".join(table.name for table in tables[:2])
        raise CasesError(f"There are {len(tables)} tables, among them {named}.", "Give one.")


def _with_table(items: Sequence[Item], tables: Sequence[Item], left_out: Sequence[LeftOut]) -> Batch:
    if not tables:
        return Batch(items, left_out)
    table = read_table(_bytes_of(tables[0]), tables[0].name)
    matched = match(table, list(dict.fromkeys(item.name for item in items)))
    told = [_told(item, matched) for item in items]
    return Batch(told, left_out, table, list(_remarks(table, matched)))


def _told(item: Item, matched: Matched) -> Item:
    rows = matched.rows.get(item.name, ())
    if len(rows) > 1 and not item.fault:
        return replace(item, fault=f"The table names it in rows {rows[0].place} and {rows[1].place}. Keep one.")
    return replace(item, fields=rows[0].says) if rows else item


def _remarks(table: Table, matched: Matched) -> Iterator[str]:
    if matched.absent:
        yield f"{table.name} names {_files(matched.absent)} not among the pictures: {_some(matched.absent)}."
    if matched.unclear:
        yield (
            f"{table.name} names {_files(matched.unclear)} found in several folders, so nothing of it is used: "
            f"{_some(matched.unclear)}. Write the folder before the name."
        )


def _files(names: Sequence[str]) -> str:
    return "1 file that is" if len(names) == 1 else f"{len(names):,} files that are"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(name[:80] for name in names[:NAMED]) + more


def _once_each(items: Sequence[Item]) -> Sequence[Item]:
    """The second of two pictures of one name is not read: nobody could tell the results apart."""
    seen: Counter[str] = Counter()
    told = []
    for item in items:
        seen[item.name] += 1
        fault = "Another picture has the same name. Rename one." if seen[item.name] > 1 else ""
        told.append(replace(item, fault=fault))
    return told


def _item(upload: Upload) -> Item:
    return Item(upload.name, lambda: _read(upload))


def _read(upload: Upload) -> bytes:
    try:
        if upload.path.stat().st_size > MAX_FILE_MB * MB:
            raise PictureError(f"It is larger than {MAX_FILE_MB} MB.", "Scale it down first.")
        return upload.path.read_bytes()
    except OSError as error:
        raise PictureError("It is no longer here.", "Drop it once more.") from error


def _bytes_of(table: Item) -> bytes:
    try:
        return table.read()
    except DermNoteError as error:
        raise CasesError(f"{table.name} cannot be read.", "Drop it once more.") from error
