"""Our augmentation, for a peer that is given the same."""

from __future__ import annotations

import torch
from torch import Tensor

from train.training.augment import DRAWS, augment
from train.training.train_config import TrainConfig

_NUMBERS = torch.Generator().manual_seed(0)


def training_views(pixels: Tensor, config: TrainConfig) -> Tensor:
    """(B, 3, L, L) bytes to augmented (B, 3, S, S) in 0..255."""
    settings = config.augmentation
    if settings is None:
        return pixels
    return augment(pixels, config.training_size, settings, torch.rand(len(pixels), DRAWS, generator=_NUMBERS))
