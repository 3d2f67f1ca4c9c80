"""Replies that were paid for, by the key of their request: kept before anything is made of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from dermnote.errors import NotesError

if TYPE_CHECKING:
    from dermnote.llm.note_writer import Reply

WAIT_S = 30.0  # for another process that writes to the same cache
TABLE = """
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, answer TEXT NOT NULL, strategy TEXT NOT NULL, model TEXT NOT NULL, served_by TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, requests INTEGER NOT NULL, at TEXT NOT NULL
)"""


class ReplyCache(AbstractContextManager["ReplyCache"]):
    """An SQLite file; every reply is committed on its own, so that a killed process loses none.

    Args:
        path: The file, made if it is not there.
        read_only: Leaves no trace on the disk; a file that is not there counts as empty.

    Raises:
        NotesError: It is no such file, or cannot be written.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        with self._faults():
            if read_only and path.exists():
                # "immutable": SQLite makes no files of its own, but does not read the log that a killed run left either
                log = path.with_name(f"{path.name}-wal").exists()
                how = "mode=ro" if log else "mode=ro&immutable=1"
                self._base = sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True)
                return
            if read_only:
                self._base = sqlite3.connect(":memory:")
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._base = sqlite3.connect(path, timeout=WAIT_S)
                # A commit outlives the process; only the machine's own crash could take the last ones
                self._base.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
            self._base.execute(TABLE)

    def get(self, key: str) -> str | None:
        """The answer to a request, if it has come."""
        with self._faults():
            row = self._base.execute("SELECT answer FROM replies WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def add(self, key: str, reply: Reply, strategy: str, model: str) -> None:
        """Keeps a reply; it is on disk when this returns."""
        usage, now = reply.usage, datetime.now(UTC).isoformat(timespec="seconds")
        values = (usage.prompt_tokens, usage.completion_tokens, usage.requests)
        with self._faults(), self._base:
            self._base.execute(
                "INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (key, reply.text, strategy, model, reply.served_by, *values, now),
            )

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            hint = "Move it away (it holds replies that were paid for), or name another with --cache."
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                hint = "Make room, and run the same command again."
            raise NotesError(f"The cache {self.path} cannot be used: {error}.", hint) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._base.close()
