"""Training loop: epochs, updates, validation, checkpoints, and the best model."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from tqdm.auto import tqdm

from dermnote.config import DermNoteConfig
from dermnote.errors import ConfigError, DermNoteError
from dermnote.models.joint_model import DermNoteModel
from dermnote.storage import clear_leftovers, replacing_folder

from ..data.image_cache import Squares
from ..metrics.calibration import fit_temperature, negative_log_likelihood, softmax
from ..metrics.classification import classification_metrics
from ..runtime.console import StopRequest
from ..runtime.distributed import any_process
from .batches import BatchPlan, ProcessBatches, image_loader
from .checkpoint import (
    AVERAGE,
    Progress,
    bytes_needed,
    check_disk_space,
    disk_errors_explained,
    load_optimizer,
    save_checkpoint,
)
from .embedding import embed_squares
from .note_inputs import NoteInputs
from .optim import build_optimizer, learning_rate, set_trainable
from .profiling import UpdateProfiler
from .run_folder import BEST, CHECKPOINTS, RunLog, format_row
from .train_config import TrainConfig
from .train_step import EpochTotals, TrainStep
from .training_data import TrainingData, class_ids, training_side

MAX_SKIPPED = 10  # consecutive updates without a finite loss after which a run is given up
# Reading the counters, and agreeing on a stop, waits for the device: on a GPU not after every update.
CHECK_EVERY, CHECK_EVERY_ON_CPU = 10, 1
SHOWN_CASES = 8  # case ids in an error message
AUTOCAST = {"no": None, "bf16": torch.bfloat16, "fp16": torch.float16}
VALIDATION_METRICS = ("kappa", "balanced_accuracy", "macro_f1", "macro_auroc", "accuracy", "image_loss")


@dataclass(frozen=True)
class Validation:
    """Validation result of an epoch.

    Attributes:
        metrics: By name (see VALIDATION_METRICS); NaN where undefined.
        temperature: Calibrates the probabilities of the logits it divides.
    """

    metrics: dict[str, float]
    temperature: float

    def score(self, select_by: str) -> float:
        """Return the selection criterion of the best epoch, higher is better; -inf where undefined."""
        value = self.metrics[select_by] * (-1 if select_by == "image_loss" else 1)
        return value if math.isfinite(value) else -math.inf


class Training:
    """A training run in a folder.

    Args:
        model: Initial model, or that of the checkpoint; moved to the accelerator's device.
        data: Cases and notes.
        config: Settings.
        progress: Progress so far; updated while the run continues.
        accelerator: Device, precision, processes.
        folder: Folder of the run.
        checkpoint: Checkpoint to resume from, or None.

    Raises:
        ConfigError: The disk is too small for the run, or the run began with another number of cases in an update.
    """

    def __init__(
        self,
        model: DermNoteModel,
        data: TrainingData,
        config: TrainConfig,
        progress: Progress,
        accelerator: Accelerator,
        folder: Path,
        checkpoint: Path | None = None,
    ) -> None:
        self.model, self.data, self.config, self.progress = model, data, config, progress
        self.accelerator, self.folder, self._checkpoint = accelerator, folder, checkpoint
        set_trainable(model, config)
        model.to(accelerator.device)
        model.to(memory_format=torch.channels_last)
        self.optimizer = build_optimizer(model, config, accelerator.device)
        if accelerator.is_main_process:
            clear_leftovers(folder)
            clear_leftovers(folder / CHECKPOINTS)
        check_disk_space(folder, bytes_needed(model, self.optimizer, averaged=bool(config.ema)))
        if checkpoint is not None:
            load_optimizer(checkpoint, self.optimizer, progress)
            if accelerator.scaler is not None and progress.scaler:
                accelerator.scaler.load_state_dict(progress.scaler)
        balance, processes = config.class_balance, accelerator.num_processes
        labels = class_ids(data.train)
        self.plan = BatchPlan(labels, config.batch_size, processes, config.accumulate, balance, config.seed)
        self._check_plan()
        progress.cases_per_update = self.plan.cases_per_update
        self._stop = StopRequest()
        self._profiler: UpdateProfiler | None = None
        self._skipped_in_a_row = 0  # at the end of the previous epoch

    @property
    def finished(self) -> bool:
        """True if all epochs are done, or patience is exhausted."""
        return self.progress.epoch >= self.config.epochs or self.progress.stale >= self.config.patience

    def run(self, *, profile: bool = False) -> None:
        """Train until the run is finished; `profile` writes a trace of a few updates.

        Raises:
            StopError: The run was asked to stop; a checkpoint is written.
            DermNoteError: Too many consecutive updates had no finite loss.
        """
        if self.finished:
            return
        progress, main = self.progress, self.accelerator.is_main_process
        with disk_errors_explained(self.folder), self._stop, ExitStack() as stack:
            self.prepare()
            validation_images = self._read_images("validation")
            log = stack.enter_context(closing(RunLog(self.folder, progress.epoch))) if main else None
            if profile and main:
                self._profiler = stack.enter_context(closing(UpdateProfiler(self.folder / "profile", print)))
            while not self.finished:
                epoch = self.train_epoch()
                validation = self._validate(validation_images)
                best = self._count_epoch(validation)
                published = self._published_config(validation.temperature)
                if log is not None:
                    if best:
                        with replacing_folder(self.folder / BEST) as aside:
                            self._evaluated_model.save_pretrained(aside, published)
                    values = validation.metrics.items()
                    metrics = {name: value if math.isfinite(value) else None for name, value in values}  # no JSON NaN
                    row = {"epoch": progress.epoch, "validation": metrics, **epoch, "best": best}
                    log.write(row)
                    self.accelerator.print(format_row(row, self.config.epochs))
                self._save_checkpoint(None, published)
                if any_process(bool(self._stop.reason), self.accelerator.device) and not self.finished:
                    raise self._stop.error(f"after epoch {progress.epoch}")

    def prepare(self) -> None:
        """Read the training images and notes, and build what the updates need."""
        config, data, accelerator = self.config, self.data, self.accelerator
        self._clock = time.monotonic()
        images = self._read_images("training")
        self._batches = ProcessBatches(self.plan, accelerator.process_index)
        pin_memory = accelerator.device.type == "cuda"
        self.loader = image_loader(images, self._batches, config.num_workers, pin_memory=pin_memory)
        notes = None
        if data.notes is not None:
            with accelerator.main_process_first():  # it encodes and caches the notes, the others read the cache
                notes = NoteInputs(data.notes, self.model, accelerator.device)
        self.step = TrainStep(self.model, self.optimizer, class_ids(data.train), notes, accelerator, config)
        if self._checkpoint is not None and self.step.average is not None:
            saved, _ = DermNoteModel.from_pretrained(self._checkpoint / AVERAGE)
            self.step.average.model.load_state_dict(saved.state_dict())

    def train_epoch(self) -> dict[str, Any]:
        """Train the rest of the epoch; return losses, images_per_second of all processes, skipped, and the last lr."""
        plan, progress, device = self.plan, self.progress, self.accelerator.device
        check_every = CHECK_EVERY_ON_CPU if device.type == "cpu" else CHECK_EVERY
        totals = EpochTotals(device, progress.tally, self._skipped_in_a_row)
        self._batches.epoch, self._batches.first = progress.epoch, progress.update
        self.step.set_train_mode()
        first, started, lr = progress.update, time.monotonic(), 0.0
        saved, images = started, iter(self.loader)
        with self._progress_bar() as bar:
            for update in range(first, plan.updates):
                previous_updates = progress.epoch * plan.updates + update
                lr = learning_rate(previous_updates, plan.updates, self.config)
                rows = plan.rows(progress.epoch, update)
                batch = [next(images) for _ in rows]
                position = {"epoch": progress.epoch, "update": update, "previous_updates": previous_updates}
                self.step.update(batch, rows, **position, lr=lr, totals=totals)
                progress.update = update + 1
                bar.update(plan.cases_per_update)
                if self._profiler is not None:
                    self._profiler.step()
                last = progress.update == plan.updates
                if last or progress.update % check_every == 0:
                    self._check_losses(totals, rows)
                    # After the last update the epoch is finished first: validation is short, and would be lost.
                    if not last and any_process(bool(self._stop.reason), device):
                        self._save_checkpoint(totals)
                        where = f"in epoch {progress.epoch + 1}, update {progress.update} of {plan.updates}"
                        raise self._stop.error(where)
                if not last and time.monotonic() - saved > self.config.checkpoint_minutes * 60:
                    self._save_checkpoint(totals)
                    saved = time.monotonic()
        _, skipped, self._skipped_in_a_row = totals.counts()
        speed = (plan.updates - first) * plan.cases_per_update / (time.monotonic() - started)
        return {"losses": totals.means(), "images_per_second": round(speed, 1), "skipped": skipped, "lr": lr}

    def _validate(self, images: Squares) -> Validation:
        """Classify the validation images. Each process classifies its share, and all get the same result."""
        config, labels, model = self.config, class_ids(self.data.validation), self._evaluated_model
        model.eval()
        autocast, device = AUTOCAST[config.precision], self.accelerator.device
        _, tensor = embed_squares(model, images, config.batch_size, device, autocast=autocast, shard=True)
        logits = tensor.numpy()
        if not np.isfinite(logits).all():
            return Validation(dict.fromkeys(VALIDATION_METRICS, math.nan), 1.0)
        metrics = classification_metrics(labels, softmax(logits), self.data.classnames)
        metrics["image_loss"] = negative_log_likelihood(logits, labels)
        values = {name: float(metrics[name]) for name in VALIDATION_METRICS}
        return Validation(values, fit_temperature(logits, labels))

    def _count_epoch(self, validation: Validation) -> bool:
        """Count the epoch, and return whether it is the best so far. The first one always is."""
        score, progress = validation.score(self.config.select_by), self.progress
        progress.epoch, progress.update = progress.epoch + 1, 0
        best = progress.best_score is None or score > progress.best_score
        if best:
            # JSON has no -inf; any score is higher than this.
            progress.best_epoch, progress.best_score, progress.stale = progress.epoch, max(score, -1e308), 0
        else:
            progress.stale += 1
        return best

    def _save_checkpoint(self, totals: EpochTotals | None, published: DermNoteConfig | None = None) -> None:
        """Write a checkpoint, within an epoch (with its totals) or at its end."""
        progress, accelerator, average = self.progress, self.accelerator, self.step.average
        progress.tally = totals.state() if totals is not None else None
        now = time.monotonic()
        progress.seconds, self._clock = progress.seconds + now - self._clock, now
        if accelerator.is_main_process:
            progress.scaler = accelerator.scaler.state_dict() if accelerator.scaler is not None else {}
            averaged = None if average is None else average.model
            config = published or self._published_config(1.0)
            save_checkpoint(self.folder / CHECKPOINTS, self.model, averaged, config, self.optimizer, progress)

    def _check_losses(self, totals: EpochTotals, rows: np.ndarray) -> None:
        """Raise DermNoteError if the run is beyond recovery."""
        good, _, in_a_row = totals.counts()
        if in_a_row >= MAX_SKIPPED or (self.progress.update == self.plan.updates and not good):
            ids = self.data.train.table["case_id"].to_numpy()[rows.reshape(-1)]
            more = f" and {len(ids) - SHOWN_CASES} more" if len(ids) > SHOWN_CASES else ""
            raise DermNoteError(
                f"{in_a_row} updates in a row had no finite loss or gradient, in epoch {self.progress.epoch + 1}; "
                f"cases of the last: {', '.join(ids[:SHOWN_CASES])}{more}.",
                "Lower lr, check these images, or use full precision: --set precision=no",
            )

    def _check_plan(self) -> None:
        before, now = self.progress.cases_per_update, self.plan.cases_per_update
        if self.progress.begun and before != now:
            passes, processes, cases = self.plan.shape
            raise ConfigError(
                f"{self.folder} was trained with {before} cases an update, now it would be {now} "
                f"({passes} passes of {cases} in {processes} processes).",
                "Set batch_size and accumulate so that the product is the same.",
            )

    @property
    def _evaluated_model(self) -> DermNoteModel:
        """Model that is validated and published."""
        return self.model if self.step.average is None else self.step.average.model

    def _published_config(self, temperature: float) -> DermNoteConfig:
        return DermNoteConfig(
            classnames=self.data.classnames,
            embed_dim=self.model.embed_dim,
            temperature=temperature,
            strategies=self.config.strategies if self.config.multimodal else (),
            sources=self.data.sources,
        )

    def _read_images(self, split: str) -> Squares:
        cases = self.data.train if split == "training" else self.data.validation
        side = training_side(self.config) if split == "training" else self.config.image_size
        return Squares(cases.images, side, self.config.cache_gb * 1e9 / 2, f"{split} images")

    def _progress_bar(self) -> tqdm:
        return tqdm(
            total=self.plan.updates * self.plan.cases_per_update,
            initial=self.progress.update * self.plan.cases_per_update,
            desc=f"epoch {self.progress.epoch + 1}/{self.config.epochs}",
            unit="img",
            leave=False,
            disable=not self.accelerator.is_main_process,
        )
