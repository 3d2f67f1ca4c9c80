import json

import pytest

from dermnote.errors import NotesError
from dermnote.notes.schema import Note, NoteRow, from_row, notes_by_case, read_notes, write_notes

ROWS = [
    NoteRow("a/1", Note("Étrange, brown.", "m", prompt_version="v1")),
    NoteRow("a/1", Note("Seen by a model.", "p3", "some-llm", "v2", {"colours": ["brown"]}, {"ok": False}, "a" * 64)),
    NoteRow("a/2", Note("Pink.", "m", prompt_version="v1")),
]


def test_rows_come_back_as_they_were_written(tmp_path):
    path = tmp_path / "notes.jsonl"
    write_notes(path, ROWS)
    assert read_notes(path) == ROWS
    first = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    assert list(first) == ["case_id", "strategy", "model", "prompt_version", "request", "note", "findings", "audit"]


def test_notes_by_case_keeps_the_wanted_strategies_and_the_later_line(tmp_path):
    path = tmp_path / "notes.jsonl"
    write_notes(path, [*ROWS, NoteRow("a/2", Note("Red.", "m"))])
    assert notes_by_case(path) == {"a/1": {"m": "Étrange, brown.", "p3": "Seen by a model."}, "a/2": {"m": "Red."}}
    assert notes_by_case(path, ["P3"]) == {"a/1": {"p3": "Seen by a model."}}
    with pytest.raises(NotesError, match="Unknown note strategy"):
        notes_by_case(path, ["p9"])


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"case_id": "a/3", "strategy": "m", "no', "torn or not JSON"),
        ("[1]", "not a JSON object"),
        ('{"strategy": "m", "note": "x"}', "'case_id' is missing"),
        ('{"case_id": "a", "strategy": "m", "note": " "}', "'note' is missing"),
        ('{"case_id": "a", "strategy": "m9", "note": "x"}', "Unknown note strategy 'm9'"),
        ('{"case_id": "a", "strategy": "m", "note": "x", "model": 3}', "'model' is not a text"),
        ('{"case_id": "a", "strategy": "m", "note": "x", "audit": []}', "'audit' is neither"),
    ],
)
def test_a_wrong_line_is_named_with_file_and_number(tmp_path, line, what):
    path = tmp_path / "notes.jsonl"
    write_notes(path, ROWS)
    with path.open("a", encoding="utf-8") as stream:
        stream.write("\n" + line)  # a blank line before it counts as a line but is no row
    with pytest.raises(NotesError, match=r"notes\.jsonl line 5: .*") as caught:
        read_notes(path)
    assert what in str(caught.value)


def test_bytes_that_are_no_text_are_a_wrong_line(tmp_path):
    path = tmp_path / "notes.jsonl"
    path.write_bytes(b'{"case_id": "\xff\xfe"}\n')
    with pytest.raises(NotesError, match="line 1"):
        read_notes(path)


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(NotesError, match=r"train\.generate_notes"):
        read_notes(tmp_path / "none.jsonl")


def test_notes_from_elsewhere_may_have_more_columns_and_no_version():
    row = from_row({"case_id": "x", "strategy": "m+p1", "note": "n", "true_class": "melanoma"})
    assert row.note == Note("n", "m+p1")
