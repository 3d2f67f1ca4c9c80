"""Being asked to end: SIGTERM, Ctrl-C, a launcher that dies, and a folder in which another run is at work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tiny_cases import write_cases, write_settings, write_square_notes
from training_worlds import PATIENCE, World, descendants, fit, settings, state, wait_until

from train.training.checkpoint import checkpoints, newest

TRAIN, VALIDATION = [0, 1, 2] * 24, [0, 1, 2] * 2
REPOSITORY = Path(__file__).resolve().parents[2]
LONG = settings("epochs=4000", "patience=4000", "schedule=constant")  # minutes, if nobody stops it
ACCELERATE = [sys.executable, "-m", "accelerate.commands.accelerate_cli"]
ALONE = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("ACCELERATE_", "TORCHELASTIC_", "MASTER_")) and name not in ("RANK", "WORLD_SIZE")
} | {"OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stops")
    write_cases(folder / "cases", TRAIN, VALIDATION)
    write_square_notes(folder / "notes.jsonl", TRAIN)
    write_settings(folder / "run.yaml", "ema: 0.9\ncheckpoint_minutes: 1.0e-9\n")
    return folder


def arguments(place: Path, out: Path) -> list[str]:
    given = ["--config", str(place / "run.yaml"), "--cases", str(place / "cases"), "--out", str(out)]
    return [*given, "--notes", str(place / "notes.jsonl")]


class Command:
    """A command as a person gives it, with all it prints in a file."""

    def __init__(self, words: Sequence[str], output: Path, **environment: str) -> None:
        self.output = output
        with output.open("wb") as stream:
            self.process = subprocess.Popen(
                words, cwd=REPOSITORY, env={**ALONE, **environment}, stdout=stream, stderr=subprocess.STDOUT
            )

    def wait_for(self, path: Path) -> None:
        end = time.monotonic() + PATIENCE
        while not path.exists():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < end, self.said
            time.sleep(0.01)

    @property
    def said(self) -> str:
        return self.output.read_text(encoding="utf-8")


@pytest.fixture
def commands() -> Iterator[list[Command]]:
    """Those of a test; what they left running is killed after it."""
    begun: list[Command] = []
    yield begun
    for command in begun:
        for pid in [*descendants(command.process.pid), command.process.pid]:
            if command.process.poll() is None or pid != command.process.pid:
                os.kill(pid, signal.SIGKILL)
        command.process.wait()


def alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ended(pids: Sequence[int]) -> bool:
    end = time.monotonic() + PATIENCE
    while any(alive(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.05)
    return not any(alive(pid) for pid in pids)


def test_sigterm_ends_with_everything_written_down(place: Path, tmp_path: Path, commands: list[Command]) -> None:
    out, whole = tmp_path / "stopped", tmp_path / "whole"
    command = Command([sys.executable, "-m", "train.fit", *arguments(place, out), *LONG], tmp_path / "said")
    commands.append(command)
    command.wait_for(out / "checkpoints" / "00000-00000002")
    command.process.send_signal(signal.SIGTERM)
    assert command.process.wait(PATIENCE) == 0, command.said
    assert "Stopped by SIGTERM" in command.said
    assert "Go on with --resume." in command.said
    assert "Traceback" not in command.said
    more = settings(f"epochs={int(checkpoints(out / 'checkpoints')[0].name[:5]) + 1}")  # to the end of that epoch
    for run, again in ((out, ["--resume"]), (whole, [])):
        world = World(fit, [*arguments(place, run), *LONG, *more, *again], output=tmp_path / f"{run.name}-said")
        assert world.statuses() == [0], world.said
    one, other = state(whole), state(out)
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


def test_accelerate_launch_dies_alone_and_its_child_ends_in_good_order(
    place: Path, tmp_path: Path, commands: list[Command]
) -> None:
    out = tmp_path / "out"
    command = Command([*ACCELERATE, "launch", "-m", "train.fit", *arguments(place, out), *LONG], tmp_path / "said")
    commands.append(command)
    command.wait_for(out / "checkpoints" / "00000-00000002")
    children = list(descendants(command.process.pid))
    assert children
    command.process.send_signal(signal.SIGTERM)
    assert command.process.wait(PATIENCE) == -signal.SIGTERM  # 143 in a shell
    assert ended(children), command.said
    assert "Stopped by its launcher, which is gone" in command.said
    assert "Traceback" not in command.said
    found = newest(out / "checkpoints")
    assert found is not None
    assert found[1].begun


def test_torchrun_passes_sigterm_on_and_both_processes_end(
    place: Path, tmp_path: Path, commands: list[Command]
) -> None:
    out = tmp_path / "out"
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "train.fit"]
    command = Command([*words, *arguments(place, out), *LONG], tmp_path / "said", ACCELERATE_USE_CPU="true")
    commands.append(command)
    command.wait_for(out / "checkpoints" / "00000-00000002")
    children = list(descendants(command.process.pid))
    assert len(children) >= 2
    command.process.send_signal(signal.SIGTERM)
    command.process.wait(PATIENCE)
    assert ended(children), command.said
    assert command.said.count("the state is written down") == 1
    found = newest(out / "checkpoints")
    assert found is not None
    assert found[1].begun


def test_two_processes_on_a_machine_without_gpus_are_not_what_accelerate_starts(
    place: Path, tmp_path: Path, commands: list[Command]
) -> None:
    words = [*ACCELERATE, "launch", "-q", "--cpu", "--num_processes", "2", "-m", "train.fit"]
    command = Command([*words, *arguments(place, tmp_path / "out")], tmp_path / "said")
    commands.append(command)
    assert command.process.wait(PATIENCE) not in (0, None)
    assert "asked for several processes and started one" in command.said
    assert "torchrun --nproc_per_node 2" in command.said
    assert "Traceback" not in command.said
    assert not (tmp_path / "out").exists()


def test_one_asked_process_ends_both_at_the_same_update(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    world = World(fit, [*arguments(place, out), *LONG], processes=2, output=tmp_path / "said")
    wait_until(lambda: (out / "checkpoints" / "00000-00000002").exists(), world)
    world.signal(signal.SIGTERM, rank=1)
    assert world.statuses() == [0, 0], world.said
    assert "Stopped by another process in epoch" in world.said


def test_ctrl_c_while_another_run_waits_for_the_folder(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    world = World(fit, [*arguments(place, out), *LONG], output=tmp_path / "said")
    wait_until(lambda: (out / "checkpoints" / "00000-00000001").exists(), world)
    other = World(fit, [*arguments(place, out), *LONG, "--resume"], processes=2, output=tmp_path / "other")
    assert other.statuses() == [2, 2]
    assert other.said.splitlines()[-1].startswith(f"error: Another process is training in {out}.")
    assert "Traceback" not in other.said
    world.signal(signal.SIGINT)
    assert world.statuses() == [130]
    assert "Stopped by SIGINT" in world.said


def dawdle() -> None:
    """Updates that take a minute."""
    from train.training.engine import Engine

    Engine.update = lambda self, *rest, **more: (print("dawdling", flush=True), time.sleep(60))  # type: ignore


def test_asked_twice_a_run_breaks_off_at_once(place: Path, tmp_path: Path) -> None:
    world = World(fit, arguments(place, tmp_path / "out"), dawdle, output=tmp_path / "said")
    wait_until(lambda: "dawdling" in world.said, world)
    begun = time.monotonic()
    world.signal(signal.SIGINT)
    wait_until(lambda: "once more to stop at once" in world.said, world)
    world.signal(signal.SIGINT)
    assert world.statuses() == [130]
    assert time.monotonic() - begun < 50  # it did not wait for the update
    assert "is written down" not in world.said
    assert "Traceback" not in world.said
