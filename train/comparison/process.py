"""A training in a process of its own, and what is asked of us passed on to it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Protocol

STOPS = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))


class Child(Protocol):
    """A process that was started."""

    def wait(self) -> int:
        """Its exit status once it has ended; negative for the signal that ended it."""

    def terminate(self) -> None:
        """Asks it to end."""


def start(job: Path, log: Path) -> Child:
    """Starts `train.comparison.child` on a job's file, in a session of its own: Ctrl-C reaches it through us alone.

    Args:
        job: Written by `run_jobs`.
        log: Takes all it prints.
    """
    command = [sys.executable, "-m", "train.comparison.child", str(job)]
    with log.open("a", encoding="utf-8") as stream:
        return subprocess.Popen(command, stdout=stream, stderr=stream, start_new_session=True)  # noqa: S603


@contextmanager
def passing_on(child: Child) -> Iterator[list[int]]:
    """While entered, who asks this process to end asks the child, which writes its state down first."""
    asked: list[int] = []

    def take(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        child.terminate()

    handlers = {}
    for number in STOPS:
        try:
            handlers[number] = signal.signal(number, take)
        except ValueError:  # not in the main thread, where alone signals can be caught
            break
    try:
        yield asked
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
