"""A note, and notes.jsonl: one JSON object a line, one line a note."""

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
        text: The note itself, one line.
        strategy: How it was written (see `dermnote.notes.strategies`).
        model: Who wrote it: "template", or the language model's name.
        prompt_version: Short hash of the template or prompt; other words, other version.
        findings: What the note states, by feature, where the strategy gives it in a fixed form.
        audit: What a check of the note found (see `dermnote.audit.auditing`).
        request: Key of the request a language model answered (see `dermnote.llm.request`); "" for a template.
    """

    text: str
    strategy: str
    model: str = "template"
    prompt_version: str = ""
    findings: dict[str, Any] | None = None
    audit: dict[str, Any] | None = None
    request: str = ""

    def to_row(self, case_id: str) -> dict[str, Any]:
        """The row of notes.jsonl for a case."""
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
    """A note and the case it belongs to."""

    case_id: str
    note: Note

    def to_line(self) -> str:
        """One line of notes.jsonl, newline included."""
        return json.dumps(self.note.to_row(self.case_id), ensure_ascii=False) + "\n"


def from_row(row: Mapping[str, Any]) -> NoteRow:
    """Reads a row; columns it does not know are left alone, all but case_id, strategy and note may be absent.

    Raises:
        NotesError: A needed field is missing, blank, far too long or of the wrong type, or the strategy is unknown.
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
    """Reads one line; `where` (file and line number) opens the error's message.

    Raises:
        NotesError: The line is torn, is not a JSON object, or is not a row of notes.jsonl.
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
    """Yields the rows of a notes.jsonl in file order, a line at a time; blank lines are passed over.

    Raises:
        NotesError: The file is missing, or a line is wrong (file and line number are named).
    """
    if not Path(path).is_file():
        raise NotesError(f"There is no notes file {path}.", "Write one with python -m train.generate_notes.")
    with Path(path).open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield parse_line(line, f"{path} line {number}")


def read_notes(path: str | Path) -> list[NoteRow]:
    """All rows of a notes.jsonl (see `iterate_notes`)."""
    return list(iterate_notes(path))


def write_notes(path: str | Path, rows: Iterable[NoteRow]) -> None:
    """Writes a whole notes.jsonl; the file that stood there is replaced only when all is written."""
    with replacing_file(path) as aside, aside.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(row.to_line() for row in rows)


def notes_by_case(path: str | Path, strategies: Sequence[str] | None = None) -> dict[str, dict[str, str]]:
    """Note texts by case id and strategy; of two notes of one strategy for one case the later line counts.

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
