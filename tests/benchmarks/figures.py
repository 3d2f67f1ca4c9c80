"""Common parts of the benchmarks: contestants in turns, processes of their own, drawn images, tables, and JSON.

Contestants take turns (A B A B ...), so that other load affects all of them alike. torch is imported late, so that it
does not count as memory of a process that is measured without it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

PACKAGES = ("torch", "torchvision", "transformers", "accelerate", "pillow", "numpy")
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
Rates = dict[str, list[float]]


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
        """True if the target is met; None without a target or a value."""
        return None if self.target is None or self.value is None else self.value >= self.target

    def cells(self) -> list[str]:
        """Return the cells of a Markdown table: name, value, spread, target, met."""
        name = f"{self.name} ({self.remark})" if self.remark else self.name
        value = "not measured" if self.value is None else f"{_number(self.value)} {self.unit}".strip()
        target = "" if self.target is None else f">= {_number(self.target)}"
        return [name, value, " to ".join(map(_number, self.spread or ())), target, _MET[self.met]]


_MET = {None: "", True: "yes", False: "NO"}


@dataclass
class Table:
    """Figures of one question, and remarks on how they were measured."""

    title: str
    figures: list[Figure] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the table as Markdown."""
        head = ["figure", "value", "lowest to highest", "target", "met"]
        figures = markdown([head, *(figure.cells() for figure in self.figures)]) if self.figures else ""
        return "\n".join([f"\n### {self.title}", "", *self.remarks, *([""] if self.remarks else []), figures])

    def plain(self) -> dict[str, Any]:
        """Return the table as plain values, for JSON."""
        figures = [asdict(figure) | {"met": figure.met} for figure in self.figures]
        return {"title": self.title, "remarks": self.remarks, "figures": figures}


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def markdown(rows: Sequence[Sequence[object]]) -> str:
    """Return rows of cells, of which the first is the head, as a Markdown table."""
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def new_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the option that all benchmarks share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    return parser


def write_json(path: Path | None, figures: Mapping[str, Any], device: torch.device | None = None) -> None:
    """Write figures and the machine they were measured on, if there is a path."""
    if path is not None:
        path.write_text(json.dumps({"machine": machine(device), **figures}, indent=2) + "\n", encoding="utf-8")


def machine(device: torch.device | None = None) -> dict[str, Any]:
    """Return device, cores, versions, and the load of the machine."""
    import torch

    on_gpu = device is not None and device.type == "cuda"
    installed = {each.name.lower(): each.version for each in importlib.metadata.distributions()}
    versions = {name: installed[name] for name in PACKAGES if name in installed}
    return {
        "device": f"cuda: {torch.cuda.get_device_name(device)}" if on_gpu else f"cpu: {_processor()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": versions | ({"cuda": torch.version.cuda} if on_gpu else {}),
        "load_average": load_average(),
    }


def load_average() -> float | None:
    """Return the load of the last minute, where the system knows it."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def run_module(module: str, *words: object, threads: int | None = None) -> dict[str, Any]:
    """Run a module in a process of its own, so that its memory is separate; return the JSON in its last line.

    Args:
        module: Name of the module.
        words: Its arguments.
        threads: Threads of matrix products; None for all cores.
    """
    command = [sys.executable, "-m", module, *map(str, words)]
    limits = {name: str(threads) for name in THREAD_LIMITS} if threads else {}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **limits})
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def memory_mb(entry: str, pid: int | str = "self") -> float:
    """Return an entry of a process's memory (Linux): VmRSS is resident now, VmHWM the peak, RssAnon anonymous."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(entry)) * 1.024e-3


def drawn_jpeg(seed: int) -> bytes:
    """Return a drawn dermoscopic image of the usual size, 600 x 450 pixels."""
    from train.data.sources.drawn import draw

    buffer = io.BytesIO()
    draw(seed, seed % 8, 450).resize((600, 450)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@dataclass(frozen=True)
class Block:
    """Consecutive steps over a number of images, and their duration in seconds, including the device's work."""

    images: int
    seconds: float

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.images / self.seconds


def clock(device: torch.device) -> float:
    """Return the time in seconds, after the device has finished its work."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def alternate(contestants: Mapping[str, Callable[[], Block]], repeats: int) -> Rates:
    """Return the images a second of every contestant in every round; each runs once before anything counts."""
    blocks = [{name: run() for name, run in contestants.items()} for _ in range(repeats + 1)][1:]
    return {name: [each[name].rate for each in blocks] for name in contestants}


def middle(values: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """Return the median, and (lowest, highest)."""
    return statistics.median(values), (min(values), max(values))


def ratios(rates: Rates, one: str, other: str) -> list[float]:
    """Return how many times as fast one is as the other, round by round."""
    return [mine / theirs for mine, theirs in zip(rates[one], rates[other], strict=True)]
