"""One measured figure with its interval, and how it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dermnote.app.model.untrusted import number, sequence, table
from dermnote.models.prediction import percent

UNKNOWN = "–"
NO_BREAK = "\u00a0"  # a table may break a figure before its interval, not within


@dataclass(frozen=True)
class Figure:
    """A figure of metrics.json.

    Attributes:
        value: None if it was not measured.
        ends: Of its 95% interval; None if there is none.
    """

    value: float | None
    ends: tuple[float, float] | None = None

    @classmethod
    def of(cls, value: Any, ends: Any = None) -> Figure:
        """A figure from what a bundle says; what is no number, or no interval, is taken as not measured."""
        found = [number(end, -2, 2) for end in sequence(ends)]
        low, high = found if len(found) == 2 else (None, None)
        interval = None if low is None or high is None or low > high else (low, high)
        return cls(number(value, -2, 2), interval)

    @classmethod
    def named(cls, block: Any, name: str) -> Figure:
        """The figure of that name, with the interval of that name under "ci"."""
        told: Mapping[str, Any] = table(block)
        return cls.of(told.get(name), table(told.get("ci")).get(name))

    def __str__(self) -> str:
        if self.value is None:
            return UNKNOWN
        return f"{self.value:.2f}" + (f" [{self.ends[0]:.2f},{NO_BREAK}{self.ends[1]:.2f}]" if self.ends else "")

    def as_share(self) -> str:
        """Written as a percentage."""
        if self.value is None:
            return UNKNOWN
        interval = f" (95% interval {percent(self.ends[0])} to {percent(self.ends[1])})" if self.ends else ""
        return percent(self.value) + interval
