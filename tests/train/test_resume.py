"""kill -9 wherever it strikes: a run that goes on ends bit for bit as one that never stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_cases import write_cases, write_settings, write_square_notes
from training_worlds import World, fit, settings, state, wait_until

from train.training.checkpoint import checkpoints
from train.training.run_log import read_log

TRAIN, VALIDATION = [0, 0, 1, 2] * 20, [0, 1, 2] * 2
# Shuffling, balance, masking, dropout (0.1), augmentation, accumulation, average, warm-up, a checkpoint each update.
FULL = "ema: 0.99\naccumulate: 2\nwarmup_epochs: 0.5\nlabel_smoothing: 0.1\ncheckpoint_minutes: 1.0e-9\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume")
    write_cases(folder / "cases", TRAIN, VALIDATION)
    write_square_notes(folder / "notes.jsonl", TRAIN, leave_out=[1, 9, 30])
    write_settings(folder / "run.yaml", FULL)
    return folder


def arguments(place: Path, out: Path, processes: int) -> list[str]:
    given = ["--config", str(place / "run.yaml"), "--cases", str(place / "cases"), "--out", str(out)]
    return [*given, "--notes", str(place / "notes.jsonl"), *settings(f"batch_size={8 // processes}")]


@pytest.mark.parametrize("processes", [1, 2])
def test_killed_and_resumed_is_never_stopped(place: Path, tmp_path: Path, processes: int) -> None:
    whole, out, output = tmp_path / "whole", tmp_path / "killed", tmp_path / "output"
    reference = World(fit, arguments(place, whole, processes), processes=processes, output=tmp_path / "reference")
    again: list[str] = []
    for strike in ("00000-00000002", "00001-00000003"):  # checkpoints within both epochs
        world = World(fit, [*arguments(place, out, processes), *again], processes=processes, output=output)
        wait_until(lambda strike=strike: (out / "checkpoints" / strike).exists(), world)
        world.kill()
        again = ["--resume"]
    assert len(checkpoints(out / "checkpoints")) <= 3  # the last two, and one just written
    (out / "checkpoints" / ".00009-00000001.torn.part").mkdir()  # as a kill in the middle of writing leaves
    world = World(fit, [*arguments(place, out, processes), *again], processes=processes, output=output)
    assert world.statuses() == [0] * processes, world.said
    assert reference.statuses() == [0] * processes, reference.said
    assert "Going on after epoch 0, update" in world.said
    assert "Going on after epoch 1, update" in world.said
    one, other = state(whole), state(out)
    assert one.keys() == other.keys()
    assert {name.split(":")[0].split("/")[2] for name in one if "checkpoints" in name} == {
        "model", "average", "optimizer.safetensors"
    }  # fmt: skip
    assert [name for name in one if one[name] != other[name]] == []
    rows, theirs = ([{**row, "images_per_second": 0} for row in read_log(run / "log.jsonl")] for run in (whole, out))
    assert rows == theirs
    progress, its = (
        json.loads((checkpoints(run / "checkpoints")[0] / "state.json").read_text()) for run in (whole, out)
    )
    assert {**progress, "seconds": 0} == {**its, "seconds": 0}
    assert not list((out / "checkpoints").glob(".*"))
