"""A run from its first epoch to its last: train, validate, keep the best, write the state down."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch.optim import Optimizer

from dermnote.config import DermNoteConfig
from dermnote.errors import ConfigError
from dermnote.models.joint_model import DermNoteModel
from dermnote.storage import clear_leftovers, replacing_folder

from ..data.image_cache import Squares
from ..runtime.distributed import anywhere
from .batches import BatchPlan, ProcessBatches, picture_loader
from .checkpoint import AVERAGE, Progress, load_optimizer, save_checkpoint
from .disk_space import bytes_needed, check_room, disk_faults_told
from .engine import Engine
from .epoch import Epochs
from .epoch_totals import Tally
from .note_inputs import NoteInputs
from .optim import build_optimizer, set_trainable
from .profiling import UpdateProfiler
from .run_folder import BEST, CHECKPOINTS
from .run_log import RunLog, describe
from .stopping import StopRequest
from .train_config import TrainConfig
from .training_data import TrainingData, training_side
from .validation import Validation, validate


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
        plan: Which cases are in which batch.
        resumed: The checkpoint it goes on from, or None.
    """

    model: DermNoteModel
    optimizer: Optimizer
    data: TrainingData
    config: TrainConfig
    progress: Progress
    accelerator: Accelerator
    folder: Path
    plan: BatchPlan
    resumed: Path | None = None

    @classmethod
    def begin(
        cls,
        model: DermNoteModel,
        data: TrainingData,
        config: TrainConfig,
        progress: Progress,
        accelerator: Accelerator,
        folder: Path,
        resumed: Path | None = None,
    ) -> Training:
        """Moves the model to its device and builds the optimizer; after a stop its state is read back.

        Raises:
            ConfigError: The disk has no room for the run, or it began with other numbers of cases an update.
        """
        set_trainable(model, config)
        model.to(accelerator.device)
        model.to(memory_format=torch.channels_last)
        optimizer = build_optimizer(model, config, accelerator.device)
        if accelerator.is_main_process:
            clear_leftovers(folder)
            clear_leftovers(folder / CHECKPOINTS)
        check_room(folder, bytes_needed(model, optimizer, averaged=bool(config.ema)))
        if resumed is not None:
            load_optimizer(resumed, optimizer, progress)
            if accelerator.scaler is not None and progress.scaler:
                accelerator.scaler.load_state_dict(progress.scaler)
        balance, processes = config.class_balance, accelerator.num_processes
        plan = BatchPlan(data.train_labels, config.batch_size, processes, config.accumulate, balance, config.seed)
        _check_plan(plan, progress, folder)
        progress.cases_per_update = plan.cases_per_update
        return cls(model, optimizer, data, config, progress, accelerator, folder, plan, resumed)

    @property
    def over(self) -> bool:
        """Whether all epochs are done, or patience is at an end."""
        return self.progress.epoch >= self.config.epochs or self.progress.stale >= self.config.patience

    def run(self, *, profiled: bool = False) -> None:
        """Trains until the run is over.

        Args:
            profiled: Whether to write a trace of a few updates.

        Raises:
            StopError: Somebody asked for an end; the state is written down.
            DermNoteError: Too many updates in a row had no finite loss.
        """
        if self.over:
            return
        self._clock = time.monotonic()
        with disk_faults_told(self.folder), StopRequest() as stop:
            epochs, held_out = self._prepare(stop)
            log = RunLog(self.folder, self.progress.epoch) if self.accelerator.is_main_process else None
            if profiled and log is not None:
                epochs.profiler = UpdateProfiler(self.folder / "profile", print)
            try:
                while not self.over:
                    result = epochs.run(self.progress)
                    self._finish_epoch(result, held_out, log)
                    if anywhere(bool(stop.reason), self.accelerator.device) and not self.over:
                        raise stop.error(f"after epoch {self.progress.epoch}")
            finally:
                if epochs.profiler is not None:
                    epochs.profiler.close()
                if log is not None:
                    log.close()

    def _prepare(self, stop: StopRequest) -> tuple[Epochs, Squares]:
        """What runs the epochs, and the validation pictures."""
        config, data, accelerator = self.config, self.data, self.accelerator
        memory = config.cache_gb * 1e9 / 2
        seen = Squares(data.train.images, training_side(config), memory, "training pictures")
        held_out = Squares(data.validation.images, config.image_size, memory, "validation pictures")
        batches = ProcessBatches(self.plan, accelerator.process_index)
        loader = picture_loader(seen, batches, config.num_workers, pin_memory=accelerator.device.type == "cuda")
        notes = None
        if data.notes is not None:
            with accelerator.main_process_first():  # it reads and keeps the notes, the others find them
                notes = NoteInputs(data.notes, self.model, accelerator.device)
        self._engine = Engine(self.model, self.optimizer, data.train_labels, notes, accelerator, config)
        if self.resumed is not None and self._engine.average is not None:
            saved, _ = DermNoteModel.from_pretrained(self.resumed / AVERAGE)
            self._engine.average.model.load_state_dict(saved.state_dict())
        case_ids = data.train.table["case_id"].to_numpy()
        epochs = Epochs(self._engine, loader, batches, self.plan, case_ids, config, accelerator, stop, self._checkpoint)
        return epochs, held_out

    def _finish_epoch(self, result: dict[str, object], held_out: Squares, log: RunLog | None) -> None:
        """Validates, keeps the model if it is the best so far, and writes everything down."""
        labels, names, judged = self.data.validation_labels, self.data.classnames, self._judged
        validation = validate(judged, held_out, labels, names, self.config, self.accelerator)
        best = self._count(validation)
        published = self._published(validation.temperature)
        if log is not None:
            if best:
                with replacing_folder(self.folder / BEST) as aside:
                    judged.save_pretrained(aside, published)
            row = {"epoch": self.progress.epoch, "validation": _plain(validation.numbers), **result, "best": best}
            log.write(row)
            self.accelerator.print(describe(row, self.config.epochs))
        self._checkpoint(None, published)

    @property
    def _judged(self) -> DermNoteModel:
        """What is validated and published."""
        return self.model if self._engine.average is None else self._engine.average.model

    def _checkpoint(self, tally: Tally | None, published: DermNoteConfig | None = None) -> None:
        """Writes the state down: within an epoch (with its tally), or at its end."""
        progress, accelerator, average = self.progress, self.accelerator, self._engine.average
        progress.tally = tally.state() if tally is not None else None
        now = time.monotonic()
        progress.seconds, self._clock = progress.seconds + now - self._clock, now
        if accelerator.is_main_process:
            progress.scaler = accelerator.scaler.state_dict() if accelerator.scaler is not None else {}
            averaged = None if average is None else average.model
            config = published or self._published(1.0)
            save_checkpoint(self.folder / CHECKPOINTS, self.model, averaged, config, self.optimizer, progress)

    def _count(self, validation: Validation) -> bool:
        """Counts the epoch; whether it is the best so far. The first always is, so that there is a model to use."""
        score, progress = validation.score(self.config), self.progress
        progress.epoch, progress.update = progress.epoch + 1, 0
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


def _check_plan(plan: BatchPlan, progress: Progress, folder: Path) -> None:
    before, now = progress.cases_per_update, plan.cases_per_update
    if progress.begun and before != now:
        passes, processes, cases = plan.shape
        raise ConfigError(
            f"{folder} was trained with {before} cases an update, now it would be {now} "
            f"({passes} passes of {cases} in {processes} processes).",
            "Set batch_size and accumulate so that the product stays.",
        )


def _plain(numbers: dict[str, float]) -> dict[str, float | None]:
    """Null where a number is undefined: JSON knows no NaN."""
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}
