"""Notes by a language model, over real HTTP: requests, failures, and notes that their record contradicts."""

from __future__ import annotations

import hashlib
import json

import pytest

from dermnote.errors import NotesError
from dermnote.llm.llm_errors import KeyRefusedError, NoKeyError
from dermnote.notes.schema import read_notes
from tests.note_generation.conftest import COUNT, cases_with, failures_of, keep_first_rows, notes_by_case_id
from tests.tiny_cases import NAMES, case_row, write_cases

TOO_MANY = "train.note_generation.concurrent_requests.TOO_MANY"


def test_every_case_gets_a_note_with_its_audit_and_the_key_of_its_request(generate, out, capsys):
    assert generate("--strategy", "m+p1", "--model", "some-model") == 0
    notes = notes_by_case_id(out, "m+p1").values()
    for note in notes:
        assert note.model == "some-model" and len(note.request) == 64 and note.findings
        assert note.audit and note.audit["contradicted"] is False and note.audit["checked"]
    assert len({note.request for note in notes}) == COUNT
    output = capsys.readouterr().out
    assert "notes written           12" in output and "requests  12" in output and "notes a second" in output


def test_a_second_run_sends_nothing_and_leaves_the_file_alone(generate, server, out):
    assert generate("--strategy", "m", "m+p2", "p3") == 0
    before = out.stat()
    assert len(server.chats) == 2 * COUNT
    out.with_name("notes.replies.sqlite").unlink()  # up-to-date notes need no cache
    assert generate("--strategy", "m", "m+p2", "p3") == 0
    assert len(server.chats) == 2 * COUNT
    assert (out.stat().st_mtime_ns, out.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_lost_rows_are_restored_from_the_cache(generate, server, out):
    generate("--strategy", "p3")
    notes = notes_by_case_id(out)
    keep_first_rows(out, 3)
    assert generate("--strategy", "p3") == 0
    assert notes_by_case_id(out) == notes and len(server.chats) == COUNT


def test_a_changed_record_is_requested_again_and_p3_is_only_audited_again(generate, server, out, tmp_path):
    assert generate("--strategy", "m+p2", "p3") == 0
    swapped = ("melanocytic nevus", "melanoma", "vascular lesion")
    cases = write_cases(tmp_path / "changed", [0, 1, 2] * (COUNT // 3), [], swapped)
    before = notes_by_case_id(out, "p3")
    assert generate("--strategy", "m+p2", "p3", cases=cases) == 0
    assert len(server.chats) == 2 * COUNT + 8  # four of the twelve are unchanged
    notes_by_case_id(out, "m+p2")
    after = notes_by_case_id(out, "p3")
    assert {name: note.text for name, note in after.items()} == {name: note.text for name, note in before.items()}
    assert sum(after[name].audit["checked"] != before[name].audit["checked"] for name in after) == 8


def test_an_old_note_is_kept_while_its_successor_fails(generate, server, out):
    generate("--strategy", "m+p2")
    before = out.read_bytes()
    server.always("500")
    assert generate("--strategy", "m+p2", "--demographics", "--detail", "high") == 3
    assert out.read_bytes() == before
    assert {row["kind"] for row in failures_of(out)} == {"server fault"}


def test_another_models_notes_are_replaced_only_on_demand(generate, server, out):
    generate("--strategy", "p3", "--model", "first")
    before = out.read_bytes()
    with pytest.raises(NotesError, match=r"12 p3 notes by first.*--replace"):
        generate("--strategy", "p3", "--model", "second")
    assert out.read_bytes() == before and len(server.chats) == COUNT
    assert generate("--strategy", "p3", "--model", "second", "--replace") == 0
    assert {note.model for note in notes_by_case_id(out).values()} == {"second"}
    assert generate("--strategy", "p3", "--model", "first", "--replace") == 0  # from the cache
    assert len(server.chats) == 2 * COUNT


def test_mix_requests_its_parts_once_and_joins_them(generate, server, out):
    assert generate("--strategy", "m+p1") == 0
    for _ in range(2):
        assert generate("--strategy", "mix") == 0
        for name in ("m+p1", "m+p2", "mix"):
            notes_by_case_id(out, name)
        assert len(server.chats) == 2 * COUNT


def test_mix_names_a_missing_part(generate, server, out):
    server.script(["refusal"])
    assert generate("--strategy", "mix", "--concurrency", "1") == 3
    assert [row["kind"] for row in failures_of(out)] == ["refusal", "part missing"]


def test_failures_name_case_kind_and_hint_and_are_requested_again(generate, server, out):
    server.script([None, "refusal", "wrong schema", "wrong schema", "cut off", None])
    assert generate("--strategy", "p3", "--concurrency", "1") == 3
    failed = failures_of(out)
    assert [row["kind"] for row in failed] == ["refusal", "malformed answer", "cut off"]
    assert all(row["case_id"].startswith("squares/") and row["message"] and row["hint"] for row in failed)
    assert {row.case_id for row in read_notes(out)}.isdisjoint(row["case_id"] for row in failed)
    sent = len(server.chats)
    assert generate("--strategy", "p3") == 0
    assert len(server.chats) - sent == 3
    notes_by_case_id(out)
    assert not failures_of(out)


def test_nothing_is_written_without_key_or_server(generate, out):
    with pytest.raises(NoKeyError, match="OPENAI_API_KEY"):
        generate("--strategy", "m", "p3", url="https://api.openai.com/v1")
    assert not out.exists()


def test_a_rejected_key_stops_at_once_with_the_error(generate, server, out, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "not-the-right-one")
    server.always("401")
    with pytest.raises(KeyRefusedError):
        generate("--strategy", "p3", "--concurrency", "2")
    assert len(server.chats) <= 2 and not out.exists()


def test_notes_without_requests_are_written_although_the_key_is_rejected(generate, server, out, capsys):
    server.always("403")
    assert generate("--strategy", "m", "p3") == 3
    notes_by_case_id(out, "m")
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: ")


def test_used_up_credit_keeps_earlier_replies(generate, server, out, capsys):
    server.script([None, None])
    server.always("quota")
    assert generate("--strategy", "p3", "--concurrency", "1") == 3
    assert len(read_notes(out)) == 2 and len(server.chats) == 3
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-1].startswith("error: ") and "not requested yet  9" in captured.out


@pytest.mark.parametrize(("failure", "sent"), [("500", 5), ("400", 5), ("refusal", COUNT)])  # refusals are single cases
def test_a_server_that_always_fails_stops_the_run(generate, server, out, capsys, monkeypatch, failure, sent):
    monkeypatch.setattr(TOO_MANY, 5)
    server.always(failure)
    assert generate("--strategy", "p3", "--concurrency", "1") == 3
    assert len(server.chats) == len(failures_of(out)) == sent
    assert ("5 requests in a row have failed" in capsys.readouterr().err) is (sent == 5)


def test_concurrent_failures_are_not_failures_in_a_row(generate, server, out, monkeypatch):
    monkeypatch.setattr(TOO_MANY, 3)
    server.script(["500"] * 6)
    assert generate("--strategy", "p3", "--concurrency", "6") == 3
    assert len(server.chats) == COUNT and len(read_notes(out)) == COUNT - 6


def test_a_damaged_image_is_a_failure_and_a_dry_run_ignores_it(generate, server, out, tmp_path, capsys):
    damaged = {"image": {"bytes": b"no image", "path": None}, "content_sha256": hashlib.sha256(b"x").hexdigest()}
    folder = cases_with(tmp_path / "damaged", damaged, {})
    assert generate("--strategy", "p3", "--dry-run", cases=folder) == 0
    assert "data:image/jpeg" in capsys.readouterr().out
    assert generate("--strategy", "p3", cases=folder) == 3
    assert [row["kind"] for row in failures_of(out)] == ["picture"] and len(server.chats) == 1


VOCABULARY = """
name: nails
picture: a photo of one nail
classes: [{name: melanoma, malignancy: malignant}, {name: onychomycosis, malignancy: benign}]
features:
  shape: {options: {flat: {}, curved: {}}}
"""


def test_another_specialtys_vocabulary_gives_other_requests_and_notes(generate, server, out, tmp_path):
    path = tmp_path / "nails.yaml"
    path.write_text(VOCABULARY)
    assert generate("--strategy", "m+p1", "p3") == 0
    assert generate("--strategy", "m+p1", "p3", "--vocabulary", str(path)) == 0
    assert len(server.chats) == 4 * COUNT
    assert {note.findings["shape"] for note in notes_by_case_id(out, "m+p1").values()} <= {"flat", "curved"}
    stated = {note.findings["stated_class"] for note in notes_by_case_id(out, "p3").values()}
    assert stated <= {"melanoma", "onychomycosis"}


def test_runs_side_by_side_use_files_of_their_own(generate, server, out):
    server.always("refusal")
    assert generate("--strategy", "p3") == 3
    server.always(None)
    others, oddly_named = out.with_name("others.jsonl"), out.parent / "more" / "failures.jsonl"
    assert generate("--strategy", "p3", "--out", str(others)) == 0
    assert len(failures_of(out)) == COUNT and len(read_notes(others)) == COUNT
    assert generate("--strategy", "p3", "--out", str(oddly_named)) == 0
    assert len(read_notes(oddly_named)) == COUNT


def test_the_template_is_tried_before_any_request(generate, server, tmp_path):
    folder = cases_with(tmp_path / "blank", {"label": None, "subtype": None})
    with pytest.raises(NotesError, match="None of the 1 cases has metadata"):
        generate("--strategy", "p3", "m", cases=folder)
    assert not server.chats
    assert generate("--strategy", "p3", cases=folder) == 0


def test_invalid_settings_are_refused_before_any_request(generate, server, out, tmp_path):
    bare = tmp_path / "bare.yaml"
    bare.write_text("{name: bare, picture: a nail, classes: taxonomy}")
    with pytest.raises(NotesError, match="vocabulary 'bare' has none"):
        generate("--strategy", "mix", "--vocabulary", str(bare))
    with pytest.raises(NotesError, match="--cache and --out are the same file"):
        generate("--strategy", "p3", "--cache", str(out))
    for wrong in ("--concurrency=0", "--limit=0", "--max-retries=-1", "--timeout=0", "--max-usd=nan"):
        with pytest.raises(NotesError, match=wrong.split("=")[0]):
            generate("--strategy", "p3", wrong)
    assert not server.chats


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
    assert write("keep") == 0 and flags(out) == [True, False, False, False]
    assert write("retry") == 0
    assert len(server.chats) == 5 and not any(flags(out))


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


def test_cases_with_the_same_image_and_record_share_a_request(generate, server, out, tmp_path):
    same = {key: case_row("train", 0, 0, NAMES)[key] for key in ("image", "content_sha256", "label")}
    assert generate("--strategy", "m+p1", cases=cases_with(tmp_path / "twins", *[same] * 5)) == 0
    notes_by_case_id(out, "m+p1", 5)
    assert len(server.chats) == 1
