"""A run from its first epoch to its last: train, validate, keep the best, write the state down."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch.optim import Optimizer

from dermnote.config import DermNoteConfig
from dermnote.model import DermNoteModel
from dermnote.storage import replacing_folder
from train.batches import EpochSampler, training_loader
from train.checkpoint import Progress, load_optimizer, save_checkpoint
from train.config import TrainConfig
from train.engine import EpochResult, train_one_epoch
from train.fitting.log import RunLog, describe
from train.fitting.note_inputs import NoteInputs
from train.fitting.training_data import TrainingData, training_side
from train.fitting.validation import Validation, validate
from train.optim import build_optimizer, set_trainable
from train.run import BEST, LAST
from train.squares import Squares


@dataclass
class Training:
    """Everything a run needs.

    Attributes:
        model: On the accelerator's device.
        optimizer: Over what learns.
        data: Cases and notes.
        config: Settings.
        progress: How far the run is; changes as it goes on.
        accelerator: Device, precision, processes.
        folder: Where it is written down.
    """

    model: DermNoteModel
    optimizer: Optimizer
    data: TrainingData
    config: TrainConfig
    progress: Progress
    accelerator: Accelerator
    folder: Path

    @classmethod
    def begin(
        cls,
        model: DermNoteModel,
        data: TrainingData,
        config: TrainConfig,
        progress: Progress,
        accelerator: Accelerator,
        folder: Path,
    ) -> Training:
        """Moves the model to its device and builds the optimizer; after a stop its state is read back."""
        set_trainable(model, config)
        model.to(accelerator.device)
        model.to(memory_format=torch.channels_last)
        optimizer = build_optimizer(model, config, accelerator.device)
        if progress.epoch:
            load_optimizer(folder / LAST, optimizer, progress)
            if accelerator.scaler is not None and progress.scaler:
                accelerator.scaler.load_state_dict(progress.scaler)
        return cls(model, optimizer, data, config, progress, accelerator, folder)

    @property
    def over(self) -> bool:
        """Whether all epochs are done, or patience is at an end."""
        return self.progress.epoch >= self.config.epochs or self.progress.stale >= self.config.patience

    def run(self) -> None:
        """Trains until the run is over."""
        if self.over:
            return
        config, data = self.config, self.data
        memory = config.cache_gb * 1e9 / 2
        seen = Squares(data.train.images, training_side(config), memory, "training pictures")
        held_out = Squares(data.validation.images, config.image_size, memory, "validation pictures")
        sampler = EpochSampler(data.train_labels, config.balanced_sampling, config.seed)
        loader = training_loader(seen, data.train_labels, sampler, config.batch_size, config.num_workers)
        model, optimizer, loader = self.accelerator.prepare(self.model, self.optimizer, loader)
        notes = NoteInputs(data.notes, self.model, self.accelerator.device) if data.notes is not None else None
        log = RunLog(self.folder, self.progress.epoch) if self.accelerator.is_main_process else None
        while not self.over:
            started = time.monotonic()
            loader.set_epoch(self.progress.epoch)  # through accelerate, which counts epochs by itself otherwise
            result = train_one_epoch(model, loader, optimizer, notes, self.accelerator, config, self.progress.epoch)
            if log is not None:
                self._finish_epoch(result, held_out, log, started)
            [self.progress] = broadcast_object_list([self.progress])
        if log is not None:
            log.close()

    def _finish_epoch(self, result: EpochResult, held_out: Squares, log: RunLog, started: float) -> None:
        """Validates, keeps the model if it is the best so far, and writes everything down."""
        labels, names = self.data.validation_labels, self.data.classnames
        validation = validate(self.model, held_out, labels, names, self.config, self.accelerator.device)
        best = self._count(validation)
        published = self._published(validation.temperature)
        if best:
            with replacing_folder(self.folder / BEST) as aside:
                self.model.save_pretrained(aside, published)
        self.progress.seconds += time.monotonic() - started
        row = _row(self.progress.epoch, result, validation, best)
        log.write(row)
        self.progress.scaler = self.accelerator.scaler.state_dict() if self.accelerator.scaler is not None else {}
        save_checkpoint(self.folder / LAST, self.model, published, self.optimizer, self.progress)
        self.accelerator.print(describe(row, self.config.epochs))

    def _count(self, validation: Validation) -> bool:
        """Counts the epoch; whether it is the best so far. The first always is, so that there is a model to use."""
        score, progress = validation.score(self.config), self.progress
        progress.epoch += 1
        best = progress.best_score is None or score > progress.best_score
        if best:
            # -inf is not JSON; any number beats the lowest float.
            progress.best_epoch, progress.best_score, progress.stale = progress.epoch, max(score, -1e308), 0
        else:
            progress.stale += 1
        return best

    def _published(self, temperature: float) -> DermNoteConfig:
        return DermNoteConfig(
            classnames=self.data.classnames,
            embed_dim=self.model.embed_dim,
            temperature=temperature,
            strategies=self.config.strategies if self.config.multimodal else (),
            sources=self.data.sources,
        )


def _row(epoch: int, result: EpochResult, validation: Validation, best: bool) -> dict[str, Any]:
    """The epoch as plain values; null where a number is undefined."""
    return {
        "epoch": epoch,
        "losses": result.losses,
        "validation": {name: value if math.isfinite(value) else None for name, value in validation.numbers.items()},
        "lr": result.lr,
        "images_per_second": round(result.images_per_second, 1),
        "skipped": result.skipped,
        "best": best,
    }
