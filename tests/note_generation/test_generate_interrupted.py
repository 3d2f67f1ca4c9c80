"""A full disk, or a fault of this program's own, in the middle of a run: nothing that was paid for is lost."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from dermnote.errors import NotesError
from dermnote.llm.llm_errors import WriterError
from dermnote.notes.schema import Note, NoteRow, read_notes, write_notes
from tests.note_generation.conftest import COUNT, check_exact
from train.note_generation import journal as journals
from train.note_generation.journal import Failures, Journal
from train.note_generation.note_run import NoteRun


def breaking_at(number: int, method: Any, error: Exception) -> Any:
    """The method, that fails from its `number`th call on."""
    calls = iter(range(1, 1000))

    def call(*arguments: Any, **named: Any) -> Any:
        if next(calls) >= number:
            raise error
        return method(*arguments, **named)

    return call


def replies_in(out: Path) -> int:
    with sqlite3.connect(out.with_name("notes.replies.sqlite")) as base:
        return int(base.execute("SELECT count(*) FROM replies").fetchone()[0])


def test_a_full_disk_ends_the_run_with_one_line_and_every_reply_is_kept(generate, server, out, monkeypatch, capsys):
    server.delay = 0.1
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", breaking_at(2, Journal.append, NotesError("No space left on device.")))
        assert generate("--strategy", "p3", "--concurrency", "4") == 3
    told = capsys.readouterr()
    assert told.err.splitlines()[-1] == "error: No space left on device." and "notes written           1" in told.out
    assert len(read_notes(out)) == 1 and replies_in(out) == len(server.chats) < COUNT
    server.delay = 0.0
    assert generate("--strategy", "p3") == 0
    check_exact(out)
    assert len(server.chats) == COUNT


def test_a_fault_of_the_program_is_shown_as_one_and_every_reply_is_kept(generate, server, out, monkeypatch):
    server.delay = 0.1
    with monkeypatch.context() as patch, pytest.raises(KeyError, match="a fault"):
        patch.setattr(NoteRun, "record", breaking_at(2, NoteRun.record, KeyError("a fault")))
        generate("--strategy", "p3", "--concurrency", "4")
    assert len(read_notes(out)) == 1 and replies_in(out) == len(server.chats) < COUNT
    assert generate("--strategy", "p3") == 0
    check_exact(out)
    assert len(server.chats) == COUNT


def test_no_room_to_drop_replaced_rows_is_one_clear_error(tmp_path, monkeypatch):
    path = tmp_path / "notes.jsonl"
    old, new = (NoteRow("a", Note(text, "p3", "some-model")) for text in ("Older.", "Newer."))
    write_notes(path, [old])

    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(journals, "replacing_file", full)
    with pytest.raises(NotesError, match=r"No space left on device.*make room"), Journal.open(path) as journal:
        journal.append(new)
    assert read_notes(path) == [old, new]


def test_failures_that_cannot_be_written_are_one_clear_error(tmp_path):
    path = tmp_path / "failures.jsonl"
    path.mkdir()
    with pytest.raises(NotesError, match=r"failures\.jsonl cannot be written: Is a directory"):
        Failures(path).add("a", "p3", WriterError("No answer."))


def test_requests_that_fail_together_are_no_row_of_failures(generate, server, out, monkeypatch):
    monkeypatch.setattr("train.note_generation.concurrent_requests.TOO_MANY", 3)
    server.script(["500"] * 6)
    assert generate("--strategy", "p3", "--concurrency", "6") == 3
    assert len(server.chats) == COUNT and len(read_notes(out)) == COUNT - 6
