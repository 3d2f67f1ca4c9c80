"""Cache of paid replies by the key of their request, written before a note is composed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from dermnote.errors import NotesError
from dermnote.llm.responses import Reply

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
