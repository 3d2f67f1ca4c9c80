"""What is trained, by which optimizer, at which learning rate."""

from __future__ import annotations

import math

import torch
from torch import nn

from dermnote.errors import ConfigError
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.text_encoder import TextEncoder

from .train_config import TrainConfig


def set_trainable(model: DermNoteModel, config: TrainConfig) -> None:
    """Marks which parameters learn: the heads always, the encoders as `freeze_image` and `text_layers` say."""
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
        pooler.requires_grad_(False)  # it takes no part, and would never get a gradient


def train_mode(model: nn.Module) -> None:
    """Train mode, but eval mode for every part that does not learn.

    A frozen BatchNorm would otherwise still drift with each batch, and a frozen layer would still drop values.
    """
    model.train()
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()


def build_optimizer(model: nn.Module, config: TrainConfig, device: torch.device) -> torch.optim.Optimizer:
    """Adam or AdamW over what learns; fused where the device can. AdamW spares biases and norms the decay."""
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [{"params": learning, "weight_decay": config.weight_decay}]
    if config.optimizer == "adamw":
        groups = [
            {"params": [p for p in learning if p.ndim > 1], "weight_decay": config.weight_decay},
            {"params": [p for p in learning if p.ndim <= 1], "weight_decay": 0.0},
        ]
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=config.lr, amsgrad=config.amsgrad, fused=device.type in ("cpu", "cuda"))


def learning_rate(step: int, steps_per_epoch: int, config: TrainConfig) -> float:
    """The learning rate of a step (counted from 0): linear warm-up, then constant or a half cosine down to 0."""
    warm = config.warmup_epochs * steps_per_epoch
    if step < warm:
        return config.lr * (step + 1) / (warm + 1)
    if config.schedule == "constant":
        return config.lr
    share = (step - warm) / max(1.0, config.epochs * steps_per_epoch - warm)
    return config.lr * (1 + math.cos(math.pi * min(1.0, share))) / 2


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Gives every group the same learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = value
