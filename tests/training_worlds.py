"""Training runs in real processes: single, or several that train together, to be stopped, killed and compared.

They are forked from a server that imported everything once, so that each starts in a fraction of a second and inherits
nothing from the test process.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import torch
from safetensors.torch import load_file

from tests.places import free_port
from tests.tiny_cases import write_cases, write_settings, write_square_notes
from train.training.checkpoint import checkpoints

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["train.fit", "torch.utils.tensorboard", "torch._dynamo", "sklearn.metrics"])
PATIENCE = 300  # seconds after which a process counts as hanging; usually all take a few


@dataclass(frozen=True)
class Inputs:
    """Cases, notes and settings (run.yaml) of a small run in `folder`."""

    folder: Path

    @classmethod
    def write(
        cls,
        folder: Path,
        train: Sequence[int],
        validation: Sequence[int],
        more: str = "",
        leave_out: Sequence[int] = (),
    ) -> Inputs:
        """Write them: one case for each class id, a note for each training case not left out, and more settings."""
        write_cases(folder / "cases", train, validation)
        write_square_notes(folder / "notes.jsonl", train, leave_out=leave_out)
        write_settings(folder / "run.yaml", more)
        return cls(folder)

    def arguments(self, out: Path, *pairs: str, notes: bool = True) -> list[str]:
        """Return the arguments of train.fit, with key=value settings."""
        words = ["--config", str(self.folder / "run.yaml"), "--cases", str(self.folder / "cases"), "--out", str(out)]
        return [*words, *(["--notes", str(self.folder / "notes.jsonl")] if notes else []), *settings(*pairs)]


def settings(*pairs: str) -> list[str]:
    """Return `--set` options."""
    return [word for pair in pairs for word in ("--set", pair)]


def last_checkpoint(run: Path) -> Path:
    """Return the newest checkpoint of a run."""
    return checkpoints(run / "checkpoints")[0]


class World:
    """Processes that run one function together.

    Args:
        function: Importable by name; its result must be picklable.
        arguments: Arguments of the function.
        processes: Number of processes; several connect as with torchrun.
        output: File for everything they print.
    """

    def __init__(self, function: Callable[..., Any], *arguments: Any, processes: int = 1, output: Path) -> None:
        self.output, port = output, free_port()
        pipes = [_FORKS.Pipe(duplex=False) for _ in range(processes)]
        self._answers = [receiving for receiving, _ in pipes]
        self.processes = [
            _FORKS.Process(target=_enter, args=(function, arguments, rank, processes, port, pipe, str(output)))
            for rank, (_, pipe) in enumerate(pipes)
        ]
        for process in self.processes:
            process.start()
        for _, pipe in pipes:
            pipe.close()

    def values(self) -> list[Any]:
        """Return the result of each process; raise AssertionError with the output if one failed."""
        values = []
        for process, answer in zip(self.processes, self._answers, strict=True):
            arrived = answer.poll(PATIENCE)
            try:
                succeeded, value = answer.recv() if arrived else (False, "it hangs")
            except EOFError:
                succeeded, value = False, "it died"
            if not succeeded:
                self.kill()
                raise AssertionError(f"{value}\n{self.printed}")
            values.append(value)
            process.join(PATIENCE)
        return values

    def statuses(self) -> list[int | None]:
        """Return the exit statuses, once all have ended; None for a process that hangs (it is killed)."""
        statuses = []
        for process in self.processes:
            process.join(PATIENCE)
            statuses.append(process.exitcode)
        self.kill()
        return statuses

    def signal(self, number: int, rank: int = 0) -> None:
        """Send a signal to one of the processes."""
        os.kill(self.processes[rank].pid or 0, number)

    def kill(self) -> None:
        """Send SIGKILL to all of them."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.join()

    @property
    def printed(self) -> str:
        """Output so far."""
        return self.output.read_text(encoding="utf-8") if self.output.exists() else ""


def fit(arguments: Sequence[str], prepare: Callable[[], object] | None = None) -> None:
    """Run `python -m train.fit` in a `World`, after `prepare` has put an error in place."""
    from train.fit import main
    from train.runtime import console

    if prepare is not None:
        prepare()
    console.run(lambda _: main(arguments))


def wait_until(holds: Callable[[], object], world: World) -> None:
    """Wait for a condition; raise AssertionError if the processes end before."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, world.printed
        assert any(process.is_alive() for process in world.processes), world.printed
        time.sleep(0.002)


def assert_same_weights(one: Path, other: Path) -> None:
    """Assert that the last checkpoint and the best model of two runs are bitwise equal."""
    tensors, expected = _tensors(one), _tensors(other)
    assert tensors.keys() == expected.keys() and tensors
    assert [name for name in tensors if tensors[name] != expected[name]] == []


def _tensors(run: Path) -> dict[str, bytes]:
    files = [*last_checkpoint(run).rglob("*.safetensors"), *(run / "best").rglob("*.safetensors")]
    named = {str(path.relative_to(run)): load_file(path) for path in files}
    return {f"{file}:{name}": _bits(tensor) for file, tensors in named.items() for name, tensor in tensors.items()}


def _bits(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _enter(
    function: Callable[..., Any],
    arguments: Sequence[Any],
    rank: int,
    processes: int,
    port: int,
    answer: Connection,
    output: str,
) -> None:
    for number, stream in enumerate((sys.stdout, sys.stderr), 1):
        stream.flush()
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), number)
    torch.set_num_threads(1)
    os.environ["ACCELERATE_USE_CPU"] = "true"
    if processes > 1:
        values = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
        values |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        os.environ.update({name: str(value) for name, value in values.items()})
    try:
        answer.send((True, function(*arguments)))
    except Exception:
        answer.send((False, traceback.format_exc()))
        raise


def descendants(pid: int) -> list[int]:
    """Return the processes started by a process, and by those."""
    return [each.pid for each in psutil.Process(pid).children(recursive=True)] if psutil.pid_exists(pid) else []
