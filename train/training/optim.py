"""Trainable parameters, optimizer, learning rate schedule, and moving average of the weights."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from dermnote.errors import ConfigError
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.text_encoder import TextEncoder

from .train_config import TrainConfig


def set_trainable(model: DermNoteModel, config: TrainConfig) -> None:
    """Mark the trainable parameters: always the heads, the encoders according to `freeze_image` and `text_layers`."""
    model.requires_grad_(True)
    model.image_encoder.requires_grad_(not config.freeze_image)
    if model.text_encoder is not None:
        _set_trainable_text(model.text_encoder, config.text_layers)


def _set_trainable_text(encoder: TextEncoder, layers: int | str) -> None:
    encoder.requires_grad_(layers == "all")
    if isinstance(layers, int) and layers:
        stacks = [module for module in encoder.model.modules() if isinstance(module, nn.ModuleList)]
        stack = max(stacks, key=len, default=nn.ModuleList())
        if layers > len(stack):
            raise ConfigError(f"text_layers is {layers}, but the text model has {len(stack)} layers.", "Or write: all")
        for layer in list(stack)[-layers:]:
            layer.requires_grad_(True)
    pooler = getattr(encoder.model, "pooler", None)
    if pooler is not None and encoder.pooling == "mean":
        pooler.requires_grad_(False)  # unused with mean pooling: it would never get a gradient


def set_train_mode(model: nn.Module) -> None:
    """Set train mode, but eval mode for all frozen parts.

    Otherwise the statistics of a frozen BatchNorm would drift, and a frozen layer would apply dropout.
    """
    model.train()
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()


def build_optimizer(model: nn.Module, config: TrainConfig, device: torch.device) -> torch.optim.Optimizer:
    """Return Adam or AdamW, fused where the device supports it. AdamW applies no decay to biases and norms."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [{"params": trainable, "weight_decay": config.weight_decay}]
    if config.optimizer == "adamw":
        groups = [
            {"params": [p for p in trainable if p.ndim > 1], "weight_decay": config.weight_decay},
            {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
        ]
    optimizer_class = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return optimizer_class(groups, lr=config.lr, amsgrad=config.amsgrad, fused=device.type in ("cpu", "cuda"))


def learning_rate(update: int, updates_per_epoch: int, config: TrainConfig) -> float:
    """Return the learning rate of an update (from 0): linear warm-up, then constant or a half cosine down to 0."""
    warmup = config.warmup_epochs * updates_per_epoch
    if update < warmup:
        return config.lr * (update + 1) / (warmup + 1)
    if config.schedule == "constant":
        return config.lr
    share = (update - warmup) / max(1.0, config.epochs * updates_per_epoch - warmup)
    return config.lr * (1 + math.cos(math.pi * min(1.0, share))) / 2


class MovingAverage:
    """Exponential moving average of all trainable weights and BatchNorm statistics.

    The decay grows with the number of updates, min(decay, (1 + updates) / (10 + updates)) as in TensorFlow's
    ExponentialMovingAverage, since early averages would be dominated by the random initial weights. Unlike torch's
    AveragedModel it skips updates without a finite loss on the device, and shares the frozen weights.

    Args:
        model: Model to average; its device and memory format are kept.
        decay: Weight of the previous average in each update, 0..1.

    Attributes:
        model: Averaged model, in eval mode. Frozen weights are the tensors of the original model.
    """

    def __init__(self, model: DermNoteModel, decay: float) -> None:
        self._decay = decay
        frozen = {id(parameter): parameter for parameter in model.parameters() if not parameter.requires_grad}
        self.model = copy.deepcopy(model, memo=dict(frozen)).eval().requires_grad_(False)
        self.follow(model)

    def follow(self, model: DermNoteModel) -> None:
        """Average the tensors that this model holds now.

        Args:
            model: The original model, again after its tensors were replaced, e.g. by `Accelerator.prepare`.
        """
        self._pairs: list[tuple[Tensor, Tensor]] = []
        self._counters: list[tuple[Tensor, Tensor]] = []
        averaged = self.model.state_dict(keep_vars=True)
        for name, tensor in model.state_dict(keep_vars=True).items():
            if averaged[name] is not tensor:
                pairs = self._pairs if tensor.is_floating_point() else self._counters
                pairs.append((averaged[name].detach(), tensor.detach()))

    @torch.no_grad()
    def update(self, updates: int, finite: Tensor) -> None:
        """Add the current weights to the average.

        Args:
            updates: Updates of the run before this one.
            finite: Whether this update was made, a bool tensor on the weights' device; if not, the average stays.
        """
        share = (1 - min(self._decay, (1 + updates) / (10 + updates))) * finite
        averages = [average for average, _ in self._pairs]
        steps = torch._foreach_sub([tensor for _, tensor in self._pairs], averages)
        torch._foreach_mul_(steps, share)
        torch._foreach_add_(averages, steps)
        for average, tensor in self._counters:
            average.copy_(tensor)
