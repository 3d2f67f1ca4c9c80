"""Ending a run early and in good order."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from dermnote.errors import DermNoteError

INCOMPLETE = 3


@dataclass(frozen=True)
class Stop:
    """Why a run ended early.

    Attributes:
        reason: One line.
        status: Exit status.
        error: What every other request would meet too (a refused key, a full disk), if that was it.
    """

    reason: str
    status: int = INCOMPLETE
    error: DermNoteError | None = None


@contextmanager
def stopping_signals(stop: Callable[[Stop], object], hurry: Callable[[], object]) -> Iterator[None]:
    """Has Ctrl-C and a polite kill call `stop` inside the running event loop, and `hurry` the second time.

    Where that cannot be had (Windows, a thread other than the main one), they break off as they do anywhere.
    """
    loop, taken = asyncio.get_running_loop(), []
    calls = iter([stop])

    def act(number: signal.Signals) -> None:
        call = next(calls, None)
        if call is None:
            hurry()
        else:
            print("\nstopping in good order; once more to stop at once", file=sys.stderr)
            call(Stop(f"by {number.name}; run the same command again to go on", 128 + number))

    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, act, number)
            taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)
