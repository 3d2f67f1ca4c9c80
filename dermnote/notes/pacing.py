"""When the next request may leave: all requests of a writer wait together where a server asks for patience."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

FIRST_BACKOFF = 0.5  # seconds; doubled with each try
LONGEST_BACKOFF = 30.0
# After a 429 requests leave one by one, this many seconds apart. Otherwise all that waited would leave in the same
# instant, be refused again, and use up their tries, though the server has room for each of them in turn.
FIRST_SPACING = 0.05
WIDER, CLOSER = 3.0, 0.9
LONGEST_SPACING = 5.0


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
    """Shared by all requests of one writer, also of several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed_until = 0.0
        self._next_slot = 0.0
        self._spacing = 0.0

    async def turn(self, patience: float) -> float | None:
        """Waits for this request's turn.

        Args:
            patience: Most seconds to wait.

        Returns:
            Seconds waited; None if it would be longer than that.
        """
        began = time.monotonic()
        while True:
            slot = self._reserve()
            if slot - began > patience:
                return None
            if (wait := slot - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            if time.monotonic() >= self._closed_until:  # while this one waited, another may have been sent away
                return time.monotonic() - began

    def _reserve(self) -> float:
        with self._lock:
            slot = max(time.monotonic(), self._closed_until, self._next_slot if self._spacing else 0.0)
            self._next_slot = slot + self._spacing
            return slot

    def sent_away(self, seconds: float) -> None:
        """The server is busy: nobody sends anything for so many seconds, and then one after the other."""
        with self._lock:
            now = time.monotonic()
            if now >= self._closed_until:  # the others that were under way hear the same, which is no news
                self._spacing = min(max(FIRST_SPACING, WIDER * self._spacing), LONGEST_SPACING)
                self._next_slot = 0.0
            self._closed_until = max(self._closed_until, now + seconds)

    def let_in(self) -> None:
        """A request was answered: the next ones may follow each other a little closer."""
        with self._lock:
            self._spacing = self._spacing * CLOSER if self._spacing > FIRST_SPACING / 10 else 0.0
