"""How every step of `train` speaks to the person who runs it."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from dermnote.errors import DermNoteError

WRONG_USE = 2


class StopError(DermNoteError):
    """A step was asked to end, and has written everything down.

    Attributes:
        status: Exit status: 0 after SIGTERM, which schedulers send to have a run saved, 130 after Ctrl-C.
    """

    def __init__(self, message: str, hint: str, status: int) -> None:
        super().__init__(message, hint)
        self.status = status


def run(main: Callable[[Sequence[str] | None], int]) -> NoReturn:
    """Runs a step as a program: a user's mistake is one line on stderr and exit status 2, never a stack trace."""
    gc.freeze()  # what is imported by now stays; to look through it once more would hold up the exit by a second
    gc.enable()
    try:
        status = main(None)
    except StopError as stop:
        if _speaks():
            print(stop)
        status = stop.status
    except DermNoteError as error:
        if _speaks():
            print(f"error: {error}", file=sys.stderr)
        status = WRONG_USE
    except KeyboardInterrupt:
        print("stopped; run the same command again to go on (train.fit: with --resume)", file=sys.stderr)
        status = 130
    sys.exit(status)


def _speaks() -> bool:
    """Of many processes, one."""
    return os.environ.get("RANK", "0") == "0"


def print_summary(title: str, rows: Mapping[str, object], next_command: str = "") -> None:
    """Prints what was done: a title, aligned rows, and the command that usually comes next."""
    width = max((len(key) for key in rows), default=0)
    print(f"\n{title}")
    for key, value in rows.items():
        print(f"  {key:<{width}}  {value}")
    if next_command:
        print(f"\nnext: {next_command}")
