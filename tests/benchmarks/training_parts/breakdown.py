"""Where the time of our step goes, by torch's profiler: the stages the engine names, then single operations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch.profiler import ProfilerActivity, profile

from tests.benchmarks.training_parts.figures import Figure, Table
from tests.benchmarks.training_parts.ours import Ours
from tests.benchmarks.training_parts.setting import Setting

FETCH = "enumerate(DataLoader)"  # torch's own name for the wait for a batch; decoding, where there are no workers
STAGES = {
    FETCH: "decode and collate",
    "views": "augment, normalise, lay out",
    "notes": "notes",
    "forward": "forward",
    "losses": "losses",
    "backward": "backward",
    "optimizer": "clipping, optimizer",
    "average": "moving average",
}
OPERATIONS = 8
PROFILED = 2  # steps at most: each leaves some ten thousand events


def breakdown(setting: Setting, text_layers: int | str = 0) -> Table:
    """One block, after a warm one, under the profiler."""
    setting = replace(setting, steps=min(PROFILED, setting.steps))
    ours = Ours(setting.model(), setting.material, setting.config(text_layers=text_layers), setting.steps)
    ours.run()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if setting.on_gpu else [])]
    with profile(activities=activities) as seen:
        block = ours.run()
    events = seen.key_averages()
    whole = block.seconds * 1e3 / setting.steps
    text = "trained" if text_layers else "frozen"
    clocks = "host time (a GPU works on beside it)" if setting.on_gpu else "time"
    table = Table(
        f"Where our step's time goes, {text} text", [], [*setting.told(), f"{clocks}, the profiler's own in it"]
    )
    table.figures.append(Figure("whole step", whole, "ms"))
    for name, title in STAGES.items():
        found = [each for each in events if each.key.startswith(name)]
        if found:
            value = sum(each.cpu_time_total for each in found) / 1e3 / setting.steps
            table.figures.append(Figure(title, value, "ms", remark=f"{100 * value / whole:.1f}%"))
    table.figures += _operations(events, whole, setting)
    return table


def _operations(events: Any, whole: float, setting: Setting) -> list[Figure]:
    kind = "self_device_time_total" if setting.on_gpu else "self_cpu_time_total"
    named = [each for each in events if not each.key.startswith(tuple(STAGES))]
    largest = sorted(named, key=lambda each: -float(getattr(each, kind)))[:OPERATIONS]
    figures = []
    for each in largest:
        value = float(getattr(each, kind)) / 1e3 / setting.steps
        figures.append(Figure(f"operation {each.key[:60]}", value, "ms", remark=f"{100 * value / whole:.1f}%"))
    return figures
