"""Sorting of uploaded files into a batch: the images, each with its row of the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from dermnote.app.batch.archive import (
    IMAGE_SUFFIXES,
    MAX_FILE_MB,
    MAX_IMAGES,
    MB,
    TABLE,
    ZIP,
    BatchItem,
    SkippedFile,
    UploadedFile,
    open_archive,
)
from dermnote.app.batch.metadata_table import MetadataTable, TableMatch, match, read_table
from dermnote.errors import CasesError, DermNoteError, ImageError

if TYPE_CHECKING:
    from gradio.data_classes import ListFiles

NAMED = 3  # as many absent files are named; the rest is counted


@dataclass(frozen=True)
class Batch:
    """Images to read.

    Attributes:
        items: The images, in the order of upload.
        skipped: Files that are not used.
        table: The table, if there is one.
        remarks: Lines on rows of the table that match no image or several.
    """

    items: Sequence[BatchItem]
    skipped: Sequence[SkippedFile] = ()
    table: MetadataTable | None = None
    remarks: Sequence[str] = ()


def open_uploads(payload: ListFiles | None) -> list[UploadedFile]:
    """Return the files of a file input; Gradio has checked that the paths are in its upload folder."""
    return [_uploaded(file.path, file.orig_name) for file in payload or []]


def _uploaded(path: str, original: str | None) -> UploadedFile:
    name = PurePosixPath((original or path).replace("\\", "/")).name
    return UploadedFile(name or Path(path).name, Path(path))


def delete_uploads(uploads: Sequence[UploadedFile]) -> None:
    """Delete zips and tables, whose patient data was not stripped.

    Images stay until Gradio deletes them: their metadata was stripped at upload, and the Case tab may show the same
    file.
    """
    for upload in uploads:
        if upload.suffix in (ZIP, TABLE):
            upload.path.unlink(missing_ok=True)


def gather(uploads: Sequence[UploadedFile], stack: ExitStack) -> Batch:
    """Sort uploads into images and a table. No image is opened yet.

    Args:
        uploads: Images, zips of images, and at most one table (which may also be in a zip).
        stack: Closes the zips; their images can be read until then.

    Raises:
        CasesError: There is no image, too many, two tables, or a zip or table that cannot be used.
        ImageError: There are no uploads.
    """
    if not uploads:
        raise ImageError("There are no pictures yet.", "Drop some first, or a zip of them.")
    items: list[BatchItem] = []
    tables: list[BatchItem] = []
    skipped: list[SkippedFile] = []
    for upload in uploads:
        if upload.suffix == ZIP:
            inside = open_archive(upload, stack)
            items += inside.items
            tables += inside.tables
            skipped += inside.skipped
        elif upload.suffix == TABLE:
            tables.append(_item(upload))
        elif upload.suffix in IMAGE_SUFFIXES:
            items.append(_item(upload))
        else:
            skipped.append(SkippedFile(upload.name, "not a picture"))
    _refuse_counts(items, tables)
    return _with_table(_refuse_repeated_names(items), tables, skipped)


def _refuse_counts(items: Sequence[BatchItem], tables: Sequence[BatchItem]) -> None:
    if not items:
        raise CasesError("There is no picture in it.", f"Pictures end in {', '.join(sorted(IMAGE_SUFFIXES))}.")
    if len(items) > MAX_IMAGES:
        raise CasesError(f"These are {len(items):,} pictures; the limit is {MAX_IMAGES}.", "Give them in parts.")
    if len(tables) > 1:
        named = " and ".join(table.name for table in tables[:2])
        raise CasesError(f"There are {len(tables)} tables, among them {named}.", "Give one.")


def _with_table(items: Sequence[BatchItem], tables: Sequence[BatchItem], skipped: Sequence[SkippedFile]) -> Batch:
    if not tables:
        return Batch(items, skipped)
    table = read_table(_bytes_of(tables[0]), tables[0].name)
    matched = match(table, list(dict.fromkeys(item.name for item in items)))
    described = [_with_fields(item, matched) for item in items]
    return Batch(described, skipped, table, list(_remarks(table, matched)))


def _with_fields(item: BatchItem, matched: TableMatch) -> BatchItem:
    rows = matched.rows.get(item.name, ())
    if len(rows) > 1 and not item.error:
        return replace(item, error=f"The table names it in rows {rows[0].number} and {rows[1].number}. Keep one.")
    return replace(item, fields=rows[0].fields) if rows else item


def _remarks(table: MetadataTable, matched: TableMatch) -> Iterator[str]:
    if matched.absent:
        yield f"{table.name} names {_files(matched.absent)} not among the pictures: {_some(matched.absent)}."
    if matched.ambiguous:
        yield (
            f"{table.name} names {_files(matched.ambiguous)} found in several folders, so nothing of it is used: "
            f"{_some(matched.ambiguous)}. Write the folder before the name."
        )


def _files(names: Sequence[str]) -> str:
    return "1 file that is" if len(names) == 1 else f"{len(names):,} files that are"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(name[:80] for name in names[:NAMED]) + more


def _refuse_repeated_names(items: Sequence[BatchItem]) -> Sequence[BatchItem]:
    """Mark the second of two images with one name as an error: their results could not be distinguished."""
    seen: Counter[str] = Counter()
    checked = []
    for item in items:
        seen[item.name] += 1
        error = "Another picture has the same name. Rename one." if seen[item.name] > 1 else ""
        checked.append(replace(item, error=error))
    return checked


def _item(upload: UploadedFile) -> BatchItem:
    return BatchItem(upload.name, lambda: _read(upload))


def _read(upload: UploadedFile) -> bytes:
    try:
        if upload.path.stat().st_size > MAX_FILE_MB * MB:
            raise ImageError(f"It is larger than {MAX_FILE_MB} MB.", "Scale it down first.")
        return upload.path.read_bytes()
    except OSError as error:
        raise ImageError("It is no longer here.", "Drop it once more.") from error


def _bytes_of(table: BatchItem) -> bytes:
    try:
        return table.read()
    except DermNoteError as error:
        raise CasesError(f"{table.name} cannot be read.", "Drop it once more.") from error
