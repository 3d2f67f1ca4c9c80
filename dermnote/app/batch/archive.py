"""Files of a batch and its limits; zips are checked before they are unpacked, one image at a time, in memory only."""

from __future__ import annotations

import io
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from dermnote.errors import CasesError, ImageError

MB = 1024 * 1024
MAX_IMAGES = 200
MAX_FILE_MB = 20  # of an image and of a zip: the app accepts no larger upload
MAX_UNPACKED_MB = 200  # of one zip; photos hardly shrink when they are packed
MAX_MEMBERS = 1000  # of one zip, skipped ones included
MAX_TABLE_MB = 2
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
PACKED = {".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz"}
TABLE, ZIP = ".csv", ".zip"
ENCRYPTED = 0x1  # a bit of a member's flags
CHUNK, MAX_READ = 256 * 1024, MB  # bytes


@dataclass(frozen=True)
class UploadedFile:
    """An uploaded file: its name as the visitor calls it, and its path on this machine."""

    name: str
    path: Path

    @property
    def suffix(self) -> str:
        """Return the suffix of its name in lower case."""
        return Path(self.name).suffix.lower()


@dataclass(frozen=True)
class BatchItem:
    """An image to read.

    Attributes:
        name: Unique in a batch; with its folders if it is from a zip.
        read: Returns its bytes; raises ImageError if it cannot be read.
        fields: Its row of the table, as `LesionMetadata` names them.
        error: Why it is not read at all; else empty.
    """

    name: str
    read: Callable[[], bytes]
    fields: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class SkippedFile:
    """A file that is not used, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class ArchiveContents:
    """Contents of a zip."""

    items: Sequence[BatchItem]
    tables: Sequence[BatchItem]
    skipped: Sequence[SkippedFile]


class _LimitedReader(io.BufferedReader):
    """A file with a limit on single reads: `ZipFile` reads its list of members at once, however long it is."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as of any file, at most `MAX_READ` bytes."""
        if size is not None and size > MAX_READ:
            raise ValueError("the list of members is too long")
        return super().read(size)


def open_archive(upload: UploadedFile, stack: ExitStack) -> ArchiveContents:
    """List the contents of a zip; nothing is unpacked yet.

    Args:
        upload: The zip.
        stack: Closes the zip; its items can be read until then.

    Raises:
        CasesError: It is no zip, has a password, is too large, or has names that lead out of it.
    """
    try:
        file = stack.enter_context(_LimitedReader(io.FileIO(upload.path)))
        archive = stack.enter_context(ZipFile(file))
    except FileNotFoundError as error:
        raise CasesError(f"{upload.name} is no longer here.", "Drop it once more.") from error
    except Exception as error:  # whatever broken data does to `zipfile`: struct.error, UnicodeDecodeError, ...
        raise CasesError(f"{upload.name} is not a zip that can be opened.", "Pack it again.") from error
    members = [info for info in archive.infolist() if not info.is_dir() and not _is_hidden(_name(info))]
    _refuse_dangerous(upload.name, archive.infolist())
    items: list[BatchItem] = []
    tables: list[BatchItem] = []
    skipped: list[SkippedFile] = []
    for info in members:
        name = _name(info)
        if reason := _reason_to_skip(info):
            skipped.append(SkippedFile(name, reason))
        else:
            kind = tables if _suffix(info) == TABLE else items
            kind.append(BatchItem(name, partial(_unpack, archive, info)))
    return ArchiveContents(items, tables, skipped)


def _refuse_dangerous(name: str, members: Sequence[ZipInfo]) -> None:
    if len(members) > MAX_MEMBERS:
        raise CasesError(f"{name} holds {len(members):,} files; the limit is {MAX_MEMBERS:,}.", "Make smaller zips.")
    if any(info.flag_bits & ENCRYPTED for info in members):
        raise CasesError(f"{name} is locked with a password.", "Pack it without one.")
    for info in members:
        if _leads_out(_name(info)):
            raise CasesError(f"{name} holds a name that leads out of it: {_name(info)[:80]!r}.", "Pack it again.")
    unpacked = sum(info.file_size for info in members) / MB
    if unpacked > MAX_UNPACKED_MB:
        hint = "Make smaller zips, or drop the pictures themselves."
        raise CasesError(f"{name} holds {unpacked:,.0f} MB unpacked; the limit is {MAX_UNPACKED_MB} MB.", hint)


def _reason_to_skip(info: ZipInfo) -> str:
    limit = MAX_TABLE_MB if _suffix(info) == TABLE else MAX_FILE_MB
    if stat.S_ISLNK(info.external_attr >> 16):
        return "a link, not a file"
    if _suffix(info) in PACKED:
        return "an archive inside the zip"
    if _suffix(info) not in IMAGE_SUFFIXES | {TABLE}:
        return "not a picture"
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        return "packed in an unusual way"
    return f"larger than {limit} MB" if info.file_size > limit * MB else ""


def _name(info: ZipInfo) -> str:
    return info.filename.replace("\\", "/")  # some programs on Windows write backslashes


def _suffix(info: ZipInfo) -> str:
    return PurePosixPath(_name(info)).suffix.lower()


def _leads_out(name: str) -> bool:
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or name[1:2] == ":"


def _is_hidden(name: str) -> bool:
    """Return whether a file manager added the file: macOS adds a "._scan.jpg" that is no image to every image."""
    path = PurePosixPath(name)
    return path.name.startswith(".") or "__MACOSX" in path.parts or path.name in ("Thumbs.db", "desktop.ini")


def _unpack(archive: ZipFile, info: ZipInfo) -> bytes:
    """Return the bytes of a member; `zipfile` stops at the size that was checked, whatever really follows."""
    try:
        with archive.open(info) as stream:
            return b"".join(iter(partial(stream.read, CHUNK), b""))
    except Exception as error:  # zlib.error, BadZipFile, EOFError, struct.error, ...
        raise ImageError("It is damaged inside the zip.", "Pack it again.") from error
