"""The command in a process of its own, ended at any moment, and started again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dermnote.errors import NotesError
from dermnote.notes.schema import NoteRow, read_notes
from tests.conftest import REPOSITORY
from tests.note_generation.conftest import check_exact
from tests.servers.llm_server import LlmServer
from tests.tiny_cases import write_cases

MANY, KILLS, CONCURRENCY = 150, 4, 8


def start(cases: Path, out: Path, server: LlmServer, *more: str) -> subprocess.Popen[str]:
    """The command, on its own."""
    common = ["--cases", str(cases), "--out", str(out), "--base-url", server.url, "--concurrency", str(CONCURRENCY)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "train.generate_notes", "--strategy", "p3", *common, *more],
        cwd=out.parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 30) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit and process.poll() is None, process.communicate()
        time.sleep(0.002)


def whole_rows(path: Path) -> list[NoteRow]:
    """What a reader finds after a kill: every line but the last must be whole."""
    from dermnote.notes.schema import parse_line

    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [parse_line(line, "line") for line in lines]


@pytest.mark.parametrize("seed", [0])
def test_kill_9_at_any_moment_loses_and_repeats_nothing(server, tmp_path, seed):
    chance = random.Random(seed)
    cases, out = write_cases(tmp_path / "cases", [0, 1, 2] * (MANY // 3), []), tmp_path / "notes.jsonl"
    server.delay = 0.02
    for kill in range(KILLS):
        asked_before = len(server.chats)
        process = start(cases, out, server)
        enough = asked_before + chance.randint(1, MANY // (KILLS + 2))
        wait_for(lambda: len(server.chats) >= enough, process)  # noqa: B023
        time.sleep(chance.uniform(0, 0.03))
        process.kill()
        process.communicate()
        case_ids = [row.case_id for row in whole_rows(out)]
        assert len(case_ids) == len(set(case_ids))
        if kill == 1 and case_ids:
            os.truncate(out, out.stat().st_size - chance.randint(1, 200))  # as a write that was broken off leaves it
    process = start(cases, out, server)
    told, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    check_exact(out, count=MANY)
    assert len(server.chats) <= MANY + KILLS * CONCURRENCY
    assert "failures" not in told


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_polite_stop_keeps_every_reply_and_locks_others_out_until_then(
    generate, squares, server, out, number, status
):
    out.parent.mkdir(parents=True)
    server.delay = 0.3
    process = start(squares, out, server)
    wait_for(lambda: len(server.chats) == CONCURRENCY, process)
    with pytest.raises(NotesError, match=r"notes\.jsonl is being written by another process"):
        generate("--strategy", "p3")
    process.send_signal(number)
    told, errors = process.communicate(timeout=30)
    assert process.returncode == status
    assert len(read_notes(out)) == len(server.chats) == CONCURRENCY
    assert f"by {number.name}" in errors.splitlines()[-1] and "not requested yet  4" in told
    server.delay = 0.0
    assert generate("--strategy", "p3") == 0
    check_exact(out)
    assert len(server.chats) == 12


def test_a_second_signal_does_not_wait_for_the_replies(squares, server, out):
    out.parent.mkdir(parents=True)
    server.delay = 60
    process = start(squares, out, server)
    wait_for(lambda: len(server.chats) == CONCURRENCY, process)
    process.send_signal(signal.SIGINT)
    assert process.stderr
    while "stopping in good order" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=8)  # the replies would take a minute, and are waited for ten seconds
    assert process.returncode == 130 and "not requested yet  12" in told and not out.exists()


def test_errors_are_one_line_and_status_2(squares, server, out):
    out.parent.mkdir(parents=True)
    process = start(squares, out, server, "--base-url", "http://notes.example.invalid/v1")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert errors.splitlines()[-1].startswith("error: Nobody can be asked") and "Traceback" not in errors
    assert not server.requests
