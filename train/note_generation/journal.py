"""notes.jsonl while it is being written: one writer, whole lines only, one row a case and strategy in the end."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from errno import ENOSPC
from pathlib import Path
from sys import intern

from filelock import FileLock, Timeout

from dermnote.errors import NotesError
from dermnote.notes.schema import Note, NoteRow, parse_line
from dermnote.storage import replacing_file

from .journal_tail import repair_tail

Key = tuple[str, str]  # case id, strategy


@dataclass(frozen=True, slots=True)
class Entry:
    """What is remembered of a row; the note itself stays in the file.

    Attributes:
        offset: Where its line starts.
        request: Key of the request it answers; "" where none was sent.
        model: Who wrote it.
        content: Digest of the note without its audit.
        checked: What its audit was made with and against (see `train.note_generation.audited_notes`).
        contradicted: Kinds of claims that its record contradicts.
        words: Length of the text.
    """

    offset: int
    request: str
    model: str
    content: bytes
    checked: str
    contradicted: tuple[str, ...]
    words: int


def content_digest(note: Note) -> bytes:
    """16 bytes that stand for a note without its audit."""
    return hashlib.blake2b(NoteRow("", replace(note, audit=None)).to_line().encode(), digest_size=16).digest()


class Journal:
    """The rows of a notes.jsonl by case and strategy, and the way to add some.

    A row that takes the place of an older one is added at the end (of two, readers take the later), and the older goes
    when the file is closed: at no moment is a note missing that was there before.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.repaired = ""
        self.entries: dict[Key, Entry] = {}
        self._surplus = 0  # lines that no longer count

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Journal]:
        """The file, for this process alone; it is made with the first row.

        Raises:
            NotesError: Another process writes it, it cannot be written, or a line other than the last is wrong.
        """
        lock = FileLock(path.with_name(f".{path.name}.lock"))  # the system frees it, however the process ends
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout as error:
            hint = "Wait for it to end, or name another file for --out."
            raise NotesError(f"{path} is being written by another process.", hint) from error
        except OSError as error:
            raise NotesError(f"{path} cannot be written: {error.strerror}.") from error
        try:
            journal = cls(path)
            if path.exists():
                journal.repaired = repair_tail(path)
                journal._scan()
            try:
                yield journal
            finally:
                journal._compact()
        finally:
            lock.release()

    @classmethod
    def peek(cls, path: Path) -> Journal:
        """The file as it is, to read only; a torn last line is passed over."""
        journal = cls(path)
        if path.exists():
            journal._scan()
        return journal

    def append(self, row: NoteRow) -> None:
        """Adds a row as one whole line in one write; an older one of the same case and strategy no longer counts.

        Raises:
            NotesError: The disk is full, or the file cannot be written.
        """
        line = row.to_line().encode("utf-8")
        try:
            with self.path.open("ab", buffering=0) as stream:
                offset = stream.tell()
                if stream.write(line) != len(line):  # as much as the disk still took
                    stream.truncate(offset)
                    raise OSError(ENOSPC, os.strerror(ENOSPC))
        except OSError as error:
            raise NotesError(f"{self.path} cannot be written: {error.strerror}.") from error
        self._remember(row, offset)

    def holds(self, case_id: str, note: Note) -> bool:
        """Whether this very note stands there, with this very audit."""
        entry = self.entries.get((case_id, note.strategy))
        checked = (note.audit or {}).get("checked", "")
        return entry is not None and entry.content == content_digest(note) and entry.checked == checked

    def forget(self, key: Key) -> None:
        """Lets a row go when the file is closed."""
        if self.entries.pop(key, None):
            self._surplus += 1

    def read(self, key: Key) -> Note | None:
        """The note of a case and strategy, if there is one."""
        if key not in self.entries:
            return None
        with self.path.open("rb") as stream:
            stream.seek(self.entries[key].offset)
            return parse_line(stream.readline(), str(self.path)).note

    def _remember(self, row: NoteRow, offset: int) -> None:
        note, audit = row.note, row.note.audit or {}
        key = (row.case_id, intern(note.strategy))
        self._surplus += key in self.entries
        self.entries[key] = Entry(
            offset=offset,
            request=note.request,
            model=intern(note.model),
            content=content_digest(note),
            checked=str(audit.get("checked", "")),
            contradicted=tuple(intern(str(kind)) for kind in audit.get("contradicted_kinds", ())),
            words=len(note.text.split()),
        )

    def _scan(self) -> None:
        offset = 0
        with self.path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip() and line.endswith(b"\n"):
                    self._remember(parse_line(line, f"{self.path} line {number}"), offset)
                offset += len(line)

    def _compact(self) -> None:
        """Writes the file anew without the lines that no longer count, byte for byte as they are.

        Raises:
            NotesError: The disk has no room for it; the file stays as it is.
        """
        if not self._surplus:
            return
        counted = {entry.offset for entry in self.entries.values()}
        offset = 0
        try:
            with replacing_file(self.path) as aside, aside.open("wb") as target, self.path.open("rb") as source:
                for line in source:
                    if offset in counted:
                        target.write(line)
                    offset += len(line)
        except OSError as error:
            hint = "Nothing is lost: make room, and run the same command again."
            raise NotesError(f"{self.path} cannot be rid of replaced rows: {error.strerror}.", hint) from error
        self._surplus = 0
