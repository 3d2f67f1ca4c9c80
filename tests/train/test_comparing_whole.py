"""A whole comparison of tiny cells in real processes: killed, resumed, told, and never run twice."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from comparing_worlds import Forked
from tiny_cases import NAMES, WORDS, case_row, write_cases, write_settings

from dermnote.errors import NotesError
from dermnote.metadata import LesionMetadata
from dermnote.notes.schema import Note, NoteRow, write_notes
from train import compare
from train.comparison import process, running
from train.comparison.query_notes import complete, read_query_notes
from train.data.cases import Cases, schema

TRAIN, VALIDATION, TEST = [0, 1, 2] * 8, [0, 1, 2] * 2, [0, 1, 2] * 4
PLAN = """
cases: {folder}/cases
notes: {folder}/notes.jsonl
query_notes: {folder}/query.jsonl
base: {folder}/tiny.yaml
seeds: [0]
minimum: [internal/image-only]
settings: {{epochs: 2}}
partitions:
  internal: {{title: internal}}
  llm: {{test_on: {{noted: true}}, test_splits: all, lesions_in_both: test}}
cells:
  image-only: {{multimodal: false}}
  m: {{strategies: [m], against: image-only}}
  p3: {{strategies: [p3], against: image-only}}
  m-queried: {{strategies: [m], queries: [m, m+p1, p3, m+p2], partitions: [llm]}}
"""
FINDINGS = {"asymmetry": "symmetric", "border": "sharp", "colours": ["red"], "structures": []}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare")
    cases = write_cases(folder / "cases", TRAIN, VALIDATION)
    rows = [case_row("test", number, kind, NAMES) for number, kind in enumerate(TEST)]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema()), cases / "data" / "test-00000-of-00001.parquet")
    kinds = [("train", i, k) for i, k in enumerate(TRAIN)] + [("test", i, k) for i, k in enumerate(TEST)]
    notes = [NoteRow(f"squares/{s}-{i}", Note(f"A {NAMES[k]}, {WORDS[k]}, number {i % 4}.", "m")) for s, i, k in kinds]
    write_notes(folder / "notes.jsonl", notes)
    some = [*(("test", i, k) for i, k in enumerate(TEST[:6])), *(("train", i, k) for i, k in enumerate(TRAIN[:3]))]
    lines = [
        {"isic_id": f"{split}-{i}", "strategy": strategy, "note": f"It is {WORDS[k]}.", "findings": FINDINGS}
        for split, i, k in some
        for strategy in ("m+p1", "p3")
    ]
    (folder / "query.jsonl").write_text("\n".join(map(json.dumps, lines)))
    write_settings(folder / "tiny.yaml", "checkpoint_minutes: 1.0e-9\n")
    (folder / "plan.yaml").write_text(PLAN.format(folder=folder))
    return folder


def refuse(job: Path, log: Path) -> Forked:
    raise AssertionError(f"{job} was run again")


def test_a_killed_cell_is_told_resumed_and_what_is_finished_never_run_again(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = place / "out"
    command = ["--config", str(place / "plan.yaml"), "--out", str(out), "--bootstrap", "30", "--device", "cpu"]
    monkeypatch.setattr(running, "start", lambda job, log: Forked(job, log, killed=job.parent.name == "m"))
    assert compare.main(command) == compare.FAILED
    said = capsys.readouterr().out
    assert "internal/m seed 0 failed: its process was ended by signal 9" in said
    assert "[1/3] internal/image-only seed 0 finished: kappa" in said and "min left" in said
    assert "left out: internal/p3: Only 0 of 24 training cases have a note of p3." in said
    assert "llm/m-queried: no m+p2 notes to search with." in said
    assert "| internal/m seed 0 | failed: its process was ended by signal 9" in (out / "comparison.md").read_text()

    monkeypatch.setattr(
        running, "start", lambda job, log: Forked(job, log) if job.parent.name == "m" else refuse(job, log)
    )
    assert compare.main(command) == 0
    assert "Resuming after epoch" in (out / "cells/internal/m/seed-0.log").read_text()
    assert "internal/image-only seed 0 was finished" in capsys.readouterr().out
    told = json.loads((out / "comparison.json").read_text())
    cells = {cell["name"]: cell["seeds"] for cell in told["cells"]}
    assert cells == {"internal/image-only": [0], "internal/m": [0], "internal/p3": [], "llm/m-queried": [0]}
    kappas = [each for each in told["differences"] if each["measure"] == "kappa"]
    assert [(each["first"], each["second"]) for each in kappas] == [("m", "image-only")]
    for name in ("image-only", "m"):  # a cell is a run folder like any other, and both speak of the same figures
        metrics = json.loads((out / f"cells/internal/{name}/seed-0/metrics.json").read_text())
        block = metrics["splits"]["test"]["all"]
        ours = {each["kind"] + each["version"] + each["direction"]: each["mean"] for each in told["figures"]
                if each["recipe"] == name and each["row"] == "all"}  # fmt: skip
        assert ours["kappa"] == pytest.approx(block["classification"]["kappa"])
        if name == "m":
            found = block["retrieval"]["masked"]["text_to_image"]
            assert ours["mapmaskedtext_to_image"] == pytest.approx(found["map"])
            assert ours["cosinemasked"] == pytest.approx(block["alignment"]["masked"]["paired_cosine"], abs=1e-6)
    queried = {each["queries"] for each in told["figures"] if each["recipe"] == "m-queried"} - {""}
    assert queried == {"m", "m+p1", "p3"}
    assert next(row for row in told["rows"] if row["partition"] == "llm")["n_cases"] == 9
    learnt = Cases.read(out / "views/llm", splits=["train"]).table["case_id"]
    assert len(learnt) == 21 and "squares/train-0" not in set(learnt)

    monkeypatch.setattr(running, "start", refuse)
    assert compare.main(command) == 0 == compare.main([*command, "--tables"])
    capsys.readouterr()
    assert compare.main([*command, "--only", "m", "--set", "epochs=3"]) == compare.FAILED
    assert "was made with another epochs: remove it, or change --out" in capsys.readouterr().out
    before = sorted(place.rglob("*"))
    assert compare.main([*command, "--dry-run", "--out", str(place / "elsewhere"), "--minimum"]) == 0
    assert "1 of 1 trainings to do, about" in capsys.readouterr().out and sorted(place.rglob("*")) == before


def test_a_cell_that_cannot_be_trained_costs_one_cell_and_one_line(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--config", str(place / "plan.yaml"), "--out", str(tmp_path / "out"), "--only", "image-only"]
    assert compare.main([*command, "--set", "backbone=resnet5"]) == compare.FAILED
    said = capsys.readouterr().out
    assert "internal/image-only seed 0 failed:" in said and "resnet5" in said and "Traceback" not in said
    assert "finished  0 of" in " ".join(said.split("Compared")[1].split("\n")[1:2]).replace("   ", " ")


def test_whoever_asks_for_an_end_asks_the_child_too() -> None:
    class Told:
        asked = 0

        def wait(self) -> int:
            return 0

        def terminate(self) -> None:
            self.asked += 1

    child, before = Told(), signal.getsignal(signal.SIGTERM)
    with process.passing_on(child) as asked:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    assert sorted(asked) == [signal.SIGINT, signal.SIGTERM] and child.asked == 2
    assert signal.getsignal(signal.SIGTERM) is before


def test_query_notes_find_their_cases_and_are_completed(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    free = "It is red. The border is sharp. It is symmetric."
    rows = [
        {"isic_id": "ISIC_1", "strategy": "m+p1", "note": "Border: sharp.", "findings": FINDINGS},
        {"case_id": "milk10k/ISIC_1", "strategy": "m+p2", "note": free},
        {"isic_id": "ISIC_9", "strategy": "p3", "note": "Elsewhere."},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    ids = pd.Series(["milk10k/ISIC_1", "ham/ISIC_2", "milk10k/ISIC_2"])
    notes = read_query_notes(path, ids)
    assert [(row.case_id, row.note.strategy) for row in notes] == [
        ("milk10k/ISIC_1", "m+p1"),
        ("milk10k/ISIC_1", "m+p2"),
    ]
    whole = complete(notes, {"milk10k/ISIC_1": LesionMetadata(label="melanoma", malignancy="malignant")})
    by_strategy = {row.note.strategy: row.note for row in whole}
    assert set(by_strategy) == {"m", "m+p1", "m+p2", "mix"}
    assert "melanoma" in by_strategy["m"].text and by_strategy["mix"].findings["border"] == "sharp"
    path.write_text(json.dumps({"isic_id": "ISIC_2", "strategy": "p3", "note": "Which?"}))
    with pytest.raises(NotesError, match="ISIC_2 fits several cases"):
        read_query_notes(path, ids)
    path.write_text(json.dumps({"isic_id": "ISIC_7", "strategy": "p3", "note": "Nobody's."}))
    with pytest.raises(NotesError, match="None of the notes"):
        read_query_notes(path, ids)
