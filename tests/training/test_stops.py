"""Stopping a run (kill, SIGTERM, Ctrl-C, the end of the launcher), resuming it bitwise, and locking its folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from tests.places import REPOSITORY
from tests.training_worlds import (
    PATIENCE,
    Inputs,
    World,
    assert_same_weights,
    descendants,
    fit,
    last_checkpoint,
    wait_until,
)
from train.training.checkpoint import checkpoints, newest
from train.training.run_folder import read_log

pytestmark = pytest.mark.slow
LONG = ("epochs=4000", "patience=4000", "schedule=constant")  # takes minutes, if not stopped
ACCELERATE = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("ACCELERATE_", "TORCHELASTIC_", "MASTER_")) and name not in ("RANK", "WORLD_SIZE")
} | {"OMP_NUM_THREADS": "1"}


# Shuffling, balance, masking, dropout (0.1), augmentation, accumulation, average, warm-up, a checkpoint each update.
FULL = "ema: 0.99\naccumulate: 2\nwarmup_epochs: 0.5\nlabel_smoothing: 0.1\ncheckpoint_minutes: 1.0e-9\n"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    more = "ema: 0.9\ncheckpoint_minutes: 1.0e-9\n"
    return Inputs.write(tmp_path_factory.mktemp("stops"), [0, 1, 2] * 24, [0, 1, 2] * 2, more)


class Command:
    """A command line in its own process, with its output in a file."""

    def __init__(self, words: Sequence[str], output: Path, **environment: str) -> None:
        self.output = output
        with output.open("wb") as stream:
            env = {**ENVIRONMENT, **environment}
            self.process = subprocess.Popen(words, cwd=REPOSITORY, env=env, stdout=stream, stderr=subprocess.STDOUT)

    def wait_for(self, path: Path) -> None:
        end = time.monotonic() + PATIENCE
        while not path.exists():
            assert self.process.poll() is None and time.monotonic() < end, self.printed
            time.sleep(0.01)

    @property
    def printed(self) -> str:
        return self.output.read_text(encoding="utf-8")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """Starts commands; those still running after the test are killed."""
    started: list[Command] = []

    def start_command(words: Sequence[str], **environment: str) -> Command:
        started.append(Command(words, tmp_path / "printed", **environment))
        return started[-1]

    yield start_command
    for command in started:
        for pid in descendants(command.process.pid):
            os.kill(pid, signal.SIGKILL)
        command.process.kill()
        command.process.wait()


def all_ended(pids: Sequence[int]) -> bool:
    def alive(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    end = time.monotonic() + PATIENCE
    while any(map(alive, pids)) and time.monotonic() < end:
        time.sleep(0.05)
    return not any(map(alive, pids))


@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_and_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, processes: int) -> None:
    inputs = Inputs.write(tmp_path, [0, 0, 1, 2] * 20, [0, 1, 2] * 2, FULL, leave_out=[1, 9, 30])
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


def test_sigterm_saves_a_checkpoint_within_the_epoch(
    inputs: Inputs, tmp_path: Path, start: Callable[..., Command]
) -> None:
    out, whole = tmp_path / "stopped", tmp_path / "whole"
    command = start([sys.executable, "-m", "train.fit", *inputs.arguments(out, *LONG)])
    command.wait_for(out / "checkpoints" / "00000-00000002")
    command.process.send_signal(signal.SIGTERM)
    assert command.process.wait(PATIENCE) == 0, command.printed
    assert "Stopped by SIGTERM" in command.printed
    assert "Continue with --resume." in command.printed
    assert "Traceback" not in command.printed
    epochs = f"epochs={int(last_checkpoint(out).name[:5]) + 1}"  # to the end of that epoch
    for run, resume in ((out, ["--resume"]), (whole, [])):
        world = World(fit, [*inputs.arguments(run, *LONG, epochs), *resume], output=tmp_path / f"{run.name}-printed")
        assert world.statuses() == [0], world.printed
    assert_same_weights(out, whole)


@pytest.mark.parametrize("launcher", ["accelerate", "torchrun"])
def test_sigterm_to_the_launcher_ends_its_processes_with_a_checkpoint(
    inputs: Inputs, tmp_path: Path, start: Callable[..., Command], launcher: str
) -> None:
    out = tmp_path / "out"
    words = [*(ACCELERATE if launcher == "accelerate" else TORCHRUN), "-m", "train.fit"]
    environment = {"ACCELERATE_USE_CPU": "true"} if launcher == "torchrun" else {}
    command = start([*words, *inputs.arguments(out, *LONG)], **environment)
    command.wait_for(out / "checkpoints" / "00000-00000002")
    children = list(descendants(command.process.pid))
    assert len(children) >= (1 if launcher == "accelerate" else 2)
    command.process.send_signal(signal.SIGTERM)
    status = command.process.wait(PATIENCE)
    assert all_ended(children), command.printed
    assert command.printed.count("the state is saved") == 1
    if launcher == "accelerate":  # which does not pass the signal on
        assert status == -signal.SIGTERM
        assert "Stopped by its launcher, which is gone" in command.printed
        assert "Traceback" not in command.printed
    found = newest(out / "checkpoints")
    assert found is not None and found[1].begun


def test_accelerate_launch_that_starts_one_of_two_processes_is_refused(
    inputs: Inputs, tmp_path: Path, start: Callable[..., Command]
) -> None:
    words = [*ACCELERATE, "-q", "--cpu", "--num_processes", "2", "-m", "train.fit"]
    command = start([*words, *inputs.arguments(tmp_path / "out")])
    assert command.process.wait(PATIENCE) not in (0, None)
    assert "was requested to start several processes and started one" in command.printed
    assert "torchrun --nproc_per_node 2 -m train.fit" in command.printed
    assert "Traceback" not in command.printed
    assert not (tmp_path / "out").exists()


def test_a_signal_to_one_process_stops_both_at_the_same_update(inputs: Inputs, tmp_path: Path) -> None:
    out = tmp_path / "out"
    world = World(fit, inputs.arguments(out, *LONG), processes=2, output=tmp_path / "printed")
    wait_until(lambda: (out / "checkpoints" / "00000-00000002").exists(), world)
    world.signal(signal.SIGTERM, rank=1)
    assert world.statuses() == [0, 0], world.printed
    assert "Stopped by another process in epoch" in world.printed


def test_a_locked_folder_is_refused_and_ctrl_c_ends_with_130(inputs: Inputs, tmp_path: Path) -> None:
    out = tmp_path / "out"
    world = World(fit, inputs.arguments(out, *LONG), output=tmp_path / "printed")
    wait_until(lambda: (out / "checkpoints" / "00000-00000001").exists(), world)
    other = World(fit, [*inputs.arguments(out, *LONG), "--resume"], processes=2, output=tmp_path / "other")
    assert other.statuses() == [2, 2]
    assert other.printed.splitlines()[-1].startswith(f"error: Another process is training in {out}.")
    assert "Traceback" not in other.printed
    world.signal(signal.SIGINT)
    assert world.statuses() == [130]
    assert "Stopped by SIGINT" in world.printed


def make_updates_slow() -> None:
    from train.training.train_step import TrainStep

    TrainStep.update = lambda self, *rest, **more: (print("waiting", flush=True), time.sleep(600))  # type: ignore


def test_a_second_ctrl_c_ends_at_once(inputs: Inputs, tmp_path: Path) -> None:
    world = World(fit, inputs.arguments(tmp_path / "out"), make_updates_slow, output=tmp_path / "printed")
    wait_until(lambda: "waiting" in world.printed, world)
    world.signal(signal.SIGINT)
    wait_until(lambda: "press again to stop at once" in world.printed, world)
    world.signal(signal.SIGINT)
    assert world.statuses() == [130]
    assert "the state is saved" not in world.printed
    assert "Traceback" not in world.printed
