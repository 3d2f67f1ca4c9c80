"""Notes that their record contradicts: kept and flagged, asked for once more, or left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dermnote.notes.schema import read_notes
from tests.note_generation.conftest import Generate, check_exact, failures_of
from tests.tiny_cases import write_cases

MELANOMA, NEVUS = ("melanoma", "malignant"), ("melanocytic nevus", "benign")


def says(stated: tuple[str, str]) -> dict[str, Any]:
    answer = {"report": "Dark and round.", "stated_class": stated[0], "stated_malignancy": stated[1]}
    return {"name": "says", "text": json.dumps(answer)}


@pytest.fixture
def write(generate: Generate, tmp_path: Path) -> Callable[..., int]:
    """Writes P3 notes of four melanomas, one request after the other."""
    cases = write_cases(tmp_path / "melanomas", [0] * 4, [])

    def run(policy: str, *more: str) -> int:
        return generate("--strategy", "p3", "--concurrency", "1", "--on-contradiction", policy, *more, cases=cases)

    return run


def test_keep_flags_them_and_tells_the_rate(write, server, out, capsys):
    server.script([says(MELANOMA), says(NEVUS), says(MELANOMA), says(MELANOMA)])
    assert write("keep") == 0
    flagged = [row.case_id for row in check_exact(out, count=4) if row.note.audit["contradicted"]]
    assert flagged == ["squares/train-1"]
    assert "contradicted notes      1 of 4 (25.0%; diagnosis: 1" in capsys.readouterr().out


def test_drop_leaves_them_out_lists_them_and_does_not_ask_again(write, server, out, capsys):
    server.script([says(NEVUS), says(MELANOMA), says(MELANOMA), says(MELANOMA)])
    assert write("drop") == 3
    for _ in range(2):
        assert [row.case_id for row in read_notes(out)] == [f"squares/train-{i}" for i in (1, 2, 3)]
        assert [(row["case_id"], row["kind"]) for row in failures_of(out)] == [("squares/train-0", "contradicted")]
        assert write("drop") == 3
    assert len(server.chats) == 4 and "run the same command again" not in capsys.readouterr().out
    assert write("keep") == 0  # it was paid for: the cache still has it
    check_exact(out, count=4)
    assert len(server.chats) == 4


def test_drop_also_takes_out_what_an_earlier_run_kept(write, server, out):
    server.script([says(NEVUS), says(MELANOMA), says(MELANOMA), says(MELANOMA)])
    assert write("keep") == 0
    assert write("drop") == 3
    assert len(read_notes(out)) == 3 and len(server.chats) == 4


def test_retry_asks_once_more_and_keeps_the_better(write, server, out):
    server.script([says(NEVUS), says(MELANOMA), says(MELANOMA), says(NEVUS), says(NEVUS), says(MELANOMA)])
    assert write("retry") == 0
    notes = {row.case_id: row.note for row in check_exact(out, count=4)}
    assert [note.audit["contradicted"] for note in notes.values()] == [False, False, True, False]
    assert len(server.chats) == 6
    assert write("retry") == 0  # the second answer was no better either: that is not asked a third time
    assert len(server.chats) == 6
    assert write("keep") == 0
    assert {row.case_id: row.note for row in read_notes(out)} == notes


@pytest.mark.parametrize("policy", ["keep", "retry"])
def test_the_better_second_note_stays_when_the_audit_changes(write, server, out, monkeypatch, policy):
    server.script([says(NEVUS), says(MELANOMA), says(MELANOMA), says(MELANOMA), says(MELANOMA)])
    assert write("retry") == 0
    texts = {row.case_id: row.note.text for row in read_notes(out)}
    monkeypatch.setattr("train.note_generation.note_run.AUDIT_VERSION", "another")
    out.with_name("notes.replies.sqlite").unlink()
    assert write(policy) == 0
    assert {row.case_id: row.note.text for row in check_exact(out, count=4)} == texts
    assert len(server.chats) == 5


def test_retry_after_keep_asks_only_for_the_flagged(write, server, out):
    server.script([says(NEVUS), says(MELANOMA), says(MELANOMA), says(MELANOMA), says(MELANOMA)])
    assert write("keep") == 0
    assert write("retry") == 0
    assert len(server.chats) == 5
    assert not any(row.note.audit["contradicted"] for row in check_exact(out, count=4))


def test_retry_keeps_the_flagged_note_if_the_second_request_fails(write, server, out):
    server.script([says(NEVUS), "refusal", says(MELANOMA), says(MELANOMA), says(MELANOMA)])
    assert write("retry") == 0
    flagged = [row.note.audit["contradicted"] for row in check_exact(out, count=4)]
    assert flagged == [True, False, False, False]


def test_retry_by_batch_asks_in_the_next_batch(write, server, out, monkeypatch):
    monkeypatch.setattr("train.note_generation.openai_batch.FIRST_PAUSE_S", 0.01)
    told: list[str] = []

    def fault(custom_id: str) -> dict[str, Any]:
        told.append(custom_id)
        return says(NEVUS if len(told) == 1 else MELANOMA)

    server.batches.line_failure = fault
    assert write("retry", "--batch") == 3
    check_exact(out, count=4)
    assert write("retry", "--batch") == 0
    assert len(told) == 5
    assert not any(row.note.audit["contradicted"] for row in check_exact(out, count=4))
