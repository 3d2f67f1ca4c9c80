"""A stranger's zip: looked over before a byte of it is unpacked, then read a picture at a time, never onto the disk."""

from __future__ import annotations

import io
import stat
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from dermnote.app.batch.batch_items import Item, LeftOut, Upload
from dermnote.app.batch.batch_limits import MAX_FILE_MB, MAX_MEMBERS, MAX_TABLE_MB, MAX_UNPACKED_MB, MB
from dermnote.errors import CasesError, PictureError

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
PACKED = {".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz"}
TABLE = ".csv"
ENCRYPTED = 0x1  # a bit of a member's flags
CHUNK, MOST_AT_ONCE = 256 * 1024, MB


@dataclass(frozen=True)
class Contents:
    """What a zip holds."""

    items: Sequence[Item]
    tables: Sequence[Item]
    left_out: Sequence[LeftOut]


class _Sipped(io.BufferedReader):
    """A file of which nobody reads much at once: `ZipFile` takes its list of members in one draught, however long."""

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file, up to a limit."""
        if size is not None and size > MOST_AT_ONCE:
            raise ValueError("the list of members is too long")
        return super().read(size)


def open_archive(upload: Upload, stack: ExitStack) -> Contents:
    """Lists what a zip holds; nothing is unpacked yet.

    Args:
        upload: The zip.
        stack: Keeps it open as long as its pictures may be asked for.

    Raises:
        CasesError: It is no zip, has a password, or holds too much, or names that lead out of it.
    """
    try:
        file = stack.enter_context(_Sipped(io.FileIO(upload.path)))
        archive = stack.enter_context(ZipFile(file))
    except FileNotFoundError as error:
        raise CasesError(f"{upload.name} is no longer here.", "Drop it once more.") from error
    except Exception as error:  # whatever broken data does to `zipfile`: struct.error, UnicodeDecodeError, ...
        raise CasesError(f"{upload.name} is not a zip that can be opened.", "Pack it again.") from error
    members = [info for info in archive.infolist() if not info.is_dir() and not _is_litter(_name(info))]
    _refuse_dangerous(upload.name, archive.infolist())
    items: list[Item] = []
    tables: list[Item] = []
    left_out: list[LeftOut] = []
    for info in members:
        name = _name(info)
        if reason := _left_out_because(info):
            left_out.append(LeftOut(name, reason))
        else:
            kind = tables if _suffix(info) == TABLE else items
            kind.append(Item(name, partial(_unpacked, archive, info)))
    return Contents(items, tables, left_out)


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


def _left_out_because(info: ZipInfo) -> str:
    limit = MAX_TABLE_MB if _suffix(info) == TABLE else MAX_FILE_MB
    if stat.S_ISLNK(info.external_attr >> 16):
        return "a link, not a file"
    if _suffix(info) in PACKED:
        return "an archive inside the zip"
    if _suffix(info) not in PICTURES | {TABLE}:
        return "not a picture"
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        return "packed in an unusual way"
    return f"larger than {limit} MB" if info.file_size > limit * MB else ""


def _name(info: ZipInfo) -> str:
    return info.filename.replace("\\", "/")  # as some programs on Windows write it


def _suffix(info: ZipInfo) -> str:
    return PurePosixPath(_name(info)).suffix.lower()


def _leads_out(name: str) -> bool:
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or name[1:2] == ":"


def _is_litter(name: str) -> bool:
    """What file managers add: macOS puts a "._scan.jpg" that is no picture beside every picture."""
    path = PurePosixPath(name)
    return path.name.startswith(".") or "__MACOSX" in path.parts or path.name in ("Thumbs.db", "desktop.ini")


def _unpacked(archive: ZipFile, info: ZipInfo) -> bytes:
    """A member in memory; `zipfile` stops at the size that was looked over, whatever really follows."""
    try:
        with archive.open(info) as stream:
            return b"".join(iter(partial(stream.read, CHUNK), b""))
    except Exception as error:  # zlib.error, BadZipFile, EOFError, struct.error, ...
        raise PictureError("It is damaged inside the zip.", "Pack it again.") from error
