"""Whether the disk has room for what a run will write."""

from __future__ import annotations

import shutil
from pathlib import Path

from torch.optim import Optimizer

from dermnote.errors import ConfigError
from dermnote.model import DermNoteModel
from train.checkpoint import KEPT


def bytes_needed(model: DermNoteModel, optimizer: Optimizer, averaged: bool) -> int:
    """Bytes a run has on disk at its fullest: the kept checkpoints and one being written, and the best twice."""
    whole = sum(each.numel() * each.element_size() for each in model.state_dict().values())
    learning = sum(each.numel() * 4 for group in optimizer.param_groups for each in group["params"])
    moments = 3 if optimizer.defaults.get("amsgrad") else 2
    checkpoint = whole * (2 if averaged else 1) + learning * moments
    return checkpoint * (KEPT + 1) + 2 * whole


def check_room(folder: Path, needed: int) -> None:
    """Refuses to start what cannot be saved.

    Raises:
        ConfigError: The disk of `folder` has less than `needed` bytes left.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ConfigError(
            f"The disk of {folder} has {free / 1e9:.2f} GB left; this run's checkpoints take {needed / 1e9:.2f} GB.",
            "Free some, or choose an --out on another disk.",
        )
