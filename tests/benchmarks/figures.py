"""Figures, tables, and contestants timed in turns (A B A B ...), so that other load affects all of them alike."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

PACKAGES = ("torch", "torchvision", "transformers", "accelerate", "pillow", "numpy")


@dataclass(frozen=True)
class Figure:
    """One line of a table.

    Attributes:
        name: Name of the measurement.
        value: None where it was not measured.
        unit: Of the value.
        spread: Lowest and highest of the repeats, where there were any.
        target: Minimum; None without one.
        remark: Note for the reader.
    """

    name: str
    value: float | None
    unit: str = ""
    spread: tuple[float, float] | None = None
    target: float | None = None
    remark: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target or a value."""
        return None if self.target is None or self.value is None else self.value >= self.target


@dataclass
class Table:
    """Figures of one question, and remarks on how they were measured."""

    title: str
    figures: list[Figure] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The table as Markdown."""
        rows = [f"\n### {self.title}", "", *self.remarks, *([""] if self.remarks else [])]
        if self.figures:
            rows += ["| figure | value | lowest to highest | target | met |", "|---|---|---|---|---|"]
        return "\n".join([*rows, *map(_row, self.figures)])

    def plain(self) -> dict[str, Any]:
        """The table as plain values, for JSON."""
        figures = [asdict(figure) | {"met": figure.met} for figure in self.figures]
        return {"title": self.title, "remarks": self.remarks, "figures": figures}


def _row(figure: Figure) -> str:
    name = f"{figure.name} ({figure.remark})" if figure.remark else figure.name
    value = "not measured" if figure.value is None else f"{_number(figure.value)} {figure.unit}".strip()
    spread = "" if figure.spread is None else " to ".join(map(_number, figure.spread))
    target = "" if figure.target is None else f">= {_number(figure.target)}"
    met = {None: "", True: "yes", False: "NO"}[figure.met]
    return f"| {name} | {value} | {spread} | {target} | {met} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def machine(device: torch.device) -> dict[str, Any]:
    """Device, cores, versions and how busy the machine is."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "device": f"{device.type}: {name}",
        "cores": cores,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": dict(_versions(PACKAGES)) | ({"cuda": torch.version.cuda} if device.type == "cuda" else {}),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def _versions(packages: Iterable[str]) -> Iterable[tuple[str, str]]:
    for package in packages:
        try:
            yield package, importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            return next(line.split(":")[1].strip() for line in stream if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


Rates = dict[str, list[float]]


@dataclass(frozen=True)
class Block:
    """Consecutive steps.

    Attributes:
        images: Number of images.
        seconds: Duration, including the device's work.
    """

    images: int
    seconds: float

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.images / self.seconds


def clock(device: torch.device) -> float:
    """Return the time in seconds, after the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def alternate(contestants: Mapping[str, Callable[[], Block]], repeats: int) -> Rates:
    """Images a second of every contestant in every round; each runs once before anything counts."""
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
