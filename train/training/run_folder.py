"""Folder of a training run: lock, settings, best model, and the log (log.jsonl, TensorBoard, one line an epoch)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dermnote.config import DermNoteConfig
from dermnote.errors import BundleError, ConfigError
from dermnote.models.joint_model import DermNoteModel
from dermnote.storage import replacing_file

from ..runtime.console import STEPS
from .train_config import TrainConfig, load_config

BEST, CHECKPOINTS, CONFIG, LOG = "best", "checkpoints", "config.yaml", "log.jsonl"
PRINTED = ("kappa", "balanced_accuracy", "macro_f1")  # validation metrics


@contextmanager
def run_folder_lock(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder: a run that lost its launcher may still be writing there.

    Raises:
        ConfigError: Another process trains there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        message = f"Another process is training in {folder}."
        raise ConfigError(message, "Wait for it, or choose another --out.") from error
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class Trained:
    """A trained model of any origin.

    Attributes:
        model: In eval mode, on the CPU.
        config: Its published config.
    """

    model: DermNoteModel
    config: DermNoteConfig


@dataclass(frozen=True)
class Run(Trained):
    """A run (settings and folder) and its best model so far."""

    train_config: TrainConfig
    folder: Path


def load_run(folder: str | Path) -> Run:
    """Read the best model and the settings of a run.

    Raises:
        BundleError: The folder holds no run, or no epoch of it is finished.
    """
    folder = Path(folder)
    if not (folder / CONFIG).is_file():
        raise BundleError(f"{folder} holds no training run.", f"Train one: accelerate launch -m {STEPS}.fit --help")
    if not (folder / BEST).is_dir():
        raise BundleError(f"The run {folder} has not finished an epoch yet.", "Continue: same command with --resume.")
    model, config = DermNoteModel.from_pretrained(folder / BEST)
    return Run(model, config, load_config(folder / CONFIG), folder)


class RunLog:
    """Log of a run.

    Args:
        folder: Folder of the run.
        finished: Finished epochs; later rows of a stopped run are removed.
    """

    def __init__(self, folder: Path, finished: int = 0) -> None:
        self._path = folder / LOG
        kept = [row for row in read_log(self._path) if row["epoch"] <= finished]
        with replacing_file(self._path) as aside:
            aside.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
        self._tensorboard: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            print(f"TensorBoard is not installed: {LOG} holds the same numbers.")
        else:
            self._tensorboard = SummaryWriter(str(folder / "tensorboard"), purge_step=finished + 1)

    def write(self, row: dict[str, Any]) -> None:
        """Add an epoch: `epoch`, `losses` by part, `validation` by metric, and other numbers."""
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        if self._tensorboard is not None:
            scalars = {f"loss/{name}": value for name, value in row["losses"].items()}
            scalars |= {f"validation/{name}": value for name, value in row["validation"].items() if value is not None}
            scalars |= {name: row[name] for name in ("lr", "images_per_second")}
            for name, value in scalars.items():
                self._tensorboard.add_scalar(name, value, row["epoch"])
            self._tensorboard.flush()

    def close(self) -> None:
        """Close the TensorBoard file."""
        if self._tensorboard is not None:
            self._tensorboard.close()


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a log.jsonl, without a truncated last line (the run was killed)."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def format_row(row: dict[str, Any], epochs: int) -> str:
    """Return the printed line of an epoch."""
    losses = " ".join(f"{name} {value:.3f}" for name, value in row["losses"].items())
    metrics = {name: row["validation"][name] for name in PRINTED}
    scores = " ".join(f"{name} {'undefined' if value is None else f'{value:.3f}'}" for name, value in metrics.items())
    best = "  *best*" if row["best"] else ""
    skipped = f" | {row['skipped']} updates skipped: loss not finite" if row["skipped"] else ""
    return (
        f"epoch {row['epoch']}/{epochs} | loss {losses} | validation {scores}"
        f" | {row['images_per_second']:.0f} img/s{skipped}{best}"
    )
