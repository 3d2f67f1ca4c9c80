"""Retries and pacing of requests: bounded in number and time, and coordinated when a server is busy."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from dermnote.llm.llm_errors import BusyError, WriterError

FIRST_BACKOFF = 0.5  # seconds; doubled with each try
LONGEST_BACKOFF = 30.0
# After a 429 requests are sent one by one, this many seconds apart. Otherwise all waiting requests would be sent at the
# same time, be rejected again, and use up their tries, though the server has capacity for each of them in turn.
FIRST_SPACING = 0.05
WIDER, CLOSER = 1.5, 0.97
LONGEST_SPACING = 10.0
SHORTEST_SLEEP = 0.001

MayRepeat = Callable[[WriterError], bool]


def backoff(tries: int) -> float:
    """Return the seconds to wait after so many tries (1, 2 ...): exponential, with jitter."""
    longest = min(FIRST_BACKOFF * 2.0 ** (tries - 1), LONGEST_BACKOFF)
    return longest * random.uniform(0.5, 1)  # noqa: S311 no secret


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a server asks to wait (`Retry-After` in seconds or as a date, `retry-after-ms`), or None.

    A date is compared with the server's own clock where given, as ours may be off.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        return seconds if 0 <= seconds < float("inf") else None
    until = _timestamp(headers.get("retry-after"))
    if until is None:
        return None
    return max(0.0, until - (_timestamp(headers.get("date")) or time.time()))


def _timestamp(date: str | None) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except (ValueError, OverflowError):
        return None


class Pacing:
    """Send times of all requests of one client, also across threads.

    Args:
        now: Clock, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self._lock = threading.Lock()
        self._waiting: deque[object] = deque()
        self._open_from = 0.0
        self._spacing = 0.0
        self._widened = 0.0

    async def turn(self, patience: float) -> float | None:
        """Wait for this request's turn; first come, first served.

        Args:
            patience: Longest wait in seconds.

        Returns:
            Seconds waited; None if the wait would exceed `patience`.
        """
        began, ticket = self.now(), object()
        with self._lock:
            self._waiting.append(ticket)
        try:
            while (wait := self._admit(ticket)) > 0:
                if self.now() + wait > began + patience:
                    return None
                # checked again after the sleep: the server may have rejected another request meanwhile
                await asyncio.sleep(max(wait, SHORTEST_SLEEP))
        finally:
            with self._lock:
                self._waiting.remove(ticket)
        return self.now() - began

    def _admit(self, ticket: object) -> float:
        """Return the seconds until the ticket's turn; 0 admits it."""
        with self._lock:
            now, ahead = self.now(), self._waiting.index(ticket)
            wait = self._open_from - now + ahead * self._spacing
            if wait <= 0:
                self._open_from = max(self._open_from, now) + self._spacing
            return max(wait, 0.0)

    def rejected(self, seconds: float, sent: float) -> None:
        """Hold all requests after a rejection, and send them one by one afterwards.

        Args:
            seconds: Wait requested by the server.
            sent: Send time of the rejected request.
        """
        with self._lock:
            now = self.now()
            self._open_from = max(self._open_from, now + seconds)
            if sent >= self._widened:  # rejections of requests sent earlier carry no new information
                self._spacing = min(max(FIRST_SPACING, WIDER * self._spacing), LONGEST_SPACING)
                self._widened = now

    def accepted(self) -> None:
        """Reduce the spacing a little after an answered request."""
        with self._lock:
            self._spacing = self._spacing * CLOSER if self._spacing > FIRST_SPACING / 10 else 0.0


async def send_with_retries(
    send: Callable[[], Awaitable[Any]],
    pacing: Pacing,
    max_retries: int,
    patience: float,
    may_repeat: MayRepeat = lambda _: True,
) -> Any:
    """Return the result of `send`, which is repeated after an error that a retry can help.

    Args:
        send: Sends the request and raises WriterError.
        pacing: Shared by all requests to the same server, so that they wait together when it is busy.
        max_retries: Most repetitions.
        patience: Longest wait in total, in seconds; a server that asks for more is not waited for.
        may_repeat: Confirms each repetition, given the error.

    Raises:
        WriterError: The last error of `send`, or the first that a retry cannot help.
    """
    waited, tries = 0.0, 0
    while True:
        turn = await pacing.turn(patience - waited)
        if turn is None:
            raise BusyError("The server asks to wait for too long.", "Run again later.", retryable=True)
        waited, tries = waited + turn, tries + 1
        sent = pacing.now()
        try:
            answer = await send()
        except WriterError as error:
            wait = backoff(tries) if error.retry_after is None else error.retry_after
            if not error.retryable or tries > max_retries or waited + wait > patience or not may_repeat(error):
                raise
            if isinstance(error, BusyError) or error.retry_after is not None:
                pacing.rejected(wait, sent)
            else:
                await asyncio.sleep(wait)
                waited += wait
        else:
            pacing.accepted()
            return answer
