"""Ending a run early and in good order: the step is finished, the state is written down, and then it ends."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType, TracebackType

from ..runtime.console import StopError
from ..runtime.launchers import by_accelerate, by_torchrun

INTERRUPTED = 130
_BORN = os.getpid(), os.getppid()  # as early as may be: a launcher can be gone before the first step


class StopRequest:
    """Listens for SIGTERM, Ctrl-C, and the end of the launcher, while it is entered.

    `accelerate launch` does not pass SIGTERM on: it dies alone and leaves its process running. That process therefore
    looks whether its launcher is still there.

    A second Ctrl-C (or SIGTERM) breaks off at once, as it would without this.
    """

    def __init__(self) -> None:
        self._signal: signal.Signals | None = None
        self._parent = _BORN[1] if _BORN[0] == os.getpid() else os.getppid()  # else forked since
        self._launched = by_accelerate() or by_torchrun()
        self._before: dict[signal.Signals, object] = {}

    @property
    def reason(self) -> str:
        """What asked for the end; empty if nothing did."""
        if self._signal is not None:
            return self._signal.name
        return "its launcher, which is gone" if self._launched and os.getppid() != self._parent else ""

    def error(self, where: str) -> StopError:
        """What to raise once everything is written down.

        Args:
            where: How far the run is, e.g. "after epoch 3".
        """
        status = INTERRUPTED if self._signal is signal.SIGINT else 0
        reason = self.reason or "another process"
        return StopError(f"Stopped by {reason} {where}; the state is written down.", "Go on with --resume.", status)

    def __enter__(self) -> StopRequest:
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                self._before[number] = signal.signal(number, self._take)
            except ValueError:  # not in the main thread, where alone signals can be caught
                break
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self._signal is not None:
            raise KeyboardInterrupt
        self._signal = signal.Signals(number)
        print("\nstopping after this step; once more to stop at once", file=sys.stderr)
