"""`train.fit --profile`: a torch profiler trace of a few updates, and the three largest costs by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, schedule

SKIPPED, WARM, ACTIVE = 2, 2, 6  # updates
TRACE = "trace.json"
STAGES = ("views", "notes", "forward", "losses", "backward", "optimizer", "average")  # as `train_step` records them


class UpdateProfiler:
    """Profiler of a few updates near the start of a run.

    Args:
        folder: Folder of the trace; open it in https://ui.perfetto.dev or chrome://tracing.
        report: Prints the lines of the result.
    """

    def __init__(self, folder: Path, report: Callable[[str], object]) -> None:
        self._folder, self._report, self._seen = folder, report, 0
        self._profile: profile | None = profile(
            activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])],
            schedule=schedule(wait=SKIPPED, warmup=WARM, active=ACTIVE, repeat=1),
            on_trace_ready=self._write,
        )
        self._profile.start()

    def step(self) -> None:
        """Must be called after every update."""
        self._seen += 1
        if self._profile is not None and self._seen <= SKIPPED + WARM + ACTIVE:
            self._profile.step()
        elif self._profile is not None:
            self._profile.stop()
            self._profile = None

    def close(self) -> None:
        """End the profile, also if the run had too few updates."""
        if self._profile is not None:
            if self._seen <= SKIPPED + WARM:
                needed = SKIPPED + WARM + 1
                self._report(f"--profile saw {self._seen} updates and needs {needed}: no trace was written.")
            self._profile.stop()
            self._profile = None

    def _write(self, done: profile) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        done.export_chrome_trace(str(self._folder / TRACE))
        self._report(f"Profile of updates {SKIPPED + WARM + 1} to {self._seen}: {self._folder / TRACE}")
        events = done.key_averages()
        for line in (*_largest_costs(events), _stage_shares(events)):
            self._report(line)


def _largest_costs(events: Any, count: int = 3) -> list[str]:
    """Return the most expensive operations by their own time, with their share of all, one line each."""
    on_gpu = any(event.self_device_time_total > 0 for event in events)
    name = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    costs = [(float(getattr(event, name)), event) for event in events if not event.key.startswith("ProfilerStep")]
    whole = sum(cost for cost, _ in costs) or 1.0
    largest = sorted(costs, key=lambda each: each[0], reverse=True)[:count]
    return [
        f"  {place}. {event.key}: {cost / whole:.0%} of the time, {event.count} calls, {cost / 1000:.1f} ms"
        for place, (cost, event) in enumerate(largest, 1)
    ]


def _stage_shares(events: Any) -> str:
    """Return one line with the share of each stage of an update, by the host's clock."""
    times = {event.key: float(event.cpu_time_total) for event in events if event.key in STAGES}
    whole = sum(times.values()) or 1.0
    return "  stages: " + ", ".join(f"{name} {times[name] / whole:.0%}" for name in STAGES if name in times)
