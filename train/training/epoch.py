"""The updates of an epoch, from wherever it stands, with its counters watched and the ways it can break off."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from accelerate import Accelerator
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from dermnote.errors import DermNoteError

from ..runtime.distributed import anywhere
from .batches import BatchPlan, ProcessBatches
from .checkpoint import Progress
from .engine import Engine
from .epoch_totals import Tally
from .optim import learning_rate
from .profiling import UpdateProfiler
from .stopping import StopRequest
from .train_config import TrainConfig

LOST_IN_ROW = 10  # updates without a finite loss after which a run is given up
# Looking at the counters, and agreeing on a stop, waits for the device: on a GPU not at every update.
LOOK_EVERY = {"cpu": 1}
LOOK_EVERY_ELSE = 10
SHOWN = 8  # case ids in a message


@dataclass
class Epochs:
    """Runs the epochs of a run.

    Attributes:
        engine: Makes the updates.
        loader: This process's pictures, in the order of `batches`.
        batches: What the loader reads next.
        plan: Of all processes.
        case_ids: Of the training cases.
        config: Settings.
        accelerator: Device and processes.
        stop: Whether somebody asked for an end.
        save: Writes a checkpoint within an epoch.
        profiler: Follows the updates; None to leave it.
    """

    engine: Engine
    loader: DataLoader
    batches: ProcessBatches
    plan: BatchPlan
    case_ids: np.ndarray
    config: TrainConfig
    accelerator: Accelerator
    stop: StopRequest
    save: Callable[[Tally], None]
    profiler: UpdateProfiler | None = None
    _in_row: int = 0  # updates left out at the end of the epoch before

    def run(self, progress: Progress) -> dict[str, Any]:
        """The rest of the epoch under way.

        Args:
            progress: Counts each update; where it stands is where the epoch goes on.

        Returns:
            What the log tells of it: losses, images_per_second (of all processes), skipped updates, lr of the last one.

        Raises:
            StopError: Somebody asked for an end; a checkpoint is written.
            DermNoteError: Too many updates in a row had no finite loss.
        """
        plan, device = self.plan, self.accelerator.device
        every = LOOK_EVERY.get(device.type, LOOK_EVERY_ELSE)
        tally = Tally(device, progress.tally, self._in_row)
        self.batches.epoch, self.batches.first = progress.epoch, progress.update
        self.engine.begin()
        first, started, rate = progress.update, time.monotonic(), 0.0
        saved, pictures = started, iter(self.loader)
        with self._bar(progress) as bar:
            for update in range(first, plan.updates):
                before = progress.epoch * plan.updates + update
                rate = learning_rate(before, plan.updates, self.config)
                rows = plan.rows(progress.epoch, update)
                batch = [next(pictures) for _ in rows]
                where = {"epoch": progress.epoch, "update": update, "updates_before": before}
                self.engine.update(batch, rows, **where, lr=rate, tally=tally)
                progress.update = update + 1
                bar.update(plan.cases_per_update)
                if self.profiler is not None:
                    self.profiler.step()
                last = progress.update == plan.updates
                if last or progress.update % every == 0:
                    self._look(tally, rows, progress)
                    self._stop_if_asked(tally, progress, last)
                if not last and time.monotonic() - saved > self.config.checkpoint_minutes * 60:
                    self.save(tally)
                    saved = time.monotonic()
        _, skipped, self._in_row = tally.counts()
        speed = (plan.updates - first) * plan.cases_per_update / (time.monotonic() - started)
        return {"losses": tally.means(), "images_per_second": round(speed, 1), "skipped": skipped, "lr": rate}

    def _stop_if_asked(self, tally: Tally, progress: Progress, last: bool) -> None:
        # After the last update the epoch is finished first: validation is short, and its result would be lost.
        if not last and anywhere(bool(self.stop.reason), self.accelerator.device):
            self.save(tally)
            raise self.stop.error(f"in epoch {progress.epoch + 1}, update {progress.update} of {self.plan.updates}")

    def _look(self, tally: Tally, rows: np.ndarray, progress: Progress) -> None:
        """Reads the counters: a lost run is given up."""
        good, _, in_row = tally.counts()
        if in_row >= LOST_IN_ROW or (progress.update == self.plan.updates and not good):
            names = self.case_ids[rows.reshape(-1)]
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            raise DermNoteError(
                f"{in_row} updates in a row had no finite loss or gradient, in epoch {progress.epoch + 1}; "
                f"cases of the last: {', '.join(names[:SHOWN])}{more}.",
                "Lower lr, look at these pictures, or compute in full: --set precision=no",
            )

    def _bar(self, progress: Progress) -> tqdm:
        return tqdm(
            total=self.plan.updates * self.plan.cases_per_update,
            initial=progress.update * self.plan.cases_per_update,
            desc=f"epoch {progress.epoch + 1}/{self.config.epochs}",
            unit="img",
            leave=False,
            disable=not self.accelerator.is_main_process,
        )
