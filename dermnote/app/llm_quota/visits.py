"""How many requests each visitor caused within the last hour."""

from __future__ import annotations

from collections import deque

from dermnote.app.llm_quota.refusal import PER_HOUR, AllowanceError

HOUR = 3600  # seconds


class Visits:
    """Requests by visitor, the oldest first; not for several threads at once.

    Args:
        per_hour: Most requests of one visitor within any 60 minutes; None for no limit.
    """

    def __init__(self, per_hour: int | None) -> None:
        self.per_hour = per_hour
        self._times: dict[str, deque[float]] = {}

    def check(self, visitor: str, count: int, now: float) -> None:
        """Refuses what the limit has no room for.

        Raises:
            AllowanceError: `count` more requests would be too many.
        """
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
        """Counts requests."""
        self._times.setdefault(visitor, deque()).extend([now] * count)

    def take_back(self, visitor: str, at: float) -> None:
        """Counts one request less that was counted at that time, unless it is forgotten already."""
        times = self._times.get(visitor, deque())
        if at in times:
            times.remove(at)

    def _forget(self, now: float) -> None:
        """Drops what is older than an hour, and with it the visitors who left: no list is kept of who ever came."""
        for times in self._times.values():
            while times and times[0] <= now - HOUR:
                times.popleft()
        self._times = {visitor: times for visitor, times in self._times.items() if times}
