"""When the next request may leave: all requests of a writer wait together where a server asks for patience."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

FIRST_BACKOFF = 0.5  # seconds; doubled with each try
LONGEST_BACKOFF = 30.0
# After a 429 requests leave one by one, this many seconds apart. Otherwise all that waited would leave in the same
# instant, be refused again, and use up their tries, though the server has room for each of them in turn.
FIRST_SPACING = 0.05
WIDER, CLOSER = 1.5, 0.97
LONGEST_SPACING = 10.0
SHORTEST_SLEEP = 0.001


def backoff(tries: int) -> float:
    """Seconds to wait after so many tries (1, 2 ...): exponential, with jitter so that many do not return at once."""
    longest = min(FIRST_BACKOFF * 2.0 ** (tries - 1), LONGEST_BACKOFF)
    return longest * random.uniform(0.5, 1)  # noqa: S311 no secret


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds a server asks to wait (`Retry-After` in seconds or as a date, `retry-after-ms`); None: it does not say.

    A date is measured against the server's own clock where it tells it, as ours may be off.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        return seconds if 0 <= seconds < float("inf") else None
    until = _moment(headers.get("retry-after"))
    if until is None:
        return None
    return max(0.0, until - (_moment(headers.get("date")) or time.time()))


def _moment(date: str | None) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except (ValueError, OverflowError):
        return None


class Pacing:
    """Shared by all requests of one writer, also of several threads.

    Args:
        now: The clock, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self._lock = threading.Lock()
        self._waiting: deque[object] = deque()
        self._open_from = 0.0
        self._spacing = 0.0
        self._widened = 0.0

    async def turn(self, patience: float) -> float | None:
        """Waits for this request's turn; first come, first served.

        Args:
            patience: Most seconds to wait.

        Returns:
            Seconds waited; None if it would be longer than that.
        """
        began, ticket = self.now(), object()
        with self._lock:
            self._waiting.append(ticket)
        try:
            while (wait := self._admit(ticket)) > 0:
                if self.now() + wait > began + patience:
                    return None
                # and then look again: the server may have sent another away meanwhile
                await asyncio.sleep(max(wait, SHORTEST_SLEEP))
        finally:
            with self._lock:
                self._waiting.remove(ticket)
        return self.now() - began

    def _admit(self, ticket: object) -> float:
        """Seconds until the ticket's turn as things stand; 0 lets it in."""
        with self._lock:
            now, ahead = self.now(), self._waiting.index(ticket)
            wait = self._open_from - now + ahead * self._spacing
            if wait <= 0:
                self._open_from = max(self._open_from, now) + self._spacing
            return max(wait, 0.0)

    def sent_away(self, seconds: float, sent: float) -> None:
        """The server is busy: nobody sends anything for so many seconds, and then one after the other.

        Args:
            seconds: How long it asks to wait.
            sent: When the request that it refused had left.
        """
        with self._lock:
            now = self.now()
            self._open_from = max(self._open_from, now + seconds)
            if sent >= self._widened:  # those that left before hear the same once more, which is no news
                self._spacing = min(max(FIRST_SPACING, WIDER * self._spacing), LONGEST_SPACING)
                self._widened = now

    def let_in(self) -> None:
        """A request was answered: the next ones may follow each other a little closer."""
        with self._lock:
            self._spacing = self._spacing * CLOSER if self._spacing > FIRST_SPACING / 10 else 0.0
