"""Files that a run writes: notes.jsonl, failures.jsonl, and the cache of paid replies."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from errno import ENOSPC
from pathlib import Path
from sys import intern

from filelock import FileLock, Timeout

from dermnote.errors import DermNoteError, NotesError
from dermnote.llm.llm_errors import WriterError
from dermnote.llm.responses import Reply
from dermnote.notes.schema import Note, NoteRow, parse_line
from dermnote.storage import replacing_file

Key = tuple[str, str]  # case id, strategy
BAD_IMAGE = "picture"  # kind of failure


@dataclass(frozen=True, slots=True)
class Entry:
    """Summary of a row; the note itself remains in the file.

    Attributes:
        offset: Start of its line, in bytes.
        request: Key of its request; "" where none was sent.
        model: Name of the model.
        content: Digest of the note without its audit.
        checked: Version of its audit (see `note_run.Auditor.version`).
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
    """Return a 16-byte digest of a note without its audit."""
    return hashlib.blake2b(NoteRow("", replace(note, audit=None)).to_line().encode(), digest_size=16).digest()


class Journal:
    """Rows of a notes.jsonl by case and strategy, with crash-safe appending.

    A row that replaces another is appended (readers take the later of two), and the other is removed when the file is
    closed: a note that was there before is never missing.

    Attributes:
        path: The file.
        repaired: Description of the repair of an incomplete last line; "" if there was none.
        entries: Summaries of the rows.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.repaired = ""
        self.entries: dict[Key, Entry] = {}
        self._surplus = 0  # replaced lines

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Journal]:
        """Open the file for this process alone; it is created with the first row.

        Raises:
            NotesError: Another process writes it, it cannot be written, or a line other than the last is invalid.
        """
        lock = FileLock(path.with_name(f".{path.name}.lock"))  # released by the system when the process ends
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
            journal._scan(repair=True)
            try:
                yield journal
            finally:
                journal._compact()
        finally:
            lock.release()

    @classmethod
    def peek(cls, path: Path) -> Journal:
        """Read the file without changing it; an incomplete last line is ignored."""
        journal = cls(path)
        journal._scan(repair=False)
        return journal

    def append(self, row: NoteRow) -> None:
        """Append a row as one whole line in one write; it replaces one of the same case and strategy.

        Raises:
            NotesError: The disk is full, or the file cannot be written.
        """
        line = row.to_line().encode("utf-8")
        try:
            with self.path.open("ab", buffering=0) as stream:
                offset = stream.tell()
                if stream.write(line) != len(line):  # the disk is full
                    stream.truncate(offset)
                    raise OSError(ENOSPC, os.strerror(ENOSPC))
        except OSError as error:
            raise NotesError(f"{self.path} cannot be written: {error.strerror}.") from error
        self._add_entry(row, offset)

    def holds(self, case_id: str, note: Note) -> bool:
        """Return whether the file contains this note with this version of the audit."""
        entry = self.entries.get((case_id, note.strategy))
        checked = (note.audit or {}).get("checked", "")
        return entry is not None and entry.content == content_digest(note) and entry.checked == checked

    def forget(self, key: Key) -> None:
        """Remove a row when the file is closed."""
        if self.entries.pop(key, None):
            self._surplus += 1

    def read(self, key: Key) -> Note | None:
        """Return the note of a case and strategy, if there is one."""
        if key not in self.entries:
            return None
        with self.path.open("rb") as stream:
            stream.seek(self.entries[key].offset)
            return parse_line(stream.readline(), str(self.path)).note

    def _add_entry(self, row: NoteRow, offset: int) -> None:
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

    def _scan(self, *, repair: bool) -> None:
        if not self.path.exists():
            return
        offset, line = 0, b"\n"
        with self.path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip() and line.endswith(b"\n"):
                    self._add_entry(parse_line(line, f"{self.path} line {number}"), offset)
                offset += len(line)
        if repair and not line.endswith(b"\n"):
            self._repair(line, offset - len(line))

    def _repair(self, line: bytes, offset: int) -> None:
        """Complete a last line that only lacks its line end, else remove it."""
        try:
            self._add_entry(parse_line(line, str(self.path)), offset)
        except NotesError:
            os.truncate(self.path, offset)
            self.repaired = f"{self.path}: the last line was torn; it is removed and its note is written again."
            return
        with self.path.open("ab") as stream:
            stream.write(b"\n")
        self.repaired = f"{self.path}: the last line had no end; it has one now."

    def _compact(self) -> None:
        """Rewrite the file without replaced lines, the others byte for byte; NotesError if the disk is full."""
        if not self._surplus:
            return
        kept, offset = {entry.offset for entry in self.entries.values()}, 0
        try:
            with replacing_file(self.path) as temporary, temporary.open("wb") as target, self.path.open("rb") as source:
                for line in source:
                    if offset in kept:
                        target.write(line)
                    offset += len(line)
        except OSError as error:
            hint = "Nothing is lost: free some disk space, and run the same command again."
            raise NotesError(f"{self.path} cannot be rid of replaced rows: {error.strerror}.", hint) from error
        self._surplus = 0


class Failures:
    """Rows of failures.jsonl: case_id, strategy, kind, message, hint and time, written as they occur.

    The file of the previous run is replaced with the first row, and removed at the end of a run without failures.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kinds: dict[str, Counter[str]] = {}  # by strategy

    @property
    def count(self) -> int:
        """Number of rows."""
        return sum(kinds.total() for kinds in self.kinds.values())

    def add(self, case_id: str, strategy: str, error: DermNoteError, kind: str = "") -> None:
        """Write a row; the kind is the error's own unless given.

        Raises:
            NotesError: The disk is full, or the file cannot be written.
        """
        kind = kind or (error.kind if isinstance(error, WriterError) else BAD_IMAGE)
        row = {"case_id": case_id, "strategy": strategy, "kind": kind, "message": error.message, "hint": error.hint}
        row["time"] = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            with self.path.open("ab" if self.count else "wb", buffering=0) as stream:
                stream.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        except OSError as reason:
            raise NotesError(f"{self.path} cannot be written: {reason.strerror}.") from reason
        self.kinds.setdefault(strategy, Counter())[kind] += 1

    def finish(self) -> None:
        """Remove the previous run's file after a run without failures."""
        if not self.count:
            self.path.unlink(missing_ok=True)


TIMEOUT_S = 30.0  # for another process that writes to the same cache
TABLE = """
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, answer TEXT NOT NULL, strategy TEXT NOT NULL, model TEXT NOT NULL, served_by TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, requests INTEGER NOT NULL, at TEXT NOT NULL
)"""


class ReplyCache(AbstractContextManager["ReplyCache"]):
    """SQLite file in which every reply is its own commit, so that a killed process loses none.

    Args:
        path: The file, created if missing.
        read_only: Leaves the disk unchanged; a missing file counts as empty.

    Raises:
        NotesError: The file is not a reply cache, or cannot be written.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        with self._sqlite_errors():
            if read_only and path.exists():
                # "immutable": SQLite creates no files of its own, but ignores the log that a killed run left
                log = path.with_name(f"{path.name}-wal").exists()
                mode = "mode=ro" if log else "mode=ro&immutable=1"
                self._base = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True)
                return
            if read_only:
                self._base = sqlite3.connect(":memory:")
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._base = sqlite3.connect(path, timeout=TIMEOUT_S)
                # a commit survives the process; only a crash of the machine could lose the last ones
                self._base.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
            self._base.execute(TABLE)

    def get(self, key: str) -> str | None:
        """Return the answer to a request, if cached."""
        with self._sqlite_errors():
            row = self._base.execute("SELECT answer FROM replies WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def add(self, key: str, reply: Reply, strategy: str, model: str) -> None:
        """Store a reply; it is on disk when this returns."""
        usage, now = reply.usage, datetime.now(UTC).isoformat(timespec="seconds")
        values = (usage.prompt_tokens, usage.completion_tokens, usage.requests)
        with self._sqlite_errors(), self._base:
            self._base.execute(
                "INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (key, reply.text, strategy, model, reply.served_by, *values, now),
            )

    @contextmanager
    def _sqlite_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            hint = "Move it away (it holds replies that were paid for), or name another with --cache."
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                hint = "Free some disk space, and run the same command again."
            raise NotesError(f"The cache {self.path} cannot be used: {error}.", hint) from error

    def __exit__(self, *_: object) -> None:
        self._base.close()
