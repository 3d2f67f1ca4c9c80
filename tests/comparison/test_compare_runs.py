"""A comparison of tiny cells in real processes: killed, resumed, reported, and never run twice."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_cases import NAMES, WORDS, case_row, write_cases, write_settings
from training_worlds import World, wait_until

from dermnote.errors import ConfigError, NotesError
from dermnote.notes.schema import Note, NoteRow, notes_by_case, write_notes
from dermnote.taxonomy import EIGHT
from train import compare
from train.comparison import hallucination, runner
from train.comparison.grid import complete_notes, read_query_notes
from train.data.cases import Cases, schema
from train.data.sources.drawn import attributes_of

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
STUDY = """
kind: hallucination
base: {base}
seeds: [3]
kinds: [p3]
rates: [0.0, 0.8]
settings: {{epochs: 1, text_config: {{vocab_size: 200}}, max_length: 48}}
"""
FINDINGS = {"asymmetry": "symmetric", "border": "sharp", "colours": ["red"], "structures": []}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
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


def run_cell(task: str) -> None:
    """Equivalent of `python -m train.comparison.cell_run TASK`."""
    from train.comparison.cell_run import main
    from train.runtime import console

    console.run(lambda _: main([task]))


class ForkedCell:
    """Child process of one training; with `killed`, ended by SIGKILL at its first checkpoint."""

    def __init__(self, task: Path, log: Path, *, killed: bool = False) -> None:
        self.world = World(run_cell, str(task), output=log)
        if killed:
            checkpoints = task.with_suffix("") / "checkpoints"
            wait_until(lambda: any(checkpoints.glob("0*")), self.world)
            self.world.kill()

    def wait(self) -> int:
        return self.world.statuses()[0] or 0

    def terminate(self) -> None:
        self.world.signal(signal.SIGTERM)


def refuse(job: Path, log: Path) -> ForkedCell:
    raise AssertionError(f"{job} was run again")


@pytest.mark.slow
def test_a_killed_cell_is_reported_and_resumed_and_finished_cells_are_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "out"
    command = ["--config", str(folder / "plan.yaml"), "--out", str(out), "--bootstrap", "30", "--device", "cpu"]
    monkeypatch.setattr(runner, "start", lambda job, log: ForkedCell(job, log, killed=job.parent.name == "m"))
    assert compare.main(command) == compare.FAILED
    output = capsys.readouterr().out
    assert "internal/m seed 0 failed: its process was ended by signal 9" in output
    assert "[1/3] internal/image-only seed 0 finished: kappa" in output and "min left" in output
    assert "left out: internal/p3: Only 0 of 24 training cases have a note of p3." in output
    assert "llm/m-queried: no m+p2 notes to search with." in output
    assert "| internal/m seed 0 | failed: its process was ended by signal 9" in (out / "comparison.md").read_text()

    monkeypatch.setattr(
        runner, "start", lambda job, log: ForkedCell(job, log) if job.parent.name == "m" else refuse(job, log)
    )
    assert compare.main(command) == 0
    assert re.search(
        r"(?i)(going on|resum\w+) (after|from|at) epoch", (out / "cells/internal/m/seed-0.log").read_text()
    )
    assert "internal/image-only seed 0 was finished" in capsys.readouterr().out
    results = json.loads((out / "comparison.json").read_text())
    cells = {cell["name"]: cell["seeds"] for cell in results["cells"]}
    assert cells == {"internal/image-only": [0], "internal/m": [0], "internal/p3": [], "llm/m-queried": [0]}
    kappas = [each for each in results["differences"] if each["measure"] == "kappa"]
    assert [(each["first"], each["second"]) for each in kappas] == [("m", "image-only")]
    for name in ("image-only", "m"):  # train.evaluate has the same figures
        metrics = json.loads((out / f"cells/internal/{name}/seed-0/metrics.json").read_text())
        block = metrics["splits"]["test"]["all"]
        ours = {each["kind"] + each["version"] + each["direction"]: each["mean"] for each in results["figures"]
                if each["recipe"] == name and each["row"] == "all"}  # fmt: skip
        assert ours["kappa"] == pytest.approx(block["classification"]["kappa"])
        if name == "m":
            found = block["retrieval"]["masked"]["text_to_image"]
            assert ours["mapmaskedtext_to_image"] == pytest.approx(found["map"])
            assert ours["cosinemasked"] == pytest.approx(block["alignment"]["masked"]["paired_cosine"], abs=1e-6)
    queried = {each["queries"] for each in results["figures"] if each["recipe"] == "m-queried"} - {""}
    assert queried == {"m", "m+p1", "p3"}
    assert next(row for row in results["rows"] if row["partition"] == "llm")["n_cases"] == 9
    trained = Cases.read(out / "views/llm", splits=["train"]).table["case_id"]
    assert len(trained) == 21 and "squares/train-0" not in set(trained)

    monkeypatch.setattr(runner, "start", refuse)
    assert compare.main(command) == 0 == compare.main([*command, "--tables"])
    capsys.readouterr()
    assert compare.main([*command, "--only", "m", "--set", "epochs=3"]) == compare.FAILED
    assert "was made with different epochs: remove it, or change --out" in capsys.readouterr().out
    before = sorted(folder.rglob("*"))
    assert compare.main([*command, "--dry-run", "--out", str(folder / "elsewhere"), "--minimum"]) == 0
    assert "1 of 1 trainings to do, about" in capsys.readouterr().out and sorted(folder.rglob("*")) == before


@pytest.mark.slow
def test_a_failing_cell_costs_only_itself(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--config", str(folder / "plan.yaml"), "--out", str(tmp_path / "out"), "--only", "image-only"]
    assert compare.main([*command, "--set", "backbone=resnet5"]) == compare.FAILED
    output = capsys.readouterr().out
    assert "internal/image-only seed 0 failed:" in output and "resnet5" in output and "Traceback" not in output
    assert "finished  0 of" in " ".join(output.split("Comparison")[1].split("\n")[1:2]).replace("   ", " ")


def test_signals_are_forwarded_to_the_child() -> None:
    class Child:
        signals = 0

        def wait(self) -> int:
            return 0

        def terminate(self) -> None:
            self.signals += 1

    child, before = Child(), signal.getsignal(signal.SIGTERM)
    with runner.forwarding_signals(child) as received:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    assert sorted(received) == [signal.SIGINT, signal.SIGTERM] and child.signals == 2
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
    ids = ["milk10k/ISIC_1", "ham/ISIC_2", "milk10k/ISIC_2"]
    notes = read_query_notes(path, ids)
    assert [(row.case_id, row.note.strategy) for row in notes] == [
        ("milk10k/ISIC_1", "m+p1"),
        ("milk10k/ISIC_1", "m+p2"),
    ]
    whole = complete_notes(notes, {"milk10k/ISIC_1": {"label": "melanoma", "malignancy": "malignant"}})
    by_strategy = {row.note.strategy: row.note for row in whole}
    assert set(by_strategy) == {"m", "m+p1", "m+p2", "mix"}
    assert "melanoma" in by_strategy["m"].text and by_strategy["mix"].findings["border"] == "sharp"
    path.write_text(json.dumps({"isic_id": "ISIC_2", "strategy": "p3", "note": "Which?"}))
    with pytest.raises(NotesError, match="ISIC_2 fits several cases"):
        read_query_notes(path, ids)
    path.write_text(json.dumps({"isic_id": "ISIC_7", "strategy": "p3", "note": "No case."}))
    with pytest.raises(NotesError, match="None of the notes"):
        read_query_notes(path, ids)


def write_lesions(folder: Path, seed: int, splits: dict[str, int]) -> None:
    """Coloured squares with the attributes of drawn lesions."""
    names = [each.name for each in EIGHT]
    (folder / "data").mkdir(parents=True)
    for split, count in splits.items():
        rows = []
        for number in range(count):
            known, case_id = attributes_of(seed, number), f"drawn/{seed}-{split}-{number}"
            label = {"label": known.label, "class_id": names.index(known.label), "subtype": known.subtype}
            row = case_row(split, number, label["class_id"] % 3, NAMES) | label
            row |= {"case_id": case_id, "source": "drawn", "group": case_id, "extra": json.dumps(known.to_mapping())}
            rows.append(row)
        pq.write_table(pa.Table.from_pylist(rows, schema=schema()), folder / "data" / f"{split}-00000-of-00001.parquet")
    summary = {"classnames": names, "sources": {"drawn": {"licence": "cc0-1.0"}}, "splits": splits}
    (folder / "summary.json").write_text(json.dumps(summary))


@pytest.mark.slow
def test_a_tiny_study_runs_once_and_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    write_lesions(out / "cases", 0, {"train": 16, "validation": 8})
    write_lesions(out / "held_out", 1, {"external": 24})
    lesions = {name: Cases.read(out / name) for name in ("cases", "held_out")}
    monkeypatch.setattr(hallucination, "draw_lesions", lambda plan, out: lesions)
    started = []
    monkeypatch.setattr(runner, "start", lambda task, log: started.append(task) or ForkedCell(task, log))
    (tmp_path / "plan.yaml").write_text(STUDY.format(base=write_settings(tmp_path / "tiny.yaml")))
    command = ["--config", str(tmp_path / "plan.yaml"), "--out", str(out), "--device", "cpu"]
    assert compare.main(command) == 0
    assert "[3/3] p3/rate-80 seed 3 finished: kappa" in capsys.readouterr().out and len(started) == 3

    results = json.loads((out / "comparison.json").read_text())
    values = {(each["rate"], each["measure"]): each["by_seed"] for each in results["points"]}
    for way in ("image_to_text", "text_to_image"):
        clean, corrupted = (f"map:{name}:masked:{way}" for name in ("clean", "corrupted"))
        assert values[0.0, clean] == values[0.0, corrupted]  # at rate 0 they are the same notes
        assert values[0.8, clean] != values[0.8, corrupted]
    assert len(results["image_only"]["by_seed"]) == 1 and results["n_cases"] == 24
    clean, corrupted = (notes_by_case(out / f"notes/p3-rate-{rate}-seed-3.jsonl") for rate in (0, 80))
    assert clean.keys() == corrupted.keys() and clean != corrupted
    page = (out / "comparison.md").read_text()
    assert "24 drawn lesions" in page and "None" not in page
    # After one epoch rounding may leave no margin above chance on some machines, and then no loss is reported.
    lost = [each for each in results["losses"] if each["more_than_kappa"]]
    assert page.count("unknown (too few seeds)") == len(lost) and "than classification |" not in page
    assert compare.main([*command, "--bootstrap", "5"]) == 0 and len(started) == 3
    assert compare.main([*command, "--dry-run"]) == 0
    with pytest.raises(ConfigError, match="draws its own lesions"):
        compare.main([*command, "--cases", "elsewhere"])
