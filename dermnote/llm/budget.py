"""Spending no more than the user allows, with many requests under way at once."""

from __future__ import annotations

from dermnote.llm.llm_errors import Usage
from dermnote.llm.prices import Price


class Budget:
    """Counts what was spent, and admits a request only if it fits even at its worst.

    Args:
        limit: Most USD this run may spend; None for no limit.
        price: What the model costs; None if nobody knows, which only a run without limit can do with.
        batch: Whether batch prices apply.

    Attributes:
        spent: USD.
        guessed: Requests of it whose tokens nobody told, so that they count with the most they may have cost.
    """

    def __init__(self, limit: float | None, price: Price | None, *, batch: bool = False) -> None:
        self.limit, self.price, self.batch = limit, price, batch
        self.spent = 0.0
        self.guessed = 0
        self._reserved = 0.0
        self._under_way = 0

    @property
    def idle(self) -> bool:
        """Whether no admitted request is still under way: then waiting frees nothing."""
        return not self._under_way

    def admit(self, worst: Usage) -> bool:
        """Sets aside what a request may cost at worst; False if that is no longer there."""
        if not self.has_room(worst):
            return False
        self._reserved += self._cost(worst)
        self._under_way += 1
        return True

    def has_room(self, worst: Usage) -> bool:
        """Whether the limit has room for this beside all that is under way."""
        return self.limit is None or self.spent + self._reserved + self._cost(worst) <= self.limit

    def settle(self, worst: Usage, used: Usage) -> None:
        """Frees what was set aside, and counts what was used, whether a note came of it or not."""
        self._under_way -= 1
        self._reserved = self._reserved - self._cost(worst) if self._under_way else 0.0
        if used.requests and not used.prompt_tokens:  # a server that does not count
            self.guess(worst)
        else:
            self.count(used)

    def guess(self, most: Usage) -> None:
        """Counts a request of which only the most it may have cost is known: its answer was lost on the way."""
        self.guessed += 1
        self.count(most)

    def count(self, used: Usage) -> None:
        """Counts what was used."""
        self.spent += self._cost(used)

    def _cost(self, usage: Usage) -> float:
        return self.price.cost(usage, batch=self.batch) if self.price else 0.0
