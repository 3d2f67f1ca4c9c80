"""Notes of the template strategy, and the repair and replacement of rows."""

import json

import numpy as np
import pandas as pd
import pytest

from dermnote.errors import NotesError
from dermnote.notes.schema import Note, NoteRow, notes_by_case, read_notes, write_notes
from train import generate_notes
from train.data.cases import Cases

TABLE = pd.DataFrame(
    {
        "case_id": ["s/1", "s/2", "s/3"],
        "label": ["melanoma", "melanocytic nevus", None],
        "malignancy": ["malignant", "benign", None],
        "subtype": [None, "Blue nevus", ""],
        "description": None,
        "age": [50.0, np.nan, 33.0],
        "sex": ["male", None, "female"],
        "site": None,
        "skin_type": None,
    }
)


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs the step on three cases, the third without metadata."""
    state = {"table": TABLE}
    monkeypatch.setattr(Cases, "read", lambda *_, **__: Cases(state["table"], [b""] * 3, ("melanoma",), {}))

    def generate(*more, table=TABLE):
        state["table"] = table
        status = generate_notes.main(["--cases", "cases", "--out", str(tmp_path / "sub" / "notes.jsonl"), *more])
        assert status == 0
        return tmp_path / "sub" / "notes.jsonl"

    return generate


def test_each_case_gets_a_row_with_every_field(run, capsys):
    rows = [json.loads(line) for line in run("--strategy", "m").read_text().splitlines()]
    assert [row["case_id"] for row in rows] == ["s/1", "s/2"]
    assert list(rows[0]) == ["case_id", "strategy", "model", "prompt_version", "request", "note", "findings", "audit"]
    assert rows[1]["note"].endswith("benign skin lesion, diagnosed as melanocytic nevus, subtype blue nevus.")
    assert (rows[0]["strategy"], rows[0]["model"], rows[0]["findings"]) == ("m", "template", None)
    output = capsys.readouterr().out
    assert "notes written           2" in output and "without any metadata    1" in output
    assert "next: accelerate launch -q -m train.fit --config train/configs/finetune.yaml" in output


def test_a_second_run_does_nothing(run, capsys):
    path = run()
    before = path.stat()
    run()
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert "up to date" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("cut", "repair"), [(0, ""), (1, "was torn"), (30, "was torn"), (-25, "was torn"), (-1, "no end")]
)
def test_a_cut_file_is_repaired_and_completed(run, capsys, cut, repair):
    path = run()
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    path.write_bytes(whole[: first + cut] if cut >= 0 else whole[:cut])
    capsys.readouterr()
    run()
    assert path.read_bytes() == whole
    output = capsys.readouterr().out
    assert repair in output and output.count("the last line") == bool(repair)


def test_a_wrong_line_in_the_middle_is_named_and_nothing_is_lost(run):
    path = run()
    damaged = b"{oops\n" + path.read_bytes()
    path.write_bytes(damaged)
    with pytest.raises(NotesError, match=r"notes\.jsonl line 1: the line is torn"):
        run()
    assert path.read_bytes() == damaged


def test_other_rows_are_kept_and_stale_rows_replaced(run, capsys):
    path = run()
    paid = NoteRow("s/1", Note("Written by a model.", "p3", "some-llm", "v1"))
    elsewhere = NoteRow("t/9", Note("Of another folder.", "m", prompt_version="old"))
    write_notes(path, [paid, elsewhere, *read_notes(path), NoteRow("s/1", Note("Old words.", "m"))])
    table = TABLE.assign(label=["melanoma", "dermatofibroma", None], subtype=None)
    capsys.readouterr()
    run(table=table)
    assert "rows replaced           2 " in capsys.readouterr().out  # the old words and the changed record
    rows = read_notes(path)
    assert rows[:2] == [paid, elsewhere] and len(rows) == 4
    assert "dermatofibroma" in notes_by_case(path, ["m"])["s/2"]["m"]


def test_demographics_give_another_version_and_more_notes(run):
    path = run("--demographics")
    notes = notes_by_case(path)
    assert notes["s/3"]["m"].endswith("Seen in a 33-year-old female patient.")
    run()
    assert "50-year-old" not in notes_by_case(path)["s/1"]["m"]


def test_no_metadata_at_all_is_one_clear_error(run):
    with pytest.raises(NotesError, match="None of the 3 cases has metadata"):
        run(table=TABLE.assign(label=None, malignancy=None, subtype=None))
