"""Zips as people make them, and as somebody means them who wants to do harm."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from dermnote.app.batch.archive import UploadedFile

CENTRAL = b"PK\x01\x02"
FLAGS_AT, SIZE_AT = 8, 24  # in a member's entry of the central directory


def zipped(members: dict[str, bytes], compression: int = ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def claiming(data: bytes, size: int) -> bytes:
    """The same zip, whose list says that each member has this size unpacked."""
    return _patched(data, SIZE_AT, struct.pack("<I", size))


def locked(data: bytes) -> bytes:
    """The same zip, whose list says that its members are encrypted."""
    return _patched(data, FLAGS_AT, struct.pack("<H", 1))


def with_link(name: str, target: str) -> bytes:
    buffer, info = io.BytesIO(), ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    with ZipFile(buffer, "w") as archive:
        archive.writestr(info, target)
    return buffer.getvalue()


def with_long_list() -> bytes:
    """Few members, and a list of them that takes more than a megabyte."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for number in range(20):
            info = ZipInfo(f"{number}.jpg")
            info.comment = b"x" * 60_000
            archive.writestr(info, b"")
    return buffer.getvalue()


def uploaded(folder: Path, name: str, data: bytes) -> UploadedFile:
    path = folder / Path(name).name
    path.write_bytes(data)
    return UploadedFile(name, path)


def _patched(data: bytes, at: int, value: bytes) -> bytes:
    changed, place = bytearray(data), data.find(CENTRAL)
    while place >= 0:
        changed[place + at : place + at + len(value)] = value
        place = data.find(CENTRAL, place + 1)
    return bytes(changed)
