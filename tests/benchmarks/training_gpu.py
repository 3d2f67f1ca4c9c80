"""Training on a GPU, against the bytes a step must move through its memory, counted layer by layer.

A layer is a module without children, x its input, y its output, w its weights; a is the bytes of an activation
(2 in bf16), and weights are kept in 4 bytes and used in a:

    forward    (x + w) read, y written                       a (x + w + y)
    backward   dy, x and w read, dx and dw written           a (dy + x + w + dx) + 4 dw
    optimizer  w, dw and the moments read, w and the moments written: 4 (2 + s + 1 + s) bytes a weight that learns, with
               s moments (Adam and AdamW 2, with amsgrad 3, one more for an averaged copy of the weights)

dx falls away where the input needs no gradient (the images), dw where the weight does not learn, the whole backward
where neither does. Elementwise layers (ReLU, GELU, dropout ...) count as fused into their neighbours and move nothing,
and so do functions that are no module: concatenation, addition, attention's products, the last pooling. BatchNorm
counts as one reading, though a batch's statistics need two. All of that makes it a floor: what is left cannot be
avoided without fusing across convolutions. Caches are taken as too small to hold an activation until the next layer.

Time floor = bytes / bandwidth, bandwidth as a large copy on the same device reaches.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tests.benchmarks.figures import Figure, Table, alternate, clock, middle, ratios
from tests.benchmarks.training_ours import CACHE_GB, Ours, Setting
from tests.benchmarks.training_peers import PlainLoop
from train.training.optim import set_trainable
from train.training.train_config import TrainConfig

FUSED = (nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.GELU, nn.Tanh, nn.Sigmoid, nn.Dropout, nn.Identity, nn.Flatten)
WEIGHT_BYTES = 4


@dataclass(frozen=True)
class StepBytes:
    """Bytes read and written in one step, by part."""

    forward: int
    backward: int
    optimizer: int

    @property
    def total(self) -> int:
        """Bytes of all parts."""
        return self.forward + self.backward + self.optimizer


def count_bytes(
    model: nn.Module, run: Callable[[nn.Module], Any], activation_bytes: int = 2, moments: int = 2
) -> StepBytes:
    """Count by the formula above; nothing is computed (tensors without storage), so any batch fits any machine.

    Args:
        model: In the mode it learns in; `requires_grad` says what learns. Left as it is.
        run: Takes the copy of the model on the meta device and calls it on a batch of meta tensors.
        activation_bytes: Of one activation, and of one weight in use.
        moments: Numbers the optimizer keeps for a weight.
    """
    double = copy.deepcopy(model).to("meta")
    forward = backward = 0

    def count(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal forward, backward
        if not isinstance(output, Tensor) or not inputs or isinstance(module, FUSED):
            return
        given, made = inputs[0], output.numel()
        own = list(module.parameters(recurse=False))
        weights, learnt = sum(w.numel() for w in own), sum(w.numel() for w in own if w.requires_grad)
        forward += activation_bytes * (given.numel() + weights + made)
        if output.requires_grad:
            back = given.numel() if given.requires_grad else 0
            backward += activation_bytes * (made + given.numel() + weights + back) + WEIGHT_BYTES * learnt

    hooks = [each.register_forward_hook(count) for each in double.modules() if not list(each.children())]
    run(double)
    for hook in hooks:
        hook.remove()
    learning = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    return StepBytes(forward, backward, WEIGHT_BYTES * (3 + 2 * moments) * learning)


def copy_bandwidth(device: torch.device, megabytes: int = 1024, repeats: int = 20) -> float:
    """Return the bytes a second that a copy within the device's memory reads and writes; the best of some."""
    source = torch.empty(megabytes * 2**20, dtype=torch.uint8, device=device).fill_(1)
    target = torch.empty_like(source)
    best = float("inf")
    for _ in range(repeats):
        started = clock(device)
        target.copy_(source)
        best = min(best, clock(device) - started)
    return 2 * source.numel() / best


END_TO_END, PLAIN = 0.97, 3.0
LONGER = 4  # times the steps for us: an epoch's start, when no batch is ready yet, must not weigh more than it does
TITLE = "On a GPU, frozen text"
HOW = (
    "Ours: bf16, channels last, the image network compiled. Plain loop: float32 as torch has it by default (TF32 in "
    "convolutions, not in products). From disk: each JPEG decoded at each access by worker processes; from the cache: "
    "squares decoded once, as train.fit does up to cache_gb."
)


def on_gpu(setting: Setting) -> Table:
    """Return the table; without a GPU it says so, and counts the bytes all the same."""
    step = step_bytes(setting, setting.config(text_layers=0))
    counted = Figure("bytes a step must move (see tests/benchmarks/training_gpu.py)", step.total / 1e9, "GB")
    if not setting.on_gpu:
        names = ("ours, from the cache", "ours, on data in GPU memory", "plain loop", "peak memory")
        figures = [Figure(name, None, remark="no GPU") for name in names]
        return Table(TITLE, [*figures, counted], [*setting.description(), "not measured: no GPU"])
    return measured(setting, step, counted)


def measured(setting: Setting, step: StepBytes, counted: Figure, copied_megabytes: int = 1024) -> Table:
    """Measure the rates of the table; the bandwidth is that of a copy of so many megabytes."""
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
    table = Table(
        TITLE, [], [*setting.description(), f"Ours in blocks of {steps}, the plain loop in blocks of {brief}.", HOW]
    )
    for name in rates:
        value, spread = middle(rates[name])
        table.figures.append(Figure(titles.get(name, name), value, "images/s", spread))
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
    """Return the GiB that tensors took at most during a block; None without a GPU."""
    if not setting.on_gpu:
        return None
    torch.cuda.reset_peak_memory_stats(setting.device)
    ours.run()
    return torch.cuda.max_memory_allocated(setting.device) / 2**30


def step_bytes(setting: Setting, config: TrainConfig) -> StepBytes:
    """Return the bytes of a step with text vectors made before, in bf16."""
    model = setting.model()
    set_trainable(model, config)
    assert model.text_encoder is not None
    images = torch.empty(setting.batch, 3, setting.pair.image_size, setting.pair.image_size, device="meta")
    features = torch.empty(setting.batch, model.text_encoder.feature_dim, device="meta")
    moments = 2 + int(config.amsgrad) + int(bool(getattr(config, "ema", 0)))
    return count_bytes(
        model.train(), lambda double: double(pixel_values=images, text_features=features), moments=moments
    )
