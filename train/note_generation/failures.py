"""failures.jsonl: which cases have no note after a run, and why."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from dermnote.errors import DermNoteError, NotesError
from dermnote.llm.llm_errors import WriterError

CONTRADICTED = "contradicted"  # the note came, and was dropped
BAD_PICTURE = "picture"


def kind_of(error: DermNoteError) -> str:
    """Short name of a failure: the writer's own, else the picture could not be made ready."""
    return error.kind if isinstance(error, WriterError) else BAD_PICTURE


class Failures:
    """Rows of case_id, strategy, kind, message, hint and time, written as they happen.

    The file of the run before is replaced with the first row, and removed at the end of a run without any.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kinds: dict[str, Counter[str]] = {}  # by strategy

    @property
    def count(self) -> int:
        """Rows so far."""
        return sum(kinds.total() for kinds in self.kinds.values())

    def add(self, case_id: str, strategy: str, error: DermNoteError, kind: str = "") -> None:
        """Writes a row; the kind is the error's own unless it is given.

        Raises:
            NotesError: The disk is full, or the file cannot be written.
        """
        kind = kind or kind_of(error)
        row = {
            "case_id": case_id,
            "strategy": strategy,
            "kind": kind,
            "message": error.message,
            "hint": error.hint,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        try:
            with self.path.open("ab" if self.count else "wb", buffering=0) as stream:
                stream.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        except OSError as fault:
            raise NotesError(f"{self.path} cannot be written: {fault.strerror}.") from fault
        self.kinds.setdefault(strategy, Counter())[kind] += 1

    def finish(self) -> None:
        """Ends a run: without failures, those of the run before are out of date."""
        if not self.count:
            self.path.unlink(missing_ok=True)
