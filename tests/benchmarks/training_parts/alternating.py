"""Contestants in turns (A B A B ...), so that whatever else the machine does falls on all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

Rates = dict[str, list[float]]


@dataclass(frozen=True)
class Block:
    """Some steps in a row.

    Attributes:
        pictures: How many went through.
        seconds: How long that took, the device's work included.
    """

    pictures: int
    seconds: float

    @property
    def rate(self) -> float:
        """Pictures a second."""
        return self.pictures / self.seconds


def clock(device: torch.device) -> float:
    """Now in seconds, after the device has done all it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def alternate(contestants: Mapping[str, Callable[[], Block]], repeats: int) -> Rates:
    """Pictures a second of every contestant in every round; each runs once before anything counts."""
    for run in contestants.values():
        run()
    rates: Rates = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, run in contestants.items():
            rates[name].append(run().rate)
    return rates


def middle(values: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """Median, and (lowest, highest)."""
    return statistics.median(values), (min(values), max(values))


def ratios(rates: Rates, one: str, other: str) -> list[float]:
    """How many times as fast one is as the other, round by round."""
    return [mine / theirs for mine, theirs in zip(rates[one], rates[other], strict=True)]
