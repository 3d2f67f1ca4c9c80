"""Notes of some cases only, by several writers, to search with: as a notes.jsonl that the steps read.

Rows may name their case as DermNote does (`case_id`), or by the publisher's id of the picture (`isic_id`, `image_id`).
Where a case has an M+P1 note with findings and an M+P2 note, their "mix" is made; its template note (M) is made from
the record: no language model is asked for either.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from dermnote.errors import NotesError
from dermnote.metadata import LesionMetadata
from dermnote.notes.schema import Note, NoteRow, from_row
from dermnote.notes.template import has_diagnosis, template_note
from dermnote.notes.writing import mix_notes

FOREIGN = ("isic_id", "image_id")


def read_query_notes(path: str | Path, case_ids: pd.Series) -> list[NoteRow]:
    """The notes of a file, each with the case it speaks of; notes of cases that are not there are passed over.

    Args:
        path: One JSON object a line: strategy, note, and case_id or the publisher's id; findings where there are some.
        case_ids: Of the cases folder.

    Raises:
        NotesError: The file is missing, a line is no note, no note speaks of a case, or an id fits two cases.
    """
    known, by_tail = set(case_ids), _by_tail(case_ids)
    notes = []
    for where, row in _rows(Path(path)):
        case_id = row.get("case_id") or _find(row, by_tail, where)
        if case_id in known:
            try:
                notes.append(from_row({"model": "not told", **row, "case_id": case_id}))
            except NotesError as error:
                raise NotesError(f"{where}: {error.message}", error.hint) from error
    if not notes:
        raise NotesError(f"None of the notes in {path} speaks of one of the {len(case_ids)} cases.")
    return notes


def complete(notes: list[NoteRow], records: Mapping[str, LesionMetadata]) -> list[NoteRow]:
    """The notes, and of each of their cases the template note and the mix where they are missing and can be made.

    Args:
        notes: Of `read_query_notes`.
        records: What is known of each case they speak of.
    """
    by_case: dict[str, dict[str, Note]] = {}
    for row in notes:
        by_case.setdefault(row.case_id, {})[row.note.strategy] = row.note
    for case_id, written in by_case.items():
        if "m" not in written and has_diagnosis(records[case_id]):
            written["m"] = template_note(records[case_id])
        closed, free = written.get("m+p1"), written.get("m+p2")
        if "mix" not in written and free is not None and closed is not None and closed.findings is not None:
            written["mix"] = mix_notes(closed, free, records[case_id])
    return [NoteRow(case_id, note) for case_id, written in by_case.items() for note in written.values()]


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NotesError(f"The query notes {path} cannot be read.", "Name a file of one JSON object a line.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise NotesError(f"{path} line {number}: not JSON.") from error
        if not isinstance(row, dict):
            raise NotesError(f"{path} line {number}: not a JSON object.")
        yield f"{path} line {number}", row


def _by_tail(case_ids: pd.Series) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for case_id in case_ids:
        found.setdefault(str(case_id).rpartition("/")[2], []).append(str(case_id))
    return found


def _find(row: Mapping[str, Any], by_tail: Mapping[str, list[str]], where: str) -> str | None:
    told = next((str(row[name]) for name in FOREIGN if row.get(name)), None)
    if told is None:
        raise NotesError(f"{where}: no case_id.", f"Or the publisher's id as {' or '.join(FOREIGN)}.")
    fitting = by_tail.get(told, [])
    if len(fitting) > 1:
        raise NotesError(f"{where}: {told} fits several cases: {', '.join(fitting[:3])}.", "Name it by case_id.")
    return fitting[0] if fitting else None
