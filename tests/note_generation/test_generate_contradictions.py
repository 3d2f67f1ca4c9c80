"""Notes that their record contradicts: kept and flagged, requested once more, or left out."""

import json

import pytest

from dermnote.notes.schema import read_notes
from tests.note_generation.conftest import failures_of, notes_by_case_id
from tests.tiny_cases import write_cases


def says(label, malignancy):
    answer = {"report": "Dark and round.", "stated_class": label, "stated_malignancy": malignancy}
    return {"name": "says", "text": json.dumps(answer)}


MELANOMA, NEVUS = says("melanoma", "malignant"), says("melanocytic nevus", "benign")


@pytest.fixture
def write(generate, tmp_path):
    """Writes P3 notes of four melanomas, one request after the other."""
    cases = write_cases(tmp_path / "melanomas", [0] * 4, [])

    def run(policy, *more):
        return generate("--strategy", "p3", "--concurrency", "1", "--on-contradiction", policy, *more, cases=cases)

    return run


def flags(out):
    return [note.audit["contradicted"] for note in notes_by_case_id(out, count=4).values()]


def test_keep_flags_contradicted_notes_and_prints_their_share(write, server, out, capsys):
    server.script([MELANOMA, NEVUS, MELANOMA, MELANOMA])
    assert write("keep") == 0
    assert flags(out) == [False, True, False, False]
    assert "contradicted notes      1 of 4 (25.0%; diagnosis: 1" in capsys.readouterr().out


def test_drop_lists_notes_as_failures_and_does_not_request_them_again(write, server, out, capsys):
    server.script([NEVUS, MELANOMA, MELANOMA, MELANOMA])
    assert write("drop") == 3
    for _ in range(2):
        assert [row.case_id for row in read_notes(out)] == [f"squares/train-{i}" for i in (1, 2, 3)]
        assert [(row["case_id"], row["kind"]) for row in failures_of(out)] == [("squares/train-0", "contradicted")]
        assert write("drop") == 3
    assert len(server.chats) == 4 and "run the same command again" not in capsys.readouterr().out
    assert write("keep") == 0  # from the cache
    assert len(notes_by_case_id(out, count=4)) == len(server.chats) == 4
    assert write("drop") == 3  # also removes a note that an earlier run kept
    assert len(read_notes(out)) == 3 and len(server.chats) == 4


def test_retry_requests_once_more_and_keeps_the_better_note(write, server, out):
    server.script([NEVUS, MELANOMA, MELANOMA, NEVUS, NEVUS, MELANOMA])
    assert write("retry") == 0
    assert flags(out) == [False, False, True, False]
    assert len(server.chats) == 6
    notes = notes_by_case_id(out, count=4)
    assert write("retry") == 0  # the second answer was no better; there is no third request
    assert write("keep") == 0
    assert len(server.chats) == 6 and notes_by_case_id(out, count=4) == notes


@pytest.mark.parametrize("policy", ["keep", "retry"])
def test_the_better_second_note_is_kept_when_the_audit_changes(write, server, out, monkeypatch, policy):
    server.script([NEVUS, MELANOMA, MELANOMA, MELANOMA, MELANOMA])
    assert write("retry") == 0
    texts = {case_id: note.text for case_id, note in notes_by_case_id(out, count=4).items()}
    monkeypatch.setattr("train.note_generation.note_run.AUDIT_VERSION", "another")
    out.with_name("notes.replies.sqlite").unlink()
    assert write(policy) == 0
    assert {case_id: note.text for case_id, note in notes_by_case_id(out, count=4).items()} == texts
    assert len(server.chats) == 5


def test_retry_after_keep_requests_only_the_flagged_notes(write, server, out):
    server.script([NEVUS, MELANOMA, MELANOMA, MELANOMA, MELANOMA])
    assert write("keep") == 0
    assert write("retry") == 0
    assert len(server.chats) == 5
    assert not any(flags(out))


def test_retry_keeps_the_flagged_note_if_the_second_request_fails(write, server, out):
    server.script([NEVUS, "refusal", MELANOMA, MELANOMA, MELANOMA])
    assert write("retry") == 0
    assert flags(out) == [True, False, False, False]


def test_retry_by_batch_needs_a_second_batch(write, server, out):
    lines = []

    def answer(custom_id):
        lines.append(custom_id)
        return NEVUS if len(lines) == 1 else MELANOMA

    server.batches.line_failure = answer
    assert write("retry", "--batch") == 3
    notes_by_case_id(out, count=4)
    assert write("retry", "--batch") == 0
    assert len(lines) == 5
    assert not any(flags(out))
