"""Notes by the Batch API, over real HTTP: results in any order, restarts, and failures of server and connection."""

import json
from dataclasses import replace

import pytest

from dermnote.errors import NotesError
from dermnote.llm.llm_errors import UnreachableError, WriterError
from dermnote.notes.schema import read_notes
from tests.note_generation.conftest import COUNT, failures_of, notes_by_case_id
from train.note_generation import openai_batch
from train.note_generation.openai_batch import BatchResults

BATCH = ("--strategy", "p3", "--batch")


def posts(server, path):
    return sum(each.method == "POST" and each.path == path for each in server.requests)


def test_a_batch_gives_the_notes_of_single_requests_at_half_the_price(generate, server, out, capsys):
    results = {}
    for more in (BATCH, ("--strategy", "p3")):
        assert generate(*more, "--model", "gpt-4o") == 0
        line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("  cost"))
        results[more] = notes_by_case_id(out), float(line.split("$")[1].split()[0])
        assert bool(server.chats) is (more != BATCH) and not out.with_name("notes.batches.json").exists()
        for path in (out, out.with_name("notes.replies.sqlite")):
            path.unlink()
    (by_batch, half), (single, full) = results.values()
    assert by_batch == single
    assert half == pytest.approx(full / 2, rel=0.01)


def test_a_batch_names_no_case_and_leaves_no_file_at_the_server(generate, server, out):
    seen = []
    server.batches.line_failure = lambda custom_id: seen.append(custom_id)
    assert generate(*BATCH) == 0
    assert sorted(seen) == sorted(row.note.request for row in read_notes(out))
    assert "squares" not in "".join(each.text for each in server.requests)
    assert not server.batches.files
    sent = len(server.requests)
    assert generate(*BATCH) == 0
    assert len(server.requests) == sent  # the second run needs nothing


@pytest.mark.parametrize(("limit", "value", "batches"), [("MOST_REQUESTS", 5, 3), ("MOST_BYTES", 20_000, 2)])
def test_large_files_are_split(generate, server, out, monkeypatch, limit, value, batches):
    monkeypatch.setattr(openai_batch, limit, value)
    assert generate(*BATCH) == 0
    notes_by_case_id(out)
    assert posts(server, "/v1/batches") >= batches


@pytest.mark.parametrize(("fate", "notes"), [("expired", COUNT // 2), ("failed", 0), ("cancelled", COUNT // 2)])
def test_requests_of_an_ended_batch_are_repeated_in_the_next_run(generate, server, out, fate, notes, capsys):
    server.batches.fate = fate
    assert generate(*BATCH) == 3
    assert fate in capsys.readouterr().err
    assert len(read_notes(out) if out.exists() else []) == notes
    server.batches.fate = "completed"
    assert generate(*BATCH) == 0
    notes_by_case_id(out)


class Killed(BaseException):
    """A killed process: nothing catches it."""


@pytest.fixture
def kill(generate, monkeypatch):
    """Runs the command until it reaches a method of the batch client."""

    def run(method):
        def die(*_):
            raise Killed

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(openai_batch.BatchClient, method, die)
            generate(*BATCH)

    return run


@pytest.mark.parametrize("method", ["_wait", "_collect", "_start"])
def test_a_restart_collects_submitted_batches(generate, server, out, kill, method):
    kill(method)
    assert not out.exists()
    assert generate(*BATCH) == 0
    notes_by_case_id(out)
    assert (posts(server, "/v1/files"), posts(server, "/v1/batches")) == (1, 1)


def test_replies_to_cases_outside_the_selection_are_cached(generate, server, out, kill):
    kill("_wait")
    with pytest.raises(NotesError, match=r"under way.*--batch"):
        generate("--strategy", "p3")
    assert generate(*BATCH, "--limit", "2") == 0
    assert len(read_notes(out)) == 2
    assert generate("--strategy", "p3") == 0
    notes_by_case_id(out)
    assert not server.chats


def test_the_spending_limit_holds_for_batches(generate, out):
    assert generate(*BATCH, "--model", "gpt-4o", "--max-usd", "0.02") == 3
    assert 0 < len(read_notes(out)) < COUNT


@pytest.mark.parametrize("way", ["none", "half"])
def test_a_download_with_a_dropped_connection_is_repeated(generate, server, out, monkeypatch, way):
    answer, cut = server.batches.answer, []

    def cut_once(method, parts, *rest):
        whole = answer(method, parts, *rest)
        if parts[-1] != "content" or cut:
            return whole
        cut.append(whole)
        return replace(whole, way=way)

    monkeypatch.setattr(server.batches, "answer", cut_once)
    assert generate(*BATCH) == 0
    notes_by_case_id(out)
    assert cut


def test_answers_may_contain_any_line_separator(generate, server, out, monkeypatch):
    answer = server.batches.answer

    def unescaped(*request):
        whole = answer(*request)
        return replace(whole, body=whole.body.replace(b"created", "cre\u2028\x85ated".encode()))

    monkeypatch.setattr(server.batches, "answer", unescaped)
    assert generate(*BATCH) == 0
    notes_by_case_id(out)


def test_broken_results_are_one_clear_error_and_readable_ones_are_kept(generate, server, out, monkeypatch, capsys):
    answer = server.batches.answer

    def broken(method, parts, *rest):
        whole = answer(method, parts, *rest)
        lines = whole.body.split(b"\n")
        return replace(whole, body=b"\n".join([b"<html>", *lines[1:]])) if parts[-1] == "content" else whole

    with monkeypatch.context() as patch:
        patch.setattr(server.batches, "answer", broken)
        assert generate(*BATCH) == 3
    assert "are broken. Run the same command again" in capsys.readouterr().err
    assert len(read_notes(out)) == COUNT - 1
    assert generate(*BATCH) == 0
    notes_by_case_id(out)
    assert posts(server, "/v1/batches") == 1


def test_lost_batches_are_an_error_that_names_the_state_file(generate, server, out, kill):
    kill("_wait")
    server.batches.batches.clear()
    with pytest.raises(WriterError, match=r"404: No such object.*remove .*notes\.batches\.json"):
        generate(*BATCH)
    assert out.with_name("notes.batches.json").exists()


def test_a_rejected_batch_is_submitted_again_by_the_next_run(generate, server, out, kill):
    kill("_start")
    server.batches.files.clear()
    with pytest.raises(WriterError, match=r"No such file.*No batch was started"):
        generate(*BATCH)
    assert generate(*BATCH) == 0
    notes_by_case_id(out)


def test_a_server_without_batches_is_named(generate, server):
    with pytest.raises(WriterError, match=r"404.*leave --batch out"):
        generate(*BATCH, url=server.url.replace("/v1", "/elsewhere"))


def test_a_batch_is_found_although_its_id_was_not_saved(generate, server, out, kill):
    kill("_wait")
    path = out.with_name("notes.batches.json")
    state = json.loads(path.read_text())
    state["parts"][0]["batch_id"] = ""
    path.write_text(json.dumps(state))
    assert generate(*BATCH) == 0
    notes_by_case_id(out)
    assert posts(server, "/v1/batches") == 1


def test_an_interrupted_download_is_continued(generate, out, monkeypatch, capsys):
    add, lines = BatchResults.add, []

    def add_or_break(self, line):
        lines.append(line)
        if len(lines) == 5:
            raise UnreachableError("The connection was dropped.", retryable=True)
        return add(self, line)

    monkeypatch.setattr(BatchResults, "add", add_or_break)
    assert generate(*BATCH) == 0
    notes_by_case_id(out)
    assert len([line for line in lines if line]) == COUNT + 5 and "requests  12" in capsys.readouterr().out


def test_failed_lines_are_failures_and_are_requested_again(generate, server, out):
    failures = iter(["refusal", "500", "wrong schema"])
    server.batches.line_failure = lambda custom_id: next(failures, None)
    assert generate(*BATCH) == 3
    assert sorted(row["kind"] for row in failures_of(out)) == ["malformed answer", "refusal", "server fault"]
    assert len(read_notes(out)) == COUNT - 3
    assert generate(*BATCH) == 0
    notes_by_case_id(out)
