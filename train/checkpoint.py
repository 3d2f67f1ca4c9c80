"""The state of a run between epochs, as safetensors and JSON: `last/` beside `best/`.

`last/model/` has the layout of a bundle, so going on needs no download. Random numbers and the order of the cases
follow from (seed, epoch), so the number of finished epochs is all of their state. A run that goes on ends with the
same weights as one that never stopped.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer

from dermnote.config import DermNoteConfig
from dermnote.errors import BundleError
from dermnote.model import DermNoteModel
from dermnote.storage import replacing_folder
from dermnote.weights import load_tensors, save_tensors

MODEL, OPTIMIZER, STATE = "model", "optimizer.safetensors", "state.json"


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        epoch: Epochs finished.
        best_epoch: The epoch (counted from 1) whose model is in `best/`; 0 before the first.
        best_score: Its score, higher is better; None before the first.
        stale: Epochs since then.
        seconds: Time spent training.
        asked: The config as it was asked for, as plain values.
        data: Fingerprint of the data.
        groups: The optimizer's settings by group.
        scaler: State of the fp16 loss scaler.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_score: float | None = None
    stale: int = 0
    seconds: float = 0.0
    asked: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    groups: list[dict[str, Any]] = field(default_factory=list)
    scaler: dict[str, Any] = field(default_factory=dict)


def save_checkpoint(
    folder: Path, model: DermNoteModel, config: DermNoteConfig, optimizer: Optimizer, progress: Progress
) -> None:
    """Writes the state aside, then puts it in the place of the one before."""
    state = optimizer.state_dict()
    progress.groups = state["param_groups"]
    tensors = {
        f"{number}.{name}": value if isinstance(value, torch.Tensor) else torch.tensor(value)
        for number, values in state["state"].items()
        for name, value in values.items()
    }
    with replacing_folder(folder) as aside:
        model.save_pretrained(aside / MODEL, config)
        save_tensors(tensors, aside / OPTIMIZER)
        (aside / STATE).write_text(json.dumps(asdict(progress), indent=1), encoding="utf-8")


def load_progress(folder: Path) -> Progress:
    """Reads how far a run is; BundleError if the file is damaged."""
    try:
        values = json.loads((folder / STATE).read_text(encoding="utf-8"))
        if set(values) != {each.name for each in fields(Progress)}:
            raise ValueError("other keys than this version writes")
        return Progress(**values)
    except (OSError, ValueError, TypeError) as error:
        raise BundleError(f"{folder / STATE} cannot be read ({error}).", "Start anew with another --out.") from error


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
