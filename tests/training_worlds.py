"""Runs of `train.fit` in real processes: alone or several that train together, to be stopped, killed and compared.

They are forked from a server that imported everything once, so that each costs a fraction of a second and none inherits
what the tests' own process has done.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from train.training.checkpoint import checkpoints

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["train.fit", "torch.utils.tensorboard", "torch._dynamo", "sklearn.metrics"])
PATIENCE = 300  # seconds until a process counts as hanging; on a quiet machine all take a few


class World:
    """Processes that run one function together.

    Args:
        function: Importable by name; its value must travel between processes.
        arguments: Of the function.
        processes: How many; more than one find each other as torchrun's do.
        output: File that takes all they print.
    """

    def __init__(self, function: Callable[..., Any], *arguments: Any, processes: int = 1, output: Path) -> None:
        self.output, port = output, _free_port()
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
        """What the function gave in each process; AssertionError with all that was printed if one failed."""
        values = []
        for process, answer in zip(self.processes, self._answers, strict=True):
            given = answer.poll(PATIENCE)
            try:
                sound, value = answer.recv() if given else (False, "it hangs")
            except EOFError:
                sound, value = False, "it died"
            if not sound:
                self.kill()
                raise AssertionError(f"{value}\n{self.said}")
            values.append(value)
            process.join(PATIENCE)
        return values

    def statuses(self) -> list[int | None]:
        """Exit statuses, once all have ended; None for one that hangs, and is killed for it."""
        statuses = []
        for process in self.processes:
            process.join(PATIENCE)
            statuses.append(process.exitcode)
        self.kill()
        return statuses

    def signal(self, number: int, rank: int = 0) -> None:
        """Sends a signal to one of the processes."""
        os.kill(self.processes[rank].pid or 0, number)

    def kill(self) -> None:
        """kill -9, all of them at once."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.join()

    @property
    def said(self) -> str:
        """All that was printed so far."""
        return self.output.read_text(encoding="utf-8") if self.output.exists() else ""


def fit(arguments: Sequence[str], prepare: Callable[[], object] | None = None) -> None:
    """`python -m train.fit`, in a `World`.

    Args:
        arguments: Of the command.
        prepare: Called before, to put a fault in place.
    """
    from train.fit import main
    from train.runtime import console

    if prepare is not None:
        prepare()
    console.run(lambda _: main(arguments))


def settings(*pairs: str) -> list[str]:
    """`--set` for each."""
    return [word for pair in pairs for word in ("--set", pair)]


def wait_until(holds: Callable[[], object], world: World) -> None:
    """Looks until something holds; AssertionError if the processes end before."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, world.said
        assert any(process.is_alive() for process in world.processes), world.said
        time.sleep(0.002)


def state(run: Path) -> dict[str, bytes]:
    """All that must be equal when two runs are: the tensors of the last checkpoint and of `best/`, bit by bit."""
    last = checkpoints(run / "checkpoints")[0]
    files = [*last.rglob("*.safetensors"), *(run / "best").rglob("*.safetensors")]
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
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
        place |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        os.environ.update({name: str(value) for name, value in place.items()})
    try:
        answer.send((True, function(*arguments)))
    except Exception:
        answer.send((False, traceback.format_exc()))
        raise


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def descendants(pid: int) -> Iterator[int]:
    """Processes started by a process, and by those; Linux tells through /proc."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            yield int(folder.name)
            yield from descendants(int(folder.name))
