"""The last line of a notes.jsonl, which a run that was stopped may have left half written."""

from __future__ import annotations

import os
from pathlib import Path

from dermnote.errors import NotesError
from dermnote.notes.schema import parse_line

BLOCK = 1 << 16


def repair_tail(path: Path) -> str:
    """Makes the file end with a whole line.

    Returns:
        One line on what was done, or "".
    """
    start, tail = last_line(path)
    if not tail or tail.endswith(b"\n"):
        return ""
    try:
        parse_line(tail, str(path))
    except NotesError:
        os.truncate(path, start)
        return f"{path}: the last line was torn; it is removed and its note is written again."
    with path.open("ab") as stream:
        stream.write(b"\n")
    return f"{path}: the last line had no end; it has one now."


def last_line(path: Path) -> tuple[int, bytes]:
    """Where the last line starts, and the line; read from the end, as the file may be large."""
    with path.open("rb") as stream:
        start, tail = stream.seek(0, os.SEEK_END), b""
        while start and b"\n" not in tail[:-1]:
            block = min(BLOCK, start)
            start -= block
            stream.seek(start)
            tail = stream.read(block) + tail
    cut = tail[:-1].rfind(b"\n") + 1
    return start + cut, tail[cut:]
