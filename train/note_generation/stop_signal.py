"""Ending a run early and in good order."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial

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

    In a thread other than the main one, where no signal can be caught, they break off as they do anywhere.
    """
    loop, calls = asyncio.get_running_loop(), iter([stop])

    def act(number: signal.Signals) -> None:
        call = next(calls, None)
        if call is None:
            hurry()
        else:
            print("\nstopping in good order; once more to stop at once", file=sys.stderr)
            call(Stop(f"by {number.name}; run the same command again to go on", 128 + number))

    with ExitStack() as taken:
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(RuntimeError, ValueError):
                taken.callback(_take(loop, number, partial(act, number)))
        yield


def _take(loop: asyncio.AbstractEventLoop, number: signal.Signals, act: Callable[[], None]) -> Callable[[], object]:
    """Has a signal call `act`; returns what undoes that."""
    try:
        loop.add_signal_handler(number, act)
    except NotImplementedError:  # Windows
        before = signal.signal(number, lambda *_: loop.call_soon_threadsafe(act))
        return partial(signal.signal, number, before)
    return partial(loop.remove_signal_handler, number)
