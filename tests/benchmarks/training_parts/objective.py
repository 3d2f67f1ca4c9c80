"""The project's loss as the plain loop calls it."""

from __future__ import annotations

from torch import Tensor

from dermnote.models.joint_model import ModelOutput
from train.training.losses import loss_parts, total
from train.training.train_config import TrainConfig


def plain_loss(output: ModelOutput, labels: Tensor, config: TrainConfig) -> Tensor:
    """The weighted sum of all parts, for a batch in which every picture has a note."""
    return total(loss_parts(output, labels, None, config), config)
