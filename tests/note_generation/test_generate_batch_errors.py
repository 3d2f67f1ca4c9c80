"""Batches whose server, or whose way to it, goes wrong: nothing is paid for twice, and it is said what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dermnote.llm.llm_errors import WriterError
from dermnote.notes.schema import read_notes
from tests.note_generation.conftest import COUNT, check_exact
from tests.note_generation.test_generate_batch import BATCH, Killed, die, posts
from tests.servers.llm_failures import Answer
from train.note_generation import openai_batch


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_batch, "FIRST_PAUSE_S", 0.01)


@pytest.mark.parametrize("way", ["none", "half"])
def test_a_download_whose_connection_is_cut_is_tried_again(generate, server, out, monkeypatch, way):
    answer, cut = server.batches.answer, []

    def cut_once(method: str, parts: list[str], *rest: Any) -> Answer:
        whole = answer(method, parts, *rest)
        if parts[-1] != "content" or cut:
            return whole
        cut.append(whole)
        return replace(whole, way=way)

    monkeypatch.setattr(server.batches, "answer", cut_once)
    assert generate(*BATCH) == 0
    check_exact(out)
    assert cut


def test_answers_may_hold_any_character(generate, server, out, monkeypatch):
    answer = server.batches.answer

    def unescaped(method: str, parts: list[str], *rest: Any) -> Answer:
        whole = answer(method, parts, *rest)
        return replace(whole, body=whole.body.replace(b"created", "cre\u2028\x85ated".encode()))

    monkeypatch.setattr(server.batches, "answer", unescaped)
    assert generate(*BATCH) == 0
    check_exact(out)


def test_broken_results_are_one_clear_error_and_what_could_be_read_is_kept(generate, server, out, monkeypatch, capsys):
    answer = server.batches.answer

    def broken(method: str, parts: list[str], *rest: Any) -> Answer:
        whole = answer(method, parts, *rest)
        lines = whole.body.split(b"\n")
        return replace(whole, body=b"\n".join([b"<html>", *lines[1:]])) if parts[-1] == "content" else whole

    with monkeypatch.context() as patch:
        patch.setattr(server.batches, "answer", broken)
        assert generate(*BATCH) == 3
    assert "are broken. Run the same command again" in capsys.readouterr().err
    assert len(read_notes(out)) == COUNT - 1
    assert generate(*BATCH) == 0
    check_exact(out)
    assert posts(server, "/v1/batches") == 1


def test_batches_that_are_gone_are_named_with_the_file_that_tells_of_them(generate, server, out, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(openai_batch.BatchClient, "_wait", die)
        generate(*BATCH)
    server.batches.batches.clear()
    with pytest.raises(WriterError, match=r"404: No such object.*remove .*notes\.batches\.json"):
        generate(*BATCH)
    assert out.with_name("notes.batches.json").exists()


def test_an_order_that_is_refused_is_given_anew_by_the_next_run(generate, server, out, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(openai_batch.BatchClient, "_start", die)
        generate(*BATCH)
    server.batches.files.clear()
    with pytest.raises(WriterError, match=r"No such file.*No batch was started"):
        generate(*BATCH)
    assert generate(*BATCH) == 0
    check_exact(out)


def test_a_server_without_batches_is_said_to_be_one(generate, server):
    url = server.url.replace("/v1", "/elsewhere")
    with pytest.raises(WriterError, match=r"404.*leave --batch out"):
        generate(*BATCH, url=url)
