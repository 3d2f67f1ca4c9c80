"""A run killed at any update and resumed ends bitwise as an uninterrupted one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training_worlds import Inputs, World, assert_same_weights, fit, last_checkpoint, wait_until
from train.training.checkpoint import checkpoints
from train.training.run_folder import read_log

pytestmark = pytest.mark.slow
# Shuffling, balance, masking, dropout (0.1), augmentation, accumulation, average, warm-up, a checkpoint each update.
FULL = "ema: 0.99\naccumulate: 2\nwarmup_epochs: 0.5\nlabel_smoothing: 0.1\ncheckpoint_minutes: 1.0e-9\n"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder = tmp_path_factory.mktemp("resume")
    return Inputs.write(folder, [0, 0, 1, 2] * 20, [0, 1, 2] * 2, FULL, leave_out=[1, 9, 30])


@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_and_resumed_run_equals_an_uninterrupted_one(inputs: Inputs, tmp_path: Path, processes: int) -> None:
    whole, out, output = tmp_path / "whole", tmp_path / "killed", tmp_path / "output"
    size = f"batch_size={8 // processes}"
    reference = World(fit, inputs.arguments(whole, size), processes=processes, output=tmp_path / "reference")
    words = inputs.arguments(out, size)
    for kill_at in ("00000-00000002", "00001-00000003"):  # checkpoints within both epochs
        world = World(fit, words, processes=processes, output=output)
        wait_until(lambda kill_at=kill_at: (out / "checkpoints" / kill_at).exists(), world)
        world.kill()
        words = [*inputs.arguments(out, size), "--resume"]
    assert len(checkpoints(out / "checkpoints")) <= 3  # the last two, and one just written
    (out / "checkpoints" / ".00009-00000001.torn.part").mkdir()  # as left by a kill while writing
    world = World(fit, words, processes=processes, output=output)
    assert world.statuses() == [0] * processes, world.printed
    assert reference.statuses() == [0] * processes, reference.printed
    assert "Resuming after epoch 0, update" in world.printed
    assert "Resuming after epoch 1, update" in world.printed
    assert_same_weights(out, whole)
    names = {path.relative_to(last_checkpoint(out)).parts[0] for path in last_checkpoint(out).rglob("*.safetensors")}
    assert names == {"model", "average", "optimizer.safetensors"}
    rows, expected = ([{**row, "images_per_second": 0} for row in read_log(run / "log.jsonl")] for run in (out, whole))
    assert rows == expected
    states = [json.loads((last_checkpoint(run) / "state.json").read_text()) | {"seconds": 0} for run in (out, whole)]
    assert states[0] == states[1]
    assert not list((out / "checkpoints").glob(".*"))
