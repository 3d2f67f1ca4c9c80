"""`train.fit --profile`: a trace that can be read, and the costs by name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tiny_cases import write_cases, write_settings, write_square_notes
from training_worlds import settings

from train import fit
from train.training.profiling import STAGES

TRAIN = [0, 1, 2] * 8


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("profile")
    write_cases(folder / "cases", TRAIN, [0, 1, 2])
    write_square_notes(folder / "notes.jsonl", TRAIN)
    write_settings(folder / "run.yaml", "epochs: 1\nema: 0.9\n")
    return folder


def profiled(place: Path, out: Path, batch_size: int) -> int:
    given = ["--config", str(place / "run.yaml"), "--cases", str(place / "cases"), "--out", str(out), "--profile"]
    return fit.main([*given, "--notes", str(place / "notes.jsonl"), *settings(f"batch_size={batch_size}")])


def test_a_trace_is_written_and_the_costliest_are_named(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert profiled(place, tmp_path / "out", batch_size=2) == 0  # 12 updates
    said = capsys.readouterr().out
    trace = json.loads((tmp_path / "out" / "profile" / "trace.json").read_text())
    names = [event.get("name") for event in trace["traceEvents"]]
    assert all(names.count(stage) >= 6 for stage in STAGES)
    assert "Profile of updates 5 to 10:" in said
    shares = [int(share) for share in re.findall(r"^  [123]\. .*: (\d+)% of the time, \d+ calls", said, re.MULTILINE)]
    assert len(shares) == 3
    assert sorted(shares, reverse=True) == shares
    assert shares[0] > 0
    stages = dict(re.findall(r"(\w+) (\d+)%", next(line for line in said.splitlines() if "stages:" in line)))
    assert set(stages) == set(STAGES)
    assert 95 <= sum(map(int, stages.values())) <= 105


def test_too_few_updates_are_said(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert profiled(place, tmp_path / "out", batch_size=8) == 0  # 3 updates
    assert "--profile saw 3 updates and needs 5: no trace was written." in capsys.readouterr().out
    assert not (tmp_path / "out" / "profile").exists()
