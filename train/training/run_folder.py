"""A finished or running training run, read from its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dermnote.config import DermNoteConfig
from dermnote.errors import BundleError
from dermnote.models.joint_model import DermNoteModel

from .train_config import TrainConfig, load_config

BEST, CHECKPOINTS, CONFIG = "best", "checkpoints", "config.yaml"


@dataclass(frozen=True)
class Trained:
    """A trained model, wherever it came from.

    Attributes:
        model: In eval mode, on the CPU.
        config: What it publishes.
    """

    model: DermNoteModel
    config: DermNoteConfig


@dataclass(frozen=True)
class Run(Trained):
    """A run and its best model so far.

    Attributes:
        train_config: What it was trained with.
        folder: The run's folder.
    """

    train_config: TrainConfig
    folder: Path


def load_run(folder: str | Path) -> Run:
    """Reads a run's best model and settings.

    Raises:
        BundleError: The folder holds no run, or no epoch of it is finished.
    """
    folder = Path(folder)
    if not (folder / CONFIG).is_file():
        raise BundleError(f"{folder} holds no training run.", "Train one: accelerate launch -m train.fit --help")
    if not (folder / BEST).is_dir():
        raise BundleError(f"The run {folder} has not finished an epoch yet.", "Go on: the same command with --resume.")
    model, config = DermNoteModel.from_pretrained(folder / BEST)
    return Run(model, config, load_config(folder / CONFIG), folder)
