"""notes.jsonl while it is written, and the cache of replies."""

import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dermnote.errors import NotesError
from dermnote.llm.llm_errors import Usage
from dermnote.llm.responses import Reply
from dermnote.notes.schema import Note, NoteRow, read_notes, write_notes
from tests.conftest import REPOSITORY
from train.note_generation.journal import Journal
from train.note_generation.reply_cache import ReplyCache


def row(case, text="A note.", request="k1", strategy="p3"):
    return NoteRow(case, Note(text, strategy, "some-model", request=request))


def test_rows_are_in_the_file_at_once_and_can_be_read(tmp_path):
    path = tmp_path / "new" / "notes.jsonl"
    with Journal.open(path) as journal:
        assert not path.exists()
        for case in ("a", "ä", "\u2028 b"):
            journal.append(row(case, "Line\u2028separator."))
            assert read_notes(path)[-1] == row(case, "Line\u2028separator.")
        assert journal.read(("ä", "p3")) == row("ä", "Line\u2028separator.").note
        assert journal.read(("c", "p3")) is None


def test_replaced_rows_are_removed_when_the_file_is_closed(tmp_path):
    path = tmp_path / "notes.jsonl"
    write_notes(path, [row("b"), row("a", "Oldest."), row("a"), row("a", strategy="m+p2")])  # as after a kill
    with Journal.open(path) as journal:
        journal.append(row("a", "Newer.", "k2"))
        assert len(read_notes(path)) == 5
        assert journal.entries["a", "p3"].request == "k2"
    assert read_notes(path) == [row("b"), row("a", strategy="m+p2"), row("a", "Newer.", "k2")]
    before = path.stat()
    with Journal.open(path):
        pass
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_forgotten_rows_are_removed_and_unknown_columns_kept(tmp_path):
    path = tmp_path / "notes.jsonl"
    kept = row("b").to_line().replace('"note"', '"reviewer": "x",  "note"')
    path.write_text(row("a").to_line() + "\n" + kept)
    with Journal.open(path) as journal:
        journal.forget(("a", "p3"))
        journal.forget(("nobody", "p3"))
    assert path.read_text() == kept


def test_a_second_writer_is_refused_until_the_first_ends(tmp_path):
    path = tmp_path / "notes.jsonl"
    with Journal.open(path), pytest.raises(NotesError, match=r"notes\.jsonl is being written"), Journal.open(path):
        pass
    with pytest.raises(ZeroDivisionError), Journal.open(path) as journal:
        journal.append(row("a"))
        journal.append(row("a", "Newer."))
        raise ZeroDivisionError
    with Journal.open(path):
        assert read_notes(path) == [row("a", "Newer.")]


def test_an_impossible_folder_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "notes.jsonl"
    with pytest.raises(NotesError, match=r"notes\.jsonl cannot be written"), Journal.open(path):
        pass


def test_peeking_changes_nothing_and_ignores_an_incomplete_line(tmp_path):
    path = tmp_path / "notes.jsonl"
    path.write_text(row("a").to_line() + row("b").to_line()[:-20])
    before = path.read_bytes()
    assert set(Journal.peek(path).entries) == {("a", "p3")}
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_clear_error():
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    journal = Journal(full)
    with pytest.raises(NotesError, match="/dev/full cannot be written: No space left"):
        journal.append(row("a"))
    assert not journal.entries


texts = st.text(min_size=1).map(lambda text: row(text, "A note. " * 9000 if len(text) > 9 else text))


@given(st.lists(texts, max_size=4), st.data())
@settings(derandomize=True, deadline=None, max_examples=60)
def test_a_file_cut_anywhere_keeps_every_whole_row(rows, data):
    rows = {each.case_id: each for each in rows if each.case_id.strip() and each.note.text.strip()}
    lines = [each.to_line().encode("utf-8", "replace") for each in rows.values()]
    whole = b"".join(lines)
    cut = data.draw(st.integers(0, len(whole)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "notes.jsonl"
        path.write_bytes(whole[:cut])
        with Journal.open(path) as journal:
            pass
        ends = [sum(map(len, lines[: i + 1])) for i in range(len(lines))]
        survived = sum(cut >= end - 1 for end in ends)  # a line that lacks only its line end is whole
        assert path.read_bytes() == b"".join(lines[:survived])
        assert len(journal.entries) == survived


REPLY = Reply('{"a": "ä"}', Usage(10, 2, 1), "served-model")


def test_a_cached_reply_is_visible_to_others_at_once(tmp_path):
    path = tmp_path / "new" / "replies.sqlite"
    with ReplyCache(path) as cache, ReplyCache(path) as other:
        assert cache.get("k") is None
        cache.add("k", REPLY, "p3", "model")
        assert other.get("k") == REPLY.text
        read = "SELECT key, strategy, model, served_by, prompt_tokens FROM replies"
        assert sqlite3.connect(path).execute(read).fetchone() == ("k", "p3", "model", "served-model", 10)
        cache.add("k", Reply("{}", Usage(), "m"), "p3", "model")
        assert other.get("k") == "{}"


def test_a_killed_process_loses_no_cached_reply(tmp_path):
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from dermnote.llm.responses import Reply\nfrom dermnote.llm.llm_errors import Usage\n"
        "from train.note_generation.reply_cache import ReplyCache\n"
        "cache = ReplyCache(Path(sys.argv[1]))\n"
        "for i in range(50):\n    cache.add(f'k{i}', Reply('{}', Usage(1, 1, 1), 'm'), 'p3', 'm')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    path = tmp_path / "replies.sqlite"
    assert subprocess.run([sys.executable, "-c", code, str(path)], cwd=REPOSITORY, check=False).returncode == -9
    with ReplyCache(path, read_only=True) as cache:
        assert cache.get("k49") == "{}"
    with ReplyCache(path) as cache:
        assert all(cache.get(f"k{i}") == "{}" for i in range(50))


def test_a_read_only_cache_leaves_the_disk_unchanged(tmp_path):
    path = tmp_path / "replies.sqlite"
    with ReplyCache(path, read_only=True) as cache:
        assert cache.get("k") is None
    assert not list(tmp_path.iterdir())
    with ReplyCache(path) as cache:
        cache.add("k", REPLY, "p3", "model")
    with ReplyCache(path, read_only=True) as cache:
        assert cache.get("k") == REPLY.text
        assert list(tmp_path.iterdir()) == [path]


def test_another_kind_of_file_is_named_and_left_unchanged(tmp_path):
    path = tmp_path / "replies.sqlite"
    path.write_text("my own words, of some length, " * 50)
    before = path.read_bytes()
    with pytest.raises(NotesError, match=r"replies\.sqlite cannot be used.*--cache"):
        ReplyCache(path)
    assert path.read_bytes() == before
