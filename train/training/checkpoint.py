"""Checkpoints of a run, safetensors and JSON: `checkpoints/EPOCH-UPDATE/`, of which the last two are kept.

The `model/` (and `average/`) folders have the layout of a bundle, so resuming needs no download. Random numbers and the
order of cases follow from (seed, epoch, update), so these are the only generator state. A resumed run ends with the
same weights as an uninterrupted one, wherever it stopped.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch.optim import Optimizer

from dermnote.config import DermNoteConfig
from dermnote.errors import BundleError, ConfigError, DermNoteError
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.weights import check_whole, load_tensors, save_tensors
from dermnote.storage import replacing_folder

MODEL, AVERAGE, OPTIMIZER, STATE = "model", "average", "optimizer.safetensors", "state.json"
KEPT = 2  # the latest, and one more in case it is damaged


@dataclass
class Progress:
    """Progress of a run, stored in `state.json`.

    Attributes:
        epoch: Epochs finished.
        update: Updates made in the current epoch.
        tally: Totals of the current epoch so far (`EpochTotals.state`); None between epochs.
        best_epoch: Epoch (counted from 1) whose model is in `best/`; 0 before the first.
        best_score: Its score, higher is better; None before the first.
        stale: Epochs since then.
        seconds: Time spent training.
        asked: Config given by the user, as plain values.
        data: Fingerprint of the data.
        cases_per_update: Cases of all processes in one update.
        groups: Optimizer settings of each parameter group.
        scaler: State of the fp16 loss scaler.
    """

    epoch: int = 0
    update: int = 0
    tally: dict[str, Any] | None = None
    best_epoch: int = 0
    best_score: float | None = None
    stale: int = 0
    seconds: float = 0.0
    asked: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    cases_per_update: int = 0
    groups: list[dict[str, Any]] = field(default_factory=list)
    scaler: dict[str, Any] = field(default_factory=dict)

    @property
    def begun(self) -> bool:
        """True if any update was made."""
        return bool(self.epoch or self.update)


def save_checkpoint(
    folder: Path,
    model: DermNoteModel,
    average: DermNoteModel | None,
    config: DermNoteConfig,
    optimizer: Optimizer,
    progress: Progress,
) -> Path:
    """Write a checkpoint atomically into `folder`, delete all but the last two, and return its folder.

    `average` is the moving average of the model, if there is one; `config` is written beside both.
    """
    state = optimizer.state_dict()
    progress.groups = state["param_groups"]
    tensors = {
        f"{number}.{name}": value if isinstance(value, torch.Tensor) else torch.tensor(value)
        for number, values in state["state"].items()
        for name, value in values.items()
    }
    target = folder / f"{progress.epoch:05d}-{progress.update:08d}"
    with replacing_folder(target) as aside:
        model.save_pretrained(aside / MODEL, config)
        if average is not None:
            average.save_pretrained(aside / AVERAGE, config)
        save_tensors(tensors, aside / OPTIMIZER)
        (aside / STATE).write_text(json.dumps(asdict(progress), indent=1), encoding="utf-8")
    for old in checkpoints(folder)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, newest first."""
    found = folder.glob("[0-9]*-[0-9]*") if folder.is_dir() else ()
    return sorted((path for path in found if path.is_dir()), reverse=True)


def newest(folder: Path) -> tuple[Path, Progress] | None:
    """Return the newest readable checkpoint and its progress; None if there is no checkpoint at all.

    Raises:
        BundleError: There are checkpoints and none can be read.
    """
    first_error = None
    for path in checkpoints(folder):
        try:
            return path, load_progress(path)
        except BundleError as error:
            first_error = first_error or error
    if first_error is not None:
        raise first_error
    return None


def load_progress(folder: Path) -> Progress:
    """Read the progress of a checkpoint; raise BundleError if a file is damaged or missing."""
    try:
        values = json.loads((folder / STATE).read_text(encoding="utf-8"))
        progress = Progress(**values)
        if asdict(progress).keys() != values.keys():
            raise ValueError("its keys differ from those this version writes")
    except (OSError, ValueError, TypeError) as error:
        raise BundleError(f"{folder / STATE} cannot be read ({error}).", "Start again with another --out.") from error
    check_whole(folder / OPTIMIZER)  # finds a truncated file while there is another checkpoint to fall back to
    return progress


def load_optimizer(folder: Path, optimizer: Optimizer, progress: Progress) -> None:
    """Load the saved state into a new optimizer over the same parameters."""
    values: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in load_tensors(folder / OPTIMIZER).items():
        number, _, name = key.partition(".")
        values.setdefault(int(number), {})[name] = tensor
    try:
        optimizer.load_state_dict({"state": values, "param_groups": progress.groups})
    except ValueError as error:
        raise BundleError(f"{folder / OPTIMIZER} does not fit the model ({error}).", "Start a new run.") from error
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if value.shape == parameter.shape:  # fused optimizers need the memory format of the weights
                state[name] = torch.empty_like(parameter).copy_(value)


def bytes_needed(model: DermNoteModel, optimizer: Optimizer, averaged: bool) -> int:
    """Return the peak disk use of a run in bytes: kept checkpoints, one being written, and the best model twice."""
    weights = sum(int(tensor.numel()) * int(tensor.element_size()) for tensor in model.state_dict().values())
    trainable = sum(int(parameter.numel()) * 4 for group in optimizer.param_groups for parameter in group["params"])
    moments = 3 if optimizer.defaults.get("amsgrad") else 2
    checkpoint = weights * (2 if averaged else 1) + trainable * moments
    return checkpoint * (KEPT + 1) + 2 * weights


def check_disk_space(folder: Path, needed: int) -> None:
    """Raise ConfigError if the disk of `folder`, which may not exist yet, has less than `needed` bytes free."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise ConfigError(
            f"The disk of {folder} has {free / 1e9:.2f} GB left; this run's checkpoints take {needed / 1e9:.2f} GB.",
            "Free some space, or choose an --out on another disk.",
        )


@contextmanager
def disk_errors_explained(folder: Path) -> Iterator[None]:
    """Convert the errors of a full or failing disk to a DermNoteError."""
    try:
        yield
    except (OSError, SafetensorError) as error:  # safetensors wraps the system's error
        raise DermNoteError(
            f"The run in {folder} was interrupted: {error}.",
            "Free some disk space (or check the disk), then continue with --resume; the last checkpoint is complete.",
        ) from error
