"""Table (d): our step on a GPU: fed from disk against fed from its own memory, the plain loop, bytes, memory."""

from __future__ import annotations

import torch

from tests.benchmarks.training_parts.alternating import alternate, middle, ratios
from tests.benchmarks.training_parts.figures import Figure, Table
from tests.benchmarks.training_parts.floor import StepBytes, copy_bandwidth, count_bytes
from tests.benchmarks.training_parts.input_pipeline import CACHE_GB
from tests.benchmarks.training_parts.ours import Ours
from tests.benchmarks.training_parts.plain_loop import PlainLoop
from tests.benchmarks.training_parts.setting import Setting
from train.training.optim import set_trainable
from train.training.train_config import TrainConfig

END_TO_END, PLAIN = 0.97, 3.0
LONGER = 4  # times the steps for us: an epoch's start, when no batch is ready yet, must not weigh more than it does
TITLE = "On a GPU, frozen text"
HOW = (
    "Ours: bf16, channels last, the picture network compiled. Plain loop: float32 as torch has it by default (TF32 in "
    "convolutions, not in products). From disk: each JPEG decoded at each access by worker processes; from the cache: "
    "squares decoded once, as train.fit does up to cache_gb."
)


def on_gpu(setting: Setting) -> Table:
    """The table; without a GPU it says so, and counts the bytes all the same."""
    step = step_bytes(setting, setting.config(text_layers=0))
    counted = Figure("bytes a step must move (see tests/benchmarks/training_parts/floor.py)", step.total / 1e9, "GB")
    if not setting.on_gpu:
        names = ("ours, from the cache", "ours, on data in GPU memory", "plain loop", "peak memory")
        figures = [Figure(name, None, remark="no GPU") for name in names]
        return Table(TITLE, [*figures, counted], [*setting.told(), "not measured: no GPU"])
    return measured(setting, step, counted)


def measured(setting: Setting, step: StepBytes, counted: Figure, copied_megabytes: int = 1024) -> Table:
    """The table's rates, on whatever device the setting names.

    Args:
        setting: Of the run.
        step: Bytes of our step.
        counted: The same as a figure.
        copied_megabytes: By which the bandwidth is measured.
    """
    decoding = setting.config(text_layers=0)
    cached = setting.config(text_layers=0, cache_gb=2 * CACHE_GB)
    steps = LONGER * setting.steps
    ours = Ours(setting.model(), setting.material, cached, steps)
    ours.run()
    memory = _peak_memory(setting, ours)
    resident = ours.resident()
    from_disk = Ours(setting.model(), setting.material, decoding, steps)
    brief = max(1, setting.steps // 2)
    plain = {
        f"plain loop, num_workers={workers}": PlainLoop(
            setting.model(), setting.material, decoding, setting.device, brief, workers=workers
        ).run
        for workers in dict.fromkeys((0, setting.peer_workers))
    }
    contestants = {"cached": ours.run, "resident": lambda: ours.run_on(resident), "disk": from_disk.run, **plain}
    rates = alternate(contestants, setting.repeats)
    titles = {"cached": "ours, from the cache", "resident": "ours, on data in GPU memory", "disk": "ours, from disk"}
    table = Table(TITLE, [], [*setting.told(), f"Ours in blocks of {steps}, the plain loop in blocks of {brief}.", HOW])
    for name in rates:
        value, spread = middle(rates[name])
        table.figures.append(Figure(titles.get(name, name), value, "pictures/s", spread))
    best = max(plain, key=lambda name: middle(rates[name])[0])
    for title, one, other, target in (
        ("end to end against data in GPU memory, from the cache", "cached", "resident", END_TO_END),
        ("end to end against data in GPU memory, from disk", "disk", "resident", END_TO_END),
        (f"ours, from the cache, against {best}", "cached", best, PLAIN),
        (f"ours, from disk, against {best}", "disk", best, PLAIN),
    ):
        value, spread = middle(ratios(rates, one, other))
        table.figures.append(Figure(title, value, "times", spread, target))
    bandwidth = copy_bandwidth(setting.device, copied_megabytes)
    share = step.total / bandwidth / (setting.batch / middle(rates["resident"])[0])
    table.figures += [
        counted,
        Figure("memory bandwidth of a copy", bandwidth / 1e9, "GB/s"),
        Figure("fraction of the bandwidth floor, on data in GPU memory", share),
        Figure("peak memory, ours", memory, "GiB"),
    ]
    return table


def _peak_memory(setting: Setting, ours: Ours) -> float | None:
    """GiB that tensors took at most during a block; None without a GPU."""
    if not setting.on_gpu:
        return None
    torch.cuda.reset_peak_memory_stats(setting.device)
    ours.run()
    return torch.cuda.max_memory_allocated(setting.device) / 2**30


def step_bytes(setting: Setting, config: TrainConfig) -> StepBytes:
    """Bytes of a step with text vectors made before, in bf16."""
    model = setting.model()
    set_trainable(model, config)
    assert model.text_encoder is not None
    pictures = torch.empty(setting.batch, 3, setting.pair.image_size, setting.pair.image_size, device="meta")
    features = torch.empty(setting.batch, model.text_encoder.feature_dim, device="meta")
    moments = 2 + int(config.amsgrad) + int(bool(getattr(config, "ema", 0)))
    return count_bytes(
        model.train(), lambda double: double(pixel_values=pictures, text_features=features), moments=moments
    )
