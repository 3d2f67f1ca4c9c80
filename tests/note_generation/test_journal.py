"""notes.jsonl while it is being written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dermnote.errors import NotesError
from dermnote.notes.schema import Note, NoteRow, read_notes, write_notes
from train.note_generation.journal import Journal, read_last_line, repair_last_line


def row(case: str, text: str = "A note.", request: str = "k1", strategy: str = "p3") -> NoteRow:
    return NoteRow(case, Note(text, strategy, "some-model", request=request))


def test_rows_are_in_the_file_at_once_and_read_back(tmp_path):
    path = tmp_path / "new" / "notes.jsonl"
    with Journal.open(path) as journal:
        assert not path.exists()
        for case in ("a", "ä", "\u2028 b"):
            journal.append(row(case, "Line\u2028separator."))
            assert read_notes(path)[-1] == row(case, "Line\u2028separator.")
        assert journal.read(("ä", "p3")) == row("ä", "Line\u2028separator.").note
        assert journal.read(("c", "p3")) is None


def test_the_older_row_goes_only_when_the_file_is_closed(tmp_path):
    path = tmp_path / "notes.jsonl"
    write_notes(path, [row("a"), row("b"), row("a", strategy="m+p2")])
    with Journal.open(path) as journal:
        journal.append(row("a", "Newer.", "k2"))
        assert len(read_notes(path)) == 4
        assert journal.entries["a", "p3"].request == "k2"
    assert read_notes(path) == [row("b"), row("a", strategy="m+p2"), row("a", "Newer.", "k2")]


def test_surplus_rows_of_a_killed_run_go_with_the_next(tmp_path):
    path = tmp_path / "notes.jsonl"
    write_notes(path, [row("a"), row("a", "Newer.", "k2"), row("b")])
    with Journal.open(path) as journal:
        assert journal.entries["a", "p3"].request == "k2"
    assert read_notes(path) == [row("a", "Newer.", "k2"), row("b")]


def test_forgotten_rows_go_and_unknown_columns_stay(tmp_path):
    path = tmp_path / "notes.jsonl"
    kept = row("b").to_line().replace('"note"', '"reviewer": "x",  "note"')
    path.write_text(row("a").to_line() + "\n" + kept)
    with Journal.open(path) as journal:
        journal.forget(("a", "p3"))
        journal.forget(("nobody", "p3"))
    assert path.read_text() == kept


def test_an_untouched_file_is_not_written_anew(tmp_path):
    path = tmp_path / "notes.jsonl"
    write_notes(path, [row("a")])
    before = path.stat()
    with Journal.open(path):
        pass
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_second_writer_is_refused_and_a_later_one_is_not(tmp_path):
    path = tmp_path / "notes.jsonl"
    with Journal.open(path), pytest.raises(NotesError, match=r"notes\.jsonl is being written"), Journal.open(path):
        pass
    with Journal.open(path) as journal:
        journal.append(row("a"))


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(NotesError, match=r"notes\.jsonl cannot be written"),
        Journal.open(tmp_path / "file" / "notes.jsonl"),
    ):
        pass


def test_an_error_inside_frees_the_lock_and_keeps_the_rows(tmp_path):
    path = tmp_path / "notes.jsonl"
    with pytest.raises(ZeroDivisionError), Journal.open(path) as journal:
        journal.append(row("a"))
        journal.append(row("a", "Newer."))
        raise ZeroDivisionError
    with Journal.open(path):
        assert read_notes(path) == [row("a", "Newer.")]


def test_peeking_changes_nothing_and_passes_over_a_torn_line(tmp_path):
    path = tmp_path / "notes.jsonl"
    path.write_text(row("a").to_line() + row("b").to_line()[:-20])
    before = path.read_bytes()
    assert set(Journal.peek(path).entries) == {("a", "p3")}
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_whole_lines_and_says_so(tmp_path):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    journal = Journal(full)
    with pytest.raises(NotesError, match="/dev/full cannot be written: No space left"):
        journal.append(row("a"))
    assert not journal.entries


@given(
    st.lists(
        st.text(min_size=1).map(lambda text: row(text or "x", "A note. " * 9000 if len(text) > 9 else text)), max_size=4
    ),
    st.data(),
)
@settings(derandomize=True, deadline=None, max_examples=60)
def test_a_file_cut_anywhere_keeps_every_whole_row(rows, data):
    import tempfile

    lines = [
        each.to_line().encode("utf-8", "replace") for each in rows if each.case_id.strip() and each.note.text.strip()
    ]
    whole = b"".join(lines)
    cut = data.draw(st.integers(0, len(whole)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "notes.jsonl"
        path.write_bytes(whole[:cut])
        repair_last_line(path)
        ends = [sum(map(len, lines[: i + 1])) for i in range(len(lines))]
        survived = sum(cut >= end - 1 for end in ends)  # a line that lacks only its end is whole
        assert path.read_bytes() == b"".join(lines[:survived])
        assert read_last_line(path)[1] == (lines[survived - 1] if survived else b"")
