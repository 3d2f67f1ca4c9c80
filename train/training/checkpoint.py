"""The state of a run, as safetensors and JSON: `checkpoints/EPOCH-UPDATE/`, the last two of them, beside `best/`.

`model/` (and `average/`) in it have the layout of a bundle, so going on needs no download. Random numbers and the order
of the cases follow from (seed, epoch, update), so how far the run is is all of their state. A run that goes on ends
with the same weights as one that never stopped, wherever it stopped.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer

from dermnote.config import DermNoteConfig
from dermnote.errors import BundleError
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.weights import check_whole, load_tensors, save_tensors
from dermnote.storage import replacing_folder

MODEL, AVERAGE, OPTIMIZER, STATE = "model", "average", "optimizer.safetensors", "state.json"
KEPT = 2  # the newest, and one more should its disk block go bad


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        epoch: Epochs finished.
        update: Updates made in the epoch under way.
        tally: What that epoch added up to so far (`Tally.state`); None between epochs.
        best_epoch: The epoch (counted from 1) whose model is in `best/`; 0 before the first.
        best_score: Its score, higher is better; None before the first.
        stale: Epochs since then.
        seconds: Time spent training.
        asked: The config as it was asked for, as plain values.
        data: Fingerprint of the data.
        cases_per_update: Over all processes.
        groups: The optimizer's settings by group.
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
        """Whether any update was made."""
        return bool(self.epoch or self.update)


def save_checkpoint(
    folder: Path,
    model: DermNoteModel,
    average: DermNoteModel | None,
    config: DermNoteConfig,
    optimizer: Optimizer,
    progress: Progress,
) -> Path:
    """Writes the state aside, gives it its name, and then forgets all but the last two.

    Args:
        folder: Where the checkpoints are; the new one is named by epoch and update.
        model: As it learns.
        average: Its moving average, if there is one.
        config: What the models' folders say of them.
        optimizer: Over `model`.
        progress: How far the run is.

    Returns:
        The new checkpoint's folder.
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
    """The checkpoints in a folder, newest first."""
    found = folder.glob("[0-9]*-[0-9]*") if folder.is_dir() else ()
    return sorted((path for path in found if path.is_dir()), reverse=True)


def newest(folder: Path) -> tuple[Path, Progress] | None:
    """The newest checkpoint that can be read, and how far it is; None if there is none at all.

    Raises:
        BundleError: There are some and none can be read.
    """
    fault = None
    for path in checkpoints(folder):
        try:
            return path, load_progress(path)
        except BundleError as error:
            fault = fault or error
    if fault is not None:
        raise fault
    return None


def load_progress(folder: Path) -> Progress:
    """Reads how far a run is; BundleError if a file is damaged or missing."""
    try:
        values = json.loads((folder / STATE).read_text(encoding="utf-8"))
        if set(values) != {each.name for each in fields(Progress)}:
            raise ValueError("other keys than this version writes")
        progress = Progress(**values)
    except (OSError, ValueError, TypeError) as error:
        raise BundleError(f"{folder / STATE} cannot be read ({error}).", "Start anew with another --out.") from error
    check_whole(folder / OPTIMIZER)  # a torn file is found now, while there is another checkpoint to fall back to
    return progress


def load_optimizer(folder: Path, optimizer: Optimizer, progress: Progress) -> None:
    """Puts the saved state into a freshly built optimizer over the same parameters."""
    values: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in load_tensors(folder / OPTIMIZER).items():
        number, _, name = key.partition(".")
        values.setdefault(int(number), {})[name] = tensor
    try:
        optimizer.load_state_dict({"state": values, "param_groups": progress.groups})
    except ValueError as error:
        raise BundleError(f"{folder / OPTIMIZER} does not fit the model ({error}).", "Start anew.") from error
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if value.shape == parameter.shape:  # fused optimizers walk memory: values must lie as the weights do
                state[name] = torch.empty_like(parameter).copy_(value)
