"""What visitors may have asked of a language model that somebody else pays for.

The counters are in the memory of this process: a restart begins anew, and two processes count each for itself.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from dermnote.app.llm_quota.refusal import MAX_USD, AllowanceError
from dermnote.app.llm_quota.visits import Visits
from dermnote.llm.llm_errors import Usage, WriterError
from dermnote.llm.prices import FREE, Budget, Estimate, Price

if TYPE_CHECKING:
    from dermnote.llm.pacing import MayRepeat
    from dermnote.llm.responses import Reply

DAY = 86400  # seconds


class Allowance:
    """Admits requests to a language model before they are sent. May be used from several threads at once.

    What a request may cost at worst is set aside while it is under way, so that two at once cannot both pass a limit
    that has room for one. A day is a calendar day in UTC.

    Args:
        per_hour: Most requests of one visitor within any 60 minutes; None for no limit. That a request is sent again,
            for a lost connection or a malformed answer, is no further request, but it is paid for.
        max_usd: Most that all visitors together may cost in a day; None for no limit.
        price: What the model costs; None if nobody knows, which only an allowance without `max_usd` can do with.
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
        self._visits = Visits(per_hour)
        self._day, self._budget = -1, Budget(max_usd, self.price)

    def admit(self, visitor: str, requests: Sequence[Estimate]) -> Admission:
        """Sets aside what the requests of one note may take: of all of them, or of none.

        Args:
            visitor: Who asks, see `dermnote.app.llm_quota.visitor`.
            requests: What each takes, in the order of asking.

        Raises:
            AllowanceError: A limit has no room for them.
        """
        with self._lock:
            now = self._now()
            self._visits.check(visitor, len(requests), now)
            budget = self._budget_of(now)
            if not _all_admitted(budget, requests):
                raise self._refusal(budget, sum((each.worst for each in requests), Usage()), now)
            self._visits.add(visitor, len(requests), now)
        return Admission(self, budget, visitor, now, requests)

    def _budget_of(self, now: float) -> Budget:
        day = int(now // DAY)
        if day != self._day:  # what is under way settles with the day it was admitted on
            self._day, self._budget = day, Budget(self._max_usd, self.price)
        return self._budget

    def _refusal(self, budget: Budget, worst: Usage, now: float) -> AllowanceError:
        cost, limit = self.price.cost(worst), self._max_usd or 0.0
        if cost > limit:
            why = "This note may cost more than this app may spend on the language model in a day."
            return AllowanceError.too_much(why, MAX_USD)
        if budget.spent + cost <= limit:
            why = "What this app may still spend on the language model today is set aside for notes under way."
            return AllowanceError.until(why, 60)
        why = "What this app may spend on the language model in a day is used up."
        return AllowanceError.until(why, (self._day + 1) * DAY - now)

    def settle(self, budget: Budget, expected: Estimate, used: Usage, *, lost: bool = False) -> None:
        """Counts what a request used; one whose answer was lost counts with the most it may have cost."""
        with self._lock:
            budget.settle(expected.worst, used)
            if lost:
                budget.guess(expected.once)

    def may_repeat(self, budget: Budget, expected: Estimate, fault: WriterError) -> bool:
        """Whether a request that failed may be sent again; an answer that was lost is counted first."""
        with self._lock:
            if not fault.answer_lost:
                return True
            if not budget.has_room(expected.once):
                return False
            budget.guess(expected.once)
            return True

    def take_back(self, budget: Budget, expected: Estimate, visitor: str, at: float) -> None:
        """Frees what was set aside at that time for a request that was never sent."""
        with self._lock:
            budget.settle(expected.worst, Usage())
            self._visits.take_back(visitor, at)


class Admission:
    """The requests of one note, admitted; a context at whose end what was not sent goes back.

    Args:
        allowance: What admitted them.
        budget: Of the day of the admission.
        visitor: Who asks.
        at: When.
        requests: What each takes.
    """

    def __init__(
        self, allowance: Allowance, budget: Budget, visitor: str, at: float, requests: Sequence[Estimate]
    ) -> None:
        self._allowance, self._budget, self._visitor, self._at = allowance, budget, visitor, at
        self._unsent = deque(requests)

    def send(self, ask: Callable[[MayRepeat], Reply]) -> Reply:
        """Sends the next request and counts what it used, whatever comes of it.

        Args:
            ask: Sends it; gets what decides whether it may be sent again.
        """
        expected, used, lost = self._unsent.popleft(), Usage(), True
        try:
            reply = ask(partial(self._allowance.may_repeat, self._budget, expected))
            used, lost = reply.usage, False
        except WriterError as fault:
            used, lost = fault.usage, fault.answer_lost
            raise
        finally:
            self._allowance.settle(self._budget, expected, used, lost=lost)
        return reply

    def __enter__(self) -> Admission:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._unsent:
            self._allowance.take_back(self._budget, each, self._visitor, self._at)


def _all_admitted(budget: Budget, requests: Sequence[Estimate]) -> bool:
    """Admits all requests, or none."""
    admitted = [each for each in requests if budget.admit(each.worst)]
    if len(admitted) == len(requests):
        return True
    for each in admitted:
        budget.settle(each.worst, Usage())
    return False
