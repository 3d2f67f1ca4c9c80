"""Spending no more than the user allows, with many requests under way at once."""

from __future__ import annotations

from dermnote.notes.faults import Usage
from train.writing.prices import Price


class Budget:
    """Counts what was spent, and admits a request only if it fits even at its worst.

    Args:
        limit: Most USD this run may spend; None for no limit.
        price: What the model costs; None if nobody knows, which only a run without limit can do with.
        batch: Whether batch prices apply.
    """

    def __init__(self, limit: float | None, price: Price | None, *, batch: bool = False) -> None:
        self.limit, self.price, self.batch = limit, price, batch
        self.spent = 0.0
        self._reserved = 0.0
        self._under_way = 0

    @property
    def idle(self) -> bool:
        """Whether no admitted request is still under way: then waiting frees nothing."""
        return not self._under_way

    def admit(self, worst: Usage) -> bool:
        """Sets aside what a request may cost at worst; False if that is no longer there."""
        most = self._cost(worst)
        if self.limit is not None and self.spent + self._reserved + most > self.limit:
            return False
        self._reserved += most
        self._under_way += 1
        return True

    def settle(self, worst: Usage, used: Usage) -> None:
        """Frees what was set aside, and counts what was used, whether a note came of it or not."""
        self._under_way -= 1
        self._reserved = self._reserved - self._cost(worst) if self._under_way else 0.0
        self.count(used)

    def count(self, used: Usage) -> None:
        """Counts what was used."""
        self.spent += self._cost(used)

    def _cost(self, usage: Usage) -> float:
        return self.price.cost(usage, batch=self.batch) if self.price else 0.0
