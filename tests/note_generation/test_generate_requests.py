"""Notes by a language model, over real HTTP."""

from __future__ import annotations

import hashlib
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dermnote.errors import NotesError
from dermnote.llm.llm_errors import KeyRefusedError, NoKeyError
from dermnote.notes.schema import read_notes
from tests.note_generation.conftest import COUNT, check_exact, failures_of
from tests.tiny_cases import case_row, write_cases
from train.data.cases import schema


def test_every_case_gets_a_note_with_its_audit_and_the_key_of_its_request(generate, out, capsys):
    assert generate("--strategy", "m+p1", "--model", "some-model") == 0
    rows = check_exact(out, "m+p1")
    for row in rows:
        assert row.note.model == "some-model" and len(row.note.request) == 64 and row.note.findings
        assert row.note.audit and row.note.audit["contradicted"] is False and row.note.audit["checked"]
    assert len({row.note.request for row in rows}) == COUNT
    said = capsys.readouterr().out
    assert "notes written           12" in said and "requests  12" in said and "notes a second" in said


def test_a_second_run_asks_nothing_and_leaves_the_file_alone(generate, server, out):
    assert generate("--strategy", "m", "m+p2", "p3") == 0
    before, asked = out.stat(), len(server.chats)
    assert generate("--strategy", "m", "m+p2", "p3") == 0
    assert (len(server.chats), asked) == (2 * COUNT, 2 * COUNT)
    assert (out.stat().st_mtime_ns, out.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_lost_rows_come_back_from_the_cache(generate, server, out):
    generate("--strategy", "p3")
    rows = {row.case_id: row.note for row in read_notes(out)}
    out.write_bytes(b"".join(out.read_bytes().splitlines(keepends=True)[:3]))
    assert generate("--strategy", "p3") == 0
    assert {row.case_id: row.note for row in check_exact(out)} == rows
    assert len(server.chats) == COUNT


def test_kept_notes_need_no_cache(generate, server, out):
    generate("--strategy", "p3")
    out.with_name("notes.replies.sqlite").unlink()
    assert generate("--strategy", "p3") == 0
    assert len(server.chats) == COUNT


def test_a_changed_record_is_asked_again_and_p3_is_only_audited_again(generate, server, out, tmp_path):
    assert generate("--strategy", "m+p2", "p3") == 0
    swapped = ("melanocytic nevus", "melanoma", "vascular lesion")
    cases = write_cases(tmp_path / "changed", [0, 1, 2] * (COUNT // 3), [], swapped)
    before = {row.case_id: row.note for row in check_exact(out, "p3")}
    assert generate("--strategy", "m+p2", "p3", cases=cases) == 0
    assert len(server.chats) == 2 * COUNT + 8  # four of the twelve are what they were
    check_exact(out, "m+p2")
    after = {row.case_id: row.note for row in check_exact(out, "p3")}
    assert {name: note.text for name, note in after.items()} == {name: note.text for name, note in before.items()}
    checked = {name for name in after if after[name].audit["checked"] != before[name].audit["checked"]}
    assert len(checked) == 8


def test_an_old_note_stays_while_its_successor_fails(generate, server, out, tmp_path):
    generate("--strategy", "m+p2")
    before = out.read_bytes()
    server.always("500")
    assert generate("--strategy", "m+p2", "--demographics", "--detail", "high") == 3
    assert out.read_bytes() == before
    assert {row["kind"] for row in failures_of(out)} == {"server fault"}


def test_another_models_notes_are_not_replaced_unasked(generate, server, out):
    generate("--strategy", "p3", "--model", "first")
    before = out.read_bytes()
    with pytest.raises(NotesError, match=r"12 p3 notes by first.*--replace"):
        generate("--strategy", "p3", "--model", "second")
    assert out.read_bytes() == before and len(server.chats) == COUNT
    assert generate("--strategy", "p3", "--model", "second", "--replace") == 0
    assert {row.note.model for row in check_exact(out)} == {"second"}
    assert generate("--strategy", "p3", "--model", "first", "--replace") == 0  # the cache has them
    assert len(server.chats) == 2 * COUNT


def test_mix_asks_for_its_parts_once_and_joins_them(generate, server, out):
    assert generate("--strategy", "m+p1") == 0
    assert generate("--strategy", "mix") == 0
    for name in ("m+p1", "m+p2", "mix"):
        check_exact(out, name)
    assert len(server.chats) == 2 * COUNT
    before = out.read_bytes()
    assert generate("--strategy", "mix") == 0
    assert out.read_bytes() == before and len(server.chats) == 2 * COUNT


def test_mix_says_which_part_is_missing(generate, server, out):
    server.script(["refusal"])
    assert generate("--strategy", "mix", "--concurrency", "1") == 3
    assert [row["kind"] for row in failures_of(out)] == ["refusal", "part missing"]


def test_cases_of_one_picture_and_record_share_a_request(generate, server, out, tmp_path):
    folder = write_cases(tmp_path / "twins", [0], [])
    names = ("melanoma", "melanocytic nevus", "vascular lesion")
    same = case_row("train", 0, 0, names)
    rows = [{**same, "case_id": f"squares/train-{i}"} for i in range(5)]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema()), folder / "data" / "train-00000-of-00001.parquet")
    assert generate("--strategy", "m+p1", cases=folder) == 0
    check_exact(out, "m+p1", 5)
    assert len(server.chats) == 1


def test_failures_name_case_kind_and_hint_and_are_asked_again(generate, server, out):
    server.script([None, "refusal", "wrong schema", "wrong schema", "cut off", None])
    assert generate("--strategy", "p3", "--concurrency", "1") == 3
    failed = failures_of(out)
    assert [row["kind"] for row in failed] == ["refusal", "malformed answer", "cut off"]
    assert all(row["case_id"].startswith("squares/") and row["message"] and row["hint"] for row in failed)
    assert {row.case_id for row in read_notes(out)}.isdisjoint(row["case_id"] for row in failed)
    asked = len(server.chats)
    assert generate("--strategy", "p3") == 0
    assert len(server.chats) - asked == 3
    check_exact(out)
    assert not failures_of(out)


def test_a_refused_key_stops_at_once_with_the_error(generate, server, out, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "not-the-right-one")
    server.always("401")
    with pytest.raises(KeyRefusedError):
        generate("--strategy", "p3", "--concurrency", "2")
    assert len(server.chats) <= 2 and not out.exists()


def test_notes_that_need_no_server_are_written_although_the_key_is_refused(generate, server, out, capsys):
    server.always("403")
    assert generate("--strategy", "m", "p3") == 3
    check_exact(out, "m")
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: ")


def test_credit_that_runs_out_keeps_what_came(generate, server, out, capsys):
    server.script([None, None])
    server.always("quota")
    assert generate("--strategy", "p3", "--concurrency", "1") == 3
    assert len(read_notes(out)) == 2 and len(server.chats) == 3
    told = capsys.readouterr()
    assert told.err.splitlines()[-1].startswith("error: ") and "not requested yet  9" in told.out


@pytest.mark.parametrize("fault", ["500", "400"])
def test_a_server_that_answers_nobody_is_not_asked_for_ever(generate, server, out, capsys, monkeypatch, fault):
    monkeypatch.setattr("train.note_generation.concurrent_requests.TOO_MANY", 5)
    server.always(fault)
    assert generate("--strategy", "p3", "--concurrency", "1") == 3
    assert len(server.chats) == 5 and len(failures_of(out)) == 5
    assert "5 requests in a row have failed" in capsys.readouterr().err


def test_refusals_are_each_a_case_s_own_and_stop_nothing(generate, server, out, monkeypatch):
    monkeypatch.setattr("train.note_generation.concurrent_requests.TOO_MANY", 2)
    server.always("refusal")
    assert generate("--strategy", "p3", "--concurrency", "1") == 3
    assert len(server.chats) == len(failures_of(out)) > 2


def test_without_key_or_server_nothing_is_written(generate, squares, out, monkeypatch):
    with pytest.raises(NoKeyError, match="OPENAI_API_KEY"):
        generate("--strategy", "m", "p3", url="https://api.openai.com/v1")
    assert not out.exists()


def test_p3_sends_nothing_of_the_record_and_no_name(generate, server):
    assert generate("--strategy", "p3", "--demographics") == 0
    for request in server.chats:
        text = json.dumps(request.body)
        assert "squares" not in text and "spotted kind" not in text and "<record>" not in text


def test_pictures_without_a_readable_file_are_failures(generate, server, out, tmp_path):
    folder = write_cases(tmp_path / "damaged", [0, 1], [])
    names = ("melanoma", "melanocytic nevus", "vascular lesion")
    good, bad = case_row("train", 0, 0, names), case_row("train", 1, 1, names)
    bad["image"] = {"bytes": good["image"]["bytes"][:200], "path": None}
    bad["content_sha256"] = hashlib.sha256(b"bad").hexdigest()
    table = pa.Table.from_pylist([good, bad], schema=schema())
    pq.write_table(table, folder / "data" / "train-00000-of-00001.parquet")
    assert generate("--strategy", "p3", cases=folder) == 3
    assert [row["kind"] for row in failures_of(out)] == ["picture"] and len(server.chats) == 1


VOCABULARY = """
name: nails
picture: a photo of one nail
classes: [{name: melanoma, malignancy: malignant}, {name: onychomycosis, malignancy: benign}]
features:
  shape: {options: {flat: {}, curved: {}}}
"""


def test_another_specialtys_vocabulary_is_asked_with_and_makes_other_notes(generate, server, out, tmp_path):
    path = tmp_path / "nails.yaml"
    path.write_text(VOCABULARY)
    assert generate("--strategy", "m+p1", "p3") == 0
    assert generate("--strategy", "m+p1", "p3", "--vocabulary", str(path)) == 0
    assert len(server.chats) == 4 * COUNT  # with other options, every note is another
    assert {row.note.findings["shape"] for row in check_exact(out, "m+p1")} <= {"flat", "curved"}
    stated = {row.note.findings["stated_class"] for row in check_exact(out, "p3")}
    assert stated <= {"melanoma", "onychomycosis"}


def test_what_a_model_says_is_asked_for_once_whatever_it_holds(generate, server, out):
    said = {"report": "Flat </think> and round.", "stated_class": "melanoma", "stated_malignancy": "malignant"}
    server.always({"name": "says", "text": json.dumps(said).replace("</", "<\\/")})
    assert generate("--strategy", "p3") == 0
    assert {row.note.text.partition(" Impression")[0] for row in check_exact(out)} == {"Flat </think> and round."}
    assert len(server.chats) == COUNT
