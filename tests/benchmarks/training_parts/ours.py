"""Our step: the very code that `train.fit` runs. All that the benchmark knows of its insides stands in this file."""

from __future__ import annotations

import atexit
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dermnote.models.joint_model import DermNoteModel
from tests.benchmarks.training_parts.alternating import Block, clock
from tests.benchmarks.training_parts.material import Material
from tests.benchmarks.training_parts.networks import Pair
from train.data.image_cache import Squares
from train.training.augment import DRAWS
from train.training.batches import BatchPlan, ProcessBatches, picture_loader
from train.training.checkpoint import Progress
from train.training.devices import make_accelerator, resolve_precision
from train.training.engine import Engine
from train.training.epoch import Epochs
from train.training.note_inputs import NoteInputs
from train.training.optim import build_optimizer, set_trainable
from train.training.stopping import StopRequest
from train.training.train_config import TrainConfig, load_config
from train.training.training_data import training_side

PAPER = Path(__file__).resolve().parents[3] / "train" / "configs" / "paper.yaml"


def our_config(pair: Pair, settings: Sequence[str] = (), **changes: Any) -> TrainConfig:
    """`paper.yaml` with the pair's sizes, then `settings` ("key=value"), then `changes` of a single table."""
    sizes = {"backbone": pair.backbone, "image_size": pair.image_size, "max_length": pair.max_length}
    ours = [f"{name}={value}" for name, value in sizes.items()]
    config = load_config(PAPER, [*ours, "backbone_weights=null", "epochs=1000000", *settings]).with_values(**changes)
    return config.with_values(precision=resolve_precision(config.precision))


class Ours:
    """Our training.

    Args:
        model: Learns.
        material: `steps` batches are taken of it.
        config: As `our_config` made it.
        steps: In a block, which is an epoch of so many steps.

    Attributes:
        note_seconds: What it took to make the vectors of the notes, if the text is frozen.
    """

    def __init__(self, model: DermNoteModel, material: Material, config: TrainConfig, steps: int) -> None:
        self.config = config
        self.material = material.take(steps * config.batch_size)
        accelerator = make_accelerator(config.precision)
        self.device = accelerator.device
        set_trainable(model, config)
        model.to(self.device)
        model.to(memory_format=torch.channels_last)
        optimizer = build_optimizer(model, config, self.device)
        labels, balance = self.material.labels, config.class_balance
        plan = BatchPlan(labels, config.batch_size, accelerator.num_processes, config.accumulate, balance, config.seed)
        squares = Squares(self.material.cases.images, training_side(config), config.cache_gb * 1e9 / 2)
        batches = ProcessBatches(plan, accelerator.process_index)
        loader = picture_loader(squares, batches, config.num_workers, pin_memory=self.device.type == "cuda")
        notes = self._notes(model)
        self._engine = Engine(model, optimizer, labels, notes, accelerator, config)
        names = self.material.cases.table["case_id"].to_numpy()
        stop = StopRequest()
        self._epochs = Epochs(self._engine, loader, batches, plan, names, config, accelerator, stop, lambda _: None)
        self._progress = Progress(asked={}, data="")

    def _notes(self, model: DermNoteModel) -> NoteInputs:
        _keep_vectors_apart()
        started = clock(self.device)
        notes = NoteInputs(self.material.notes(), model, self.device)
        self.note_seconds = clock(self.device) - started
        return notes

    def run(self) -> Block:
        """A block as train.fit runs it: pictures decoded (or out of the cache), augmented, learnt from."""
        return self._run(self._epochs)

    def resident(self) -> list[Tensor]:
        """The pictures of an epoch, batch by batch, on the device."""
        return [pixels.to(self.device) for pixels in self._epochs.loader]

    def run_on(self, batches: list[Tensor]) -> Block:
        """The same steps on pictures that lie on the device already."""
        return self._run(replace(self._epochs, loader=batches))  # type: ignore[arg-type]

    def _run(self, epochs: Epochs) -> Block:
        started = clock(self.device)
        epochs.run(self._progress)
        seconds = clock(self.device) - started
        self._progress.epoch, self._progress.update = self._progress.epoch + 1, 0
        return Block(epochs.plan.updates * epochs.plan.cases_per_update, seconds)

    def inputs(self) -> Iterator[Tensor]:
        """The input pipeline alone: augmented, normalised pictures on the device, batch by batch."""
        numbers = torch.Generator().manual_seed(self.config.seed)
        for pixels in self._epochs.loader:
            draws = torch.rand(len(pixels), DRAWS, generator=numbers)
            yield self._engine._views(pixels.to(self.device, non_blocking=True), draws)


def _keep_vectors_apart() -> None:
    """Vectors of notes by random weights are of no use to anybody: they go to a folder that is deleted at the end."""
    if "DERMNOTE_CACHE" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="dermnote-benchmark-")
        atexit.register(folder.cleanup)
        os.environ["DERMNOTE_CACHE"] = folder.name
