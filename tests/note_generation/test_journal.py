"""notes.jsonl while it is written, rows of the template strategy, and the cache of replies."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dermnote.errors import NotesError
from dermnote.llm.llm_errors import Usage, WriterError
from dermnote.llm.responses import Reply
from dermnote.notes.schema import Note, NoteRow, notes_by_case, read_notes, write_notes
from tests.conftest import REPOSITORY
from tests.note_generation.conftest import COUNT
from tests.tiny_cases import NAMES, write_cases
from train.note_generation.journal import Failures, Journal, ReplyCache


def row(case, text="A note.", request="k1", strategy="p3"):
    return NoteRow(case, Note(text, strategy, "some-model", request=request))


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
        "from train.note_generation.journal import ReplyCache\n"
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
        assert cache.get("k") is None and not list(tmp_path.iterdir())
    with ReplyCache(path) as cache:
        cache.add("k", REPLY, "p3", "model")
    before = path.read_bytes()
    with ReplyCache(path, read_only=True) as cache:
        assert cache.get("k") == REPLY.text and list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


def test_another_kind_of_file_is_named_and_left_unchanged(tmp_path):
    path = tmp_path / "replies.sqlite"
    path.write_text("my own words, of some length, " * 50)
    before = path.read_bytes()
    with pytest.raises(NotesError, match=r"replies\.sqlite cannot be used.*--cache"):
        ReplyCache(path)
    assert path.read_bytes() == before


def test_a_full_disk_is_one_clear_error():
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    journal = Journal(full)
    with pytest.raises(NotesError, match="/dev/full cannot be written: No space left"):
        journal.append(row("a"))
    assert not journal.entries


def test_failures_that_cannot_be_written_are_one_clear_error(tmp_path):
    with pytest.raises(NotesError, match=rf"{tmp_path.name} cannot be written: Is a directory"):
        Failures(tmp_path).add("a", "p3", WriterError("No answer."))


def test_template_notes_are_written_once(generate, out, capsys):
    assert generate() == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert list(rows[0]) == ["case_id", "strategy", "model", "prompt_version", "request", "note", "findings", "audit"]
    assert (rows[0]["strategy"], rows[0]["model"], rows[0]["findings"]) == ("m", "template", None)
    assert "next: accelerate launch -q -m train.fit --config train/configs/finetune.yaml" in capsys.readouterr().out
    before = out.stat()
    assert generate() == 0
    assert (out.stat().st_mtime_ns, out.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert "up to date" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("cut", "repair"), [(0, ""), (1, "was torn"), (30, "was torn"), (-25, "was torn"), (-1, "no end")]
)
def test_a_cut_file_is_repaired_and_completed(generate, out, capsys, cut, repair):
    generate()
    whole = out.read_bytes()
    first = whole.index(b"\n") + 1
    out.write_bytes(whole[: first + cut] if cut >= 0 else whole[:cut])
    capsys.readouterr()
    assert generate() == 0
    assert out.read_bytes() == whole
    output = capsys.readouterr().out
    assert repair in output and output.count("the last line") == bool(repair)


def test_a_wrong_line_in_the_middle_is_named_and_nothing_is_lost(generate, out):
    generate()
    damaged = b"{oops\n" + out.read_bytes()
    out.write_bytes(damaged)
    with pytest.raises(NotesError, match=r"notes\.jsonl line 1: the line is torn"):
        generate()
    assert out.read_bytes() == damaged


def test_other_rows_are_kept_and_stale_rows_replaced(generate, out, tmp_path, capsys):
    generate()
    others = [row("squares/train-0"), NoteRow("t/9", Note("Of another folder.", "m", prompt_version="old"))]
    write_notes(out, [*others, *read_notes(out), NoteRow("squares/train-0", Note("Old words.", "m"))])
    names = (NAMES[0], "dermatofibroma", NAMES[2])
    capsys.readouterr()
    assert generate(cases=write_cases(tmp_path / "changed", [0, 1, 2] * (COUNT // 3), [], names)) == 0
    assert "rows replaced           5 " in capsys.readouterr().out  # the old words and the four changed records
    assert read_notes(out)[:2] == others and len(read_notes(out)) == COUNT + 2
    assert "dermatofibroma" in notes_by_case(out, ["m"])["squares/train-1"]["m"]
