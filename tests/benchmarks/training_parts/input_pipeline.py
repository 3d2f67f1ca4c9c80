"""Table (c): what the input pipeline delivers when nobody consumes, against what the encoder's step consumes."""

from __future__ import annotations

from tests.benchmarks.training_parts.alternating import Block, alternate, clock, middle, ratios
from tests.benchmarks.training_parts.figures import Figure, Table
from tests.benchmarks.training_parts.ours import Ours
from tests.benchmarks.training_parts.setting import Setting

TIMES = 10.0
CACHE_GB = 4.0  # what `paper.yaml` allows
BATCHES = 8  # of the pipeline for each step of the encoder on a CPU: it is that much faster


def input_pipeline(setting: Setting) -> Table:
    """Decoding at each access, and out of the cache of decoded squares."""
    learning = Ours(setting.model(), setting.material, setting.config(text_layers=0), setting.steps)
    step = {"step": learning.run}
    batches = setting.steps * (1 if setting.on_gpu else BATCHES)
    for name, gigabytes in (("decoded", 0.0), ("cached", CACHE_GB)):
        config = setting.config(text_layers=0, cache_gb=gigabytes)
        feeding = Ours(setting.model(), setting.material, config, batches)
        step[name] = lambda feeding=feeding: _feed(feeding)  # type: ignore[misc]
    rates = alternate(step, setting.repeats)
    how = "From JPEG to augmented, normalised batches on the device; the step has frozen text, which consumes most."
    table = Table("The input pipeline alone", [], [*setting.told(), how])
    titles = {"step": "consumed by our step", "decoded": "delivered, each JPEG decoded", "cached": "delivered, cached"}
    for name, title in titles.items():
        value, spread = middle(rates[name])
        table.figures.append(Figure(title, value, "pictures/s", spread))
    for name, title in (("decoded", "decoded at each access"), ("cached", "out of the cache of decoded squares")):
        value, spread = middle(ratios(rates, name, "step"))
        table.figures.append(Figure(f"delivered against consumed, {title}", value, "times", spread, setting.aim(TIMES)))
    return table


def _feed(ours: Ours) -> Block:
    started, pictures = clock(ours.device), 0
    for batch in ours.inputs():
        pictures += len(batch)
    return Block(pictures, clock(ours.device) - started)
