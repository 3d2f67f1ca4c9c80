"""Whether the disk has room for what a run will write, and what is said when it has none left after all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError
from torch.optim import Optimizer

from dermnote.errors import ConfigError, DermNoteError
from dermnote.models.joint_model import DermNoteModel

from .checkpoint import KEPT


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
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())  # another makes it just now
    free = shutil.disk_usage(there).free
    if free < needed:
        raise ConfigError(
            f"The disk of {folder} has {free / 1e9:.2f} GB left; this run's checkpoints take {needed / 1e9:.2f} GB.",
            "Free some, or choose an --out on another disk.",
        )


@contextmanager
def disk_faults_told(folder: Path) -> Iterator[None]:
    """Around all that writes into a run's folder: a full or failing disk is one line, not a stack trace.

    Raises:
        DermNoteError: Something could not be read or written.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:  # safetensors wraps what the system says
        raise DermNoteError(
            f"The run in {folder} was cut short: {error}.",
            "Free some room (or see to that disk), then go on with --resume; the last checkpoint is whole.",
        ) from error
