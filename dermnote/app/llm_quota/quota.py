"""Limits on requests to a language model that the app's owner pays for: per visitor and hour, and USD per day.

The counters are in the memory of this process: a restart resets them, and two processes count separately.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from dermnote.errors import NotesError
from dermnote.llm.llm_errors import Usage, WriterError
from dermnote.llm.prices import FREE, Budget, Estimate, Price

if TYPE_CHECKING:
    from dermnote.llm.pacing import MayRepeat
    from dermnote.llm.responses import Reply

PER_HOUR, MAX_USD = "DERMNOTE_LLM_PER_HOUR", "DERMNOTE_LLM_MAX_USD"
HOUR, DAY = 3600, 86400  # seconds


class AllowanceError(NotesError):
    """A limit on requests to the language model is reached, and nothing was sent."""

    @classmethod
    def until(cls, why: str, seconds: float) -> AllowanceError:
        """Return the error of a limit that has room again after so many seconds."""
        return cls(f"{why} Nothing was sent.", f"Try again {in_words(seconds)}; the template (M) always works.")

    @classmethod
    def too_much(cls, why: str, setting: str) -> AllowanceError:
        """Return the error of a request that the limit never has room for."""
        return cls(f"{why} Nothing was sent.", f"The owner of this app should raise {setting}.")


def in_words(seconds: float) -> str:
    """Return a waiting time in words, rounded up: "in 12 minutes"."""
    minutes = max(1, math.ceil(seconds / 60))
    if minutes > 90:
        return f"in {math.ceil(minutes / 60)} hours"
    return "in a minute" if minutes == 1 else f"in {minutes} minutes"


class HourlyRequests:
    """Request times of each visitor within the last hour; not thread-safe.

    Args:
        per_hour: Most requests of one visitor within any 60 minutes; None for no limit.
    """

    def __init__(self, per_hour: int | None) -> None:
        self.per_hour = per_hour
        self._times: dict[str, deque[float]] = {}  # the oldest first

    def check(self, visitor: str, count: int, now: float) -> None:
        """Raise AllowanceError if `count` more requests would be too many."""
        self._forget(now)
        times = self._times.get(visitor, ())
        if self.per_hour is None or len(times) + count <= self.per_hour:
            return
        if count > self.per_hour:
            raise AllowanceError.too_much(
                f"This note takes {count} requests to the language model; the limit is {self.per_hour} an hour.",
                PER_HOUR,
            )
        raise AllowanceError.until(
            f"The limit of {self.per_hour} requests an hour to the language model is reached.",
            times[len(times) + count - self.per_hour - 1] + HOUR - now,
        )

    def add(self, visitor: str, count: int, now: float) -> None:
        """Count requests."""
        self._times.setdefault(visitor, deque()).extend([now] * count)

    def remove(self, visitor: str, at: float) -> None:
        """Remove one request counted at that time, unless it is forgotten already."""
        times = self._times.get(visitor, deque())
        if at in times:
            times.remove(at)

    def _forget(self, now: float) -> None:
        """Drop what is older than an hour, and visitors without requests: no list is kept of all who ever came."""
        for times in self._times.values():
            while times and times[0] <= now - HOUR:
                times.popleft()
        self._times = {visitor: times for visitor, times in self._times.items() if times}


class Allowance:
    """Admits requests to a language model before they are sent. May be used from several threads at once.

    The highest possible cost of a request is reserved while it is under way, so that two at once cannot both pass a
    limit that has room for one. A day is a calendar day in UTC.

    Args:
        per_hour: Most requests of one visitor within any 60 minutes; None for no limit. Repeats after a lost connection
            or a malformed answer do not count as further requests, but as cost.
        max_usd: Most that all visitors together may cost in a day; None for no limit.
        price: Of the model; None if it is unknown, which requires `max_usd` None.
        now: The clock: seconds since 1970.
    """

    def __init__(
        self,
        per_hour: int | None = None,
        max_usd: float | None = None,
        price: Price | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.price = price or FREE
        self._max_usd, self._now, self._lock = max_usd, now, threading.Lock()
        self._hourly = HourlyRequests(per_hour)
        self._day, self._budget = -1, Budget(max_usd, self.price)

    def admit(self, visitor: str, requests: Sequence[Estimate]) -> Admission:
        """Reserve the cost of all requests of one note, or of none; raise AllowanceError if a limit has no room."""
        with self._lock:
            now = self._now()
            self._hourly.check(visitor, len(requests), now)
            budget = self._budget_of(now)
            if not _reserve_all(budget, requests):
                raise self._refusal(budget, sum((each.worst for each in requests), Usage()), now)
            self._hourly.add(visitor, len(requests), now)
        return Admission(self, budget, visitor, now, requests)

    def _budget_of(self, now: float) -> Budget:
        day = int(now // DAY)
        if day != self._day:  # requests under way settle with the budget of the day they were admitted on
            self._day, self._budget = day, Budget(self._max_usd, self.price)
        return self._budget

    def _refusal(self, budget: Budget, worst: Usage, now: float) -> AllowanceError:
        cost, limit = self.price.cost(worst), self._max_usd or 0.0
        if cost > limit:
            why = "This note may cost more than this app may spend on the language model in a day."
            return AllowanceError.too_much(why, MAX_USD)
        if budget.spent + cost <= limit:
            why = "What this app may still spend on the language model today is reserved for notes under way."
            return AllowanceError.until(why, 60)
        why = "What this app may spend on the language model in a day is used up."
        return AllowanceError.until(why, (self._day + 1) * DAY - now)

    def settle(self, budget: Budget, expected: Estimate, used: Usage, *, lost: bool = False) -> None:
        """Count the usage of a request; one whose answer was lost counts with its highest possible cost."""
        with self._lock:
            budget.settle(expected.worst, used)
            if lost:
                budget.guess(expected.once)

    def may_repeat(self, budget: Budget, expected: Estimate, error: WriterError) -> bool:
        """Return whether a failed request may be sent again; a lost answer is counted first."""
        with self._lock:
            if not error.answer_lost:
                return True
            if not budget.has_room(expected.once):
                return False
            budget.guess(expected.once)
            return True

    def release(self, budget: Budget, expected: Estimate, visitor: str, at: float) -> None:
        """Free the reservation of a request that was admitted at that time and never sent."""
        with self._lock:
            budget.settle(expected.worst, Usage())
            self._hourly.remove(visitor, at)


class Admission:
    """Admitted requests of one note; a context manager that releases those not sent."""

    def __init__(
        self, allowance: Allowance, budget: Budget, visitor: str, at: float, requests: Sequence[Estimate]
    ) -> None:
        self._allowance, self._budget, self._visitor, self._at = allowance, budget, visitor, at
        self._unsent = deque(requests)

    def send(self, ask: Callable[[MayRepeat], Reply]) -> Reply:
        """Send the next request and count its usage, also if it fails; `ask` gets what decides whether to repeat."""
        expected, used, lost = self._unsent.popleft(), Usage(), True
        try:
            reply = ask(partial(self._allowance.may_repeat, self._budget, expected))
            used, lost = reply.usage, False
        except WriterError as error:
            used, lost = error.usage, error.answer_lost
            raise
        finally:
            self._allowance.settle(self._budget, expected, used, lost=lost)
        return reply

    def __enter__(self) -> Admission:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._unsent:
            self._allowance.release(self._budget, each, self._visitor, self._at)


def _reserve_all(budget: Budget, requests: Sequence[Estimate]) -> bool:
    admitted = [each for each in requests if budget.admit(each.worst)]
    if len(admitted) == len(requests):
        return True
    for each in admitted:
        budget.settle(each.worst, Usage())
    return False
