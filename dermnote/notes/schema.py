"""Notes, and the notes.jsonl format: one JSON object per line and note."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dermnote.errors import NotesError
from dermnote.notes.strategies import STRATEGIES, get_strategy
from dermnote.storage import replacing_file

MAX_NOTE = 100_000  # characters; the longest notes of language models have some 3,000
TEXT_KEYS = ("strategy", "model", "prompt_version", "request")


@dataclass(frozen=True)
class Note:
    """A written note.

    Attributes:
        text: The note, one line.
        strategy: Name of the strategy (see `dermnote.notes.strategies`).
        model: "template", or the language model's name.
        prompt_version: Short hash of the template or prompt.
        findings: Findings by feature, where the strategy gives them in a fixed form.
        audit: Result of the audit (see `dermnote.audit`).
        request: Key of the request to a language model (see `dermnote.notes.note_request`); "" for a template.
    """

    text: str
    strategy: str
    model: str = "template"
    prompt_version: str = ""
    findings: dict[str, Any] | None = None
    audit: dict[str, Any] | None = None
    request: str = ""

    def to_row(self, case_id: str) -> dict[str, Any]:
        """Return the row of notes.jsonl for a case."""
        return {
            "case_id": case_id,
            "strategy": self.strategy,
            "model": self.model,
            "prompt_version": self.prompt_version,
            "request": self.request,
            "note": self.text,
            "findings": self.findings,
            "audit": self.audit,
        }


@dataclass(frozen=True)
class NoteRow:
    """Note of a case."""

    case_id: str
    note: Note

    def to_line(self) -> str:
        """Return the line of notes.jsonl, newline included."""
        return json.dumps(self.note.to_row(self.case_id), ensure_ascii=False) + "\n"


def from_row(row: Mapping[str, Any]) -> NoteRow:
    """Read a row; only case_id, strategy and note are required, and unknown columns are ignored.

    Raises:
        NotesError: A required field is missing, blank, far too long or of the wrong type, or the strategy is unknown.
    """
    for key in ("case_id", "strategy", "note"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise NotesError(f"'{key}' is missing or not a text.", "A row needs case_id, strategy and note.")
    if len(row["note"]) > MAX_NOTE:
        raise NotesError(f"The note has {len(row['note']):,} characters, more than {MAX_NOTE:,}.", "Is this a note?")
    for key in TEXT_KEYS:
        if not isinstance(row.get(key, ""), str):
            raise NotesError(f"'{key}' is not a text.")
    for key in ("findings", "audit"):
        if not isinstance(row.get(key), dict | None):
            raise NotesError(f"'{key}' is neither an object nor null.")
    note = Note(
        text=row["note"].strip(),
        strategy=get_strategy(row["strategy"]).name,
        model=row.get("model", "template"),
        prompt_version=row.get("prompt_version", ""),
        request=row.get("request", ""),
        findings=row.get("findings"),
        audit=row.get("audit"),
    )
    return NoteRow(row["case_id"], note)


def parse_line(line: bytes | str, where: str) -> NoteRow:
    """Read one line; `where` (file and line number) begins the error message.

    Raises:
        NotesError: The line is incomplete, is not a JSON object, or is not a row of notes.jsonl.
    """
    try:
        row = json.loads(line)
    except ValueError as error:
        raise NotesError(
            f"{where}: the line is torn or not JSON.", "Run train.generate_notes again: it repairs a torn last line."
        ) from error
    if not isinstance(row, dict):
        raise NotesError(f"{where}: not a JSON object.")
    try:
        return from_row(row)
    except NotesError as error:
        raise NotesError(f"{where}: {error.message}", error.hint) from error


def iterate_notes(path: str | Path) -> Iterator[NoteRow]:
    """Yield the rows of a notes.jsonl in file order, without blank lines.

    Raises:
        NotesError: The file is missing, or a line is invalid (the message names file and line number).
    """
    if not Path(path).is_file():
        raise NotesError(f"There is no notes file {path}.", "Write one with python -m train.generate_notes.")
    with Path(path).open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield parse_line(line, f"{path} line {number}")


def read_notes(path: str | Path) -> list[NoteRow]:
    """Return all rows of a notes.jsonl (see `iterate_notes`)."""
    return list(iterate_notes(path))


def write_notes(path: str | Path, rows: Iterable[NoteRow]) -> None:
    """Write a whole notes.jsonl; an existing file is replaced only when everything is written."""
    with replacing_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(row.to_line() for row in rows)


def notes_by_case(path: str | Path, strategies: Sequence[str] | None = None) -> dict[str, dict[str, str]]:
    """Return note texts by case id and strategy; the later of two lines with the same case and strategy counts.

    Args:
        path: A notes.jsonl.
        strategies: Names to keep; None keeps all.

    Raises:
        NotesError: The file cannot be read, or a strategy is unknown.
    """
    wanted = set(STRATEGIES) if strategies is None else {get_strategy(name).name for name in strategies}
    texts: dict[str, dict[str, str]] = {}
    for row in iterate_notes(path):
        if row.note.strategy in wanted:
            texts.setdefault(row.case_id, {})[row.note.strategy] = row.note.text
    return texts
