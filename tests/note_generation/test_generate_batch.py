"""Notes by the Batch API, over real HTTP; the server gives results in any order."""

from __future__ import annotations

import json

import pytest

from dermnote.errors import NotesError
from dermnote.llm.llm_errors import UnreachableError
from dermnote.notes.schema import read_notes
from tests.note_generation.conftest import COUNT, check_exact, failures_of
from tests.servers.llm_server import LlmServer
from train.note_generation import openai_batch
from train.note_generation.batch_results import BatchResults

BATCH = ("--strategy", "p3", "--batch")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_batch, "FIRST_PAUSE_S", 0.01)


def posts(server: LlmServer, path: str) -> int:
    return sum(each.method == "POST" and each.path == path for each in server.requests)


def test_a_batch_gives_the_notes_that_single_requests_give(generate, server, out):
    assert generate(*BATCH) == 0
    by_batch = {row.case_id: row.note for row in check_exact(out)}
    assert not server.chats and not out.with_name("notes.batches.json").exists()
    for path in (out, out.with_name("notes.replies.sqlite")):
        path.unlink()
    assert generate("--strategy", "p3") == 0
    assert {row.case_id: row.note for row in check_exact(out)} == by_batch


def test_a_batch_says_nothing_of_the_case_and_leaves_nothing_at_the_server(generate, server, out):
    seen = []
    server.batches.line_failure = lambda custom_id: seen.append(custom_id)
    assert generate(*BATCH) == 0
    assert sorted(seen) == sorted(row.note.request for row in read_notes(out))
    assert "squares" not in "".join(each.text for each in server.requests)
    assert not server.batches.files


def test_a_second_run_asks_nothing(generate, server):
    assert generate(*BATCH) == 0
    count = len(server.requests)
    assert generate(*BATCH) == 0
    assert len(server.requests) == count


def test_half_the_price_is_counted(generate, out, capsys):
    costs = {}
    for more in ((), ("--batch",)):
        assert generate("--strategy", "p3", "--model", "gpt-4o", *more) == 0
        line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("  cost"))
        costs[more] = float(line.split("$")[1].split()[0])
        for path in (out, out.with_name("notes.replies.sqlite")):
            path.unlink()
    assert costs["--batch",] == pytest.approx(costs[()] / 2, rel=0.01)


def test_large_orders_are_split(generate, server, out, monkeypatch):
    monkeypatch.setattr(openai_batch, "MOST_REQUESTS", 5)
    assert generate(*BATCH) == 0
    check_exact(out)
    assert posts(server, "/v1/batches") == 3


def test_files_are_split_by_size_too(generate, server, out, monkeypatch):
    monkeypatch.setattr(openai_batch, "MOST_BYTES", 20_000)
    assert generate(*BATCH) == 0
    check_exact(out)
    assert posts(server, "/v1/batches") > 1


def test_lines_that_failed_are_failures_and_are_asked_again(generate, server, out):
    bad = []

    def fault(custom_id: str) -> str | None:
        if len(bad) < 3:
            bad.append(custom_id)
            return ["refusal", "500", "wrong schema"][len(bad) - 1]
        return None

    server.batches.line_failure = fault
    assert generate(*BATCH) == 3
    assert sorted(row["kind"] for row in failures_of(out)) == ["malformed answer", "refusal", "server fault"]
    assert len(read_notes(out)) == COUNT - 3
    server.batches.line_failure = lambda custom_id: None
    assert generate(*BATCH) == 0
    check_exact(out)


@pytest.mark.parametrize(("fate", "notes"), [("expired", COUNT // 2), ("failed", 0), ("cancelled", COUNT // 2)])
def test_what_an_ended_batch_left_undone_is_asked_in_the_next_run(generate, server, out, fate, notes, capsys):
    server.batches.fate = fate
    assert generate(*BATCH) == 3
    assert fate in capsys.readouterr().err
    assert len(read_notes(out) if out.exists() else []) == notes
    server.batches.fate = "completed"
    assert generate(*BATCH) == 0
    check_exact(out)


class Killed(BaseException):
    """Stands for a process that dies: nothing catches it."""


def die(*_: object, **__: object) -> None:
    raise Killed


@pytest.mark.parametrize("where", ["_wait", "_collect"])
def test_a_restart_collects_what_was_submitted(generate, server, out, monkeypatch, where):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(openai_batch.BatchClient, where, die)
        generate(*BATCH)
    assert not out.exists()
    assert generate(*BATCH) == 0
    check_exact(out)
    assert posts(server, "/v1/batches") == 1


def test_a_batch_whose_id_was_never_noted_is_found_again(generate, server, out, monkeypatch):
    state = out.with_name("notes.batches.json")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(openai_batch.BatchClient, "_wait", die)
        generate(*BATCH)
    told = json.loads(state.read_text())
    told["parts"][0]["batch_id"] = ""
    state.write_text(json.dumps(told))
    assert generate(*BATCH) == 0
    check_exact(out)
    assert posts(server, "/v1/batches") == 1


def test_a_batch_that_was_never_started_is_started_from_its_file(generate, server, out, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(openai_batch.BatchClient, "_start", die)
        generate(*BATCH)
    assert generate(*BATCH) == 0
    check_exact(out)
    assert (posts(server, "/v1/files"), posts(server, "/v1/batches")) == (1, 1)


def test_replies_to_cases_that_are_not_asked_for_now_are_kept(generate, server, out, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(openai_batch.BatchClient, "_wait", die)
        generate(*BATCH)
    assert generate(*BATCH, "--limit", "2") == 0
    assert len(read_notes(out)) == 2
    assert generate("--strategy", "p3") == 0
    check_exact(out)
    assert not server.chats


def test_a_download_that_breaks_off_is_taken_up_again(generate, server, out, monkeypatch, capsys):
    take, lines = BatchResults.add, []

    def take_or_break(self: BatchResults, line: bytes) -> bool:
        lines.append(line)
        if len(lines) == 5:
            raise UnreachableError("The connection was dropped.", retryable=True)
        return take(self, line)

    monkeypatch.setattr(BatchResults, "add", take_or_break)
    assert generate(*BATCH) == 0
    check_exact(out)
    assert len([line for line in lines if line]) == COUNT + 5 and "requests  12" in capsys.readouterr().out


def test_a_run_without_batch_refuses_while_one_is_under_way(generate, server, out, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(openai_batch.BatchClient, "_wait", die)
        generate(*BATCH)
    with pytest.raises(NotesError, match=r"under way.*--batch"):
        generate("--strategy", "p3")
    assert not server.chats


def test_the_limit_holds_for_batches(generate, server, out):
    assert generate(*BATCH, "--model", "gpt-4o", "--max-usd", "0.02") == 3
    assert 0 < len(read_notes(out)) < COUNT
