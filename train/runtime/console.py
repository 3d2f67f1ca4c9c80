"""Command line of the training steps: setting overrides, exit status, stop signals, and summaries."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any, NoReturn

import yaml

from dermnote.errors import ConfigError, DermNoteError

from .environment import started_by_accelerate, started_by_torchrun

WRONG_USE, INTERRUPTED = 2, 130
STEPS = __package__.rpartition(".")[0]  # "train", or "dermnote.train" where installed
_INITIAL = os.getpid(), os.getppid()  # read as early as possible: a launcher can be gone before the first update


class StopError(DermNoteError):
    """Raised when a step was asked to stop and has saved its state.

    Attributes:
        status: Exit status: 0 after SIGTERM, which schedulers send to have a run saved, 130 after Ctrl-C.
    """

    def __init__(self, message: str, hint: str, status: int) -> None:
        super().__init__(message, hint)
        self.status = status


class StopRequest:
    """Context manager that records SIGTERM, Ctrl-C, and the end of the launcher.

    `accelerate launch` exits on SIGTERM without passing it on, so its process checks whether the launcher still runs.
    A second Ctrl-C (or SIGTERM) raises KeyboardInterrupt at once.
    """

    def __init__(self) -> None:
        self._signal: signal.Signals | None = None
        self._parent = _INITIAL[1] if _INITIAL[0] == os.getpid() else os.getppid()  # else forked since
        self._launched = started_by_accelerate() or started_by_torchrun()
        self._previous_handlers: dict[signal.Signals, Any] = {}

    @property
    def reason(self) -> str:
        """Source of the request; empty if there is none."""
        if self._signal is not None:
            return self._signal.name
        return "its launcher, which is gone" if self._launched and os.getppid() != self._parent else ""

    def error(self, position: str) -> StopError:
        """Return the error to raise once the state is saved.

        Args:
            position: Progress of the run, e.g. "after epoch 3".
        """
        status = INTERRUPTED if self._signal is signal.SIGINT else 0
        reason = self.reason or "another process"
        return StopError(f"Stopped by {reason} {position}; the state is saved.", "Continue with --resume.", status)

    def __enter__(self) -> StopRequest:
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                self._previous_handlers[number] = signal.signal(number, self._handle)
            except ValueError:  # signals can only be handled in the main thread
                break
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self._signal is not None:
            raise KeyboardInterrupt
        self._signal = signal.Signals(number)
        print("\nstopping after this update; press again to stop at once", file=sys.stderr)


def run(main: Callable[[Sequence[str] | None], int]) -> NoReturn:
    """Run a step as a program: errors of the user are one line on stderr and exit status 2, never a stack trace."""
    gc.freeze()  # imported objects stay alive: scanning them would delay the exit by a second
    gc.enable()
    try:
        status = main(None)
    except StopError as stop:
        if _is_main_process():
            print(stop)
        status = stop.status
    except DermNoteError as error:
        if _is_main_process():
            print(f"error: {error}", file=sys.stderr)
        status = WRONG_USE
    except KeyboardInterrupt:
        print(f"stopped; run the same command again to continue ({STEPS}.fit: with --resume)", file=sys.stderr)
        status = INTERRUPTED
    sys.exit(status)


def _is_main_process() -> bool:
    return os.environ.get("RANK", "0") == "0"


def print_summary(title: str, rows: Mapping[str, object], next_command: str = "") -> None:
    """Print the results of a step: a title, aligned rows, and the command that usually comes next."""
    width = max((len(key) for key in rows), default=0)
    print(f"\n{title}")
    for key, value in rows.items():
        print(f"  {key:<{width}}  {value}")
    if next_command:
        print(f"\nnext: {next_command}")


def apply_overrides(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Apply `key=value` settings of the command line to the values of a file; `a.b=value` reaches into a group."""
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {override} is not key=value.", "For example: --set epochs=3")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {override} has a value that is not YAML.") from error
        *groups, last = key.strip().split(".")
        target = values
        for group in groups:
            if not isinstance(target.get(group), dict):
                target[group] = {}  # a group that is switched off (null, false) starts from its defaults
            target = target[group]
        target[last] = value
    return values
