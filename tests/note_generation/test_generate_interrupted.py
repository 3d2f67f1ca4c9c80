"""Kills, signals, a full disk, or an error of this program during a run: nothing that was paid for is lost."""

import asyncio
import errno
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from dermnote.errors import NotesError
from dermnote.notes.schema import Note, NoteRow, parse_line, read_notes, write_notes
from tests.conftest import REPOSITORY
from tests.note_generation.conftest import COUNT, notes_by_case_id, replies_in
from tests.tiny_cases import write_cases
from train.note_generation import journal as journal_module
from train.note_generation.concurrent_requests import stopping_signals
from train.note_generation.journal import Journal
from train.note_generation.note_run import NoteRun

MANY, KILLS, CONCURRENCY = 150, 4, 8


def start(cases, out, server, *more):
    """Starts the command in a process of its own."""
    common = ["--cases", str(cases), "--out", str(out), "--base-url", server.url, "--concurrency", str(CONCURRENCY)]
    out.parent.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "train.generate_notes", "--strategy", "p3", *common, *more],
        cwd=out.parent,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition, process, seconds=30):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit and process.poll() is None, process.communicate()
        time.sleep(0.002)


@pytest.mark.slow
def test_kill_9_at_any_moment_loses_and_repeats_nothing(server, tmp_path):
    chance = random.Random(0)
    cases, out = write_cases(tmp_path / "cases", [0, 1, 2] * (MANY // 3), []), tmp_path / "notes.jsonl"
    server.delay = 0.02
    for kill in range(KILLS):
        process = start(cases, out, server)
        enough = len(server.chats) + chance.randint(1, MANY // (KILLS + 2))
        wait_for(lambda: len(server.chats) >= enough, process)  # noqa: B023
        time.sleep(chance.uniform(0, 0.03))
        process.kill()
        process.communicate()
        lines = out.read_bytes().split(b"\n")[:-1] if out.exists() else []
        case_ids = [parse_line(line, "line").case_id for line in lines]  # every line but the last is whole
        assert len(case_ids) == len(set(case_ids))
        if kill == 1 and case_ids:
            os.truncate(out, out.stat().st_size - chance.randint(1, 200))  # like an interrupted write
    process = start(cases, out, server)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    notes_by_case_id(out, count=MANY)
    assert len(server.chats) <= MANY + KILLS * CONCURRENCY
    assert "failures" not in output


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_every_reply_and_the_lock_until_the_end(generate, squares, server, out, number, status):
    server.delay = 0.3
    process = start(squares, out, server)
    wait_for(lambda: len(server.chats) == CONCURRENCY, process)
    with pytest.raises(NotesError, match=r"notes\.jsonl is being written by another process"):
        generate("--strategy", "p3")
    process.send_signal(number)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == status
    assert len(read_notes(out)) == len(server.chats) == CONCURRENCY
    assert f"by {number.name}" in errors.splitlines()[-1] and "not requested yet  4" in output
    server.delay = 0.0
    assert generate("--strategy", "p3") == 0
    assert len(notes_by_case_id(out)) == len(server.chats)


@pytest.mark.slow
def test_a_second_signal_does_not_wait_for_replies(squares, server, out):
    server.delay = 60
    process = start(squares, out, server)
    wait_for(lambda: len(server.chats) == CONCURRENCY, process)
    process.send_signal(signal.SIGINT)
    while "stopping in good order" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=8)  # after one signal, replies are waited for ten seconds
    assert process.returncode == 130 and "not requested yet  12" in output and not out.exists()


def test_errors_are_one_line_and_status_2(squares, server, out):
    process = start(squares, out, server, "--base-url", "http://notes.example.invalid/v1")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert (
        errors.splitlines()[-1].startswith("error: Sending to notes.example.invalid needs consent")
        and "Traceback" not in errors
    )
    assert not server.requests


@pytest.mark.parametrize("by_loop", [True, False])  # False: as on Windows
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, "130"), (signal.SIGTERM, "143")])
def test_signal_handlers_are_restored(monkeypatch, number, status, by_loop):
    calls = []

    async def signalled_twice():
        with stopping_signals(lambda stop: calls.append(f"{stop.status}"), lambda: calls.append("hurry")):
            for count in (1, 2):
                os.kill(os.getpid(), number)
                while len(calls) < count:
                    await asyncio.sleep(0)

    def refuse(*_):
        raise NotImplementedError

    before = signal.getsignal(number)
    if not by_loop:
        monkeypatch.setattr(asyncio.SelectorEventLoop, "add_signal_handler", refuse)
    asyncio.run(asyncio.wait_for(signalled_twice(), 10))
    assert calls == [status, "hurry"]
    assert signal.getsignal(number) is before


def breaking_at(number, method, error):
    """Returns the method, which fails from its `number`th call on."""
    calls = iter(range(1, 1000))

    def call(*arguments, **named):
        if next(calls) >= number:
            raise error
        return method(*arguments, **named)

    return call


@pytest.mark.parametrize(
    ("owner", "method", "error"),
    [(Journal, "append", NotesError("No space left on device.")), (NoteRun, "record", KeyError("an error"))],
)
def test_a_full_disk_and_a_program_error_keep_every_reply(
    generate, server, out, monkeypatch, capsys, owner, method, error
):
    server.delay = 0.1
    with monkeypatch.context() as patch:
        patch.setattr(owner, method, breaking_at(2, getattr(owner, method), error))
        if isinstance(error, NotesError):
            assert generate("--strategy", "p3", "--concurrency", "4") == 3
            captured = capsys.readouterr()
            assert captured.err.splitlines()[-1] == "error: No space left on device."
            assert "notes written           1" in captured.out
        else:
            with pytest.raises(KeyError, match="an error"):
                generate("--strategy", "p3", "--concurrency", "4")
    assert len(read_notes(out)) == 1 and replies_in(out) == len(server.chats) < COUNT
    server.delay = 0.0
    assert generate("--strategy", "p3") == 0
    assert len(notes_by_case_id(out)) == len(server.chats)


def test_a_full_disk_while_replaced_rows_are_removed_loses_nothing(tmp_path, monkeypatch):
    path = tmp_path / "notes.jsonl"
    old, new = (NoteRow("a", Note(text, "p3", "some-model")) for text in ("Older.", "Newer."))
    write_notes(path, [old])

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(journal_module, "replacing_file", full)
    with (
        pytest.raises(NotesError, match=r"No space left on device.*free some disk space"),
        Journal.open(path) as journal,
    ):
        journal.append(new)
    assert read_notes(path) == [old, new]
