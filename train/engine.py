"""The loop: one epoch of training."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from dermnote.errors import DermNoteError
from dermnote.model import DermNoteModel
from train.batches import seeded
from train.config import TrainConfig
from train.fitting.augment import augment
from train.fitting.note_inputs import NoteInputs
from train.losses import loss_parts, total
from train.optim import learning_rate, set_learning_rate, train_mode

NOTES, VIEWS = 1, 2  # streams of random numbers; 0 is the order of the cases


@dataclass(frozen=True)
class EpochResult:
    """What an epoch of training was like.

    Attributes:
        losses: Mean of each part of the loss, unweighted, and "total".
        images_per_second: Pictures of this process.
        skipped: Steps left out because their loss was not finite.
        lr: Learning rate of the last step.
    """

    losses: dict[str, float]
    images_per_second: float
    skipped: int
    lr: float


def train_one_epoch(
    model: nn.Module,
    loader: DataLoader,
    optimizer: Optimizer,
    notes: NoteInputs | None,
    accelerator: Accelerator,
    config: TrainConfig,
    epoch: int,
) -> EpochResult:
    """Trains on every batch once.

    Args:
        model: A `DermNoteModel` as accelerate prepared it.
        loader: (B, 3, L, L) bytes, (B,) class ids, (B,) rows, on the accelerator's device.
        optimizer: As accelerate prepared it.
        notes: Where the notes come from; None for pictures alone.
        accelerator: Device, precision and processes.
        config: Losses, augmentation, learning rate.
        epoch: Counted from 0; with the seed it decides every random number.

    Raises:
        DermNoteError: No step of the epoch had a finite loss.
    """
    plain: DermNoteModel = accelerator.unwrap_model(model)
    train_mode(model)
    process = accelerator.process_index
    torch.manual_seed(seeded(config.seed, epoch, process, stream=3).initial_seed())  # dropout
    note_numbers = seeded(config.seed, epoch, process, NOTES)
    view_numbers = seeded(config.seed, epoch, process, VIEWS)
    sums: dict[str, Tensor] = {}
    skipped = images = 0
    started, rate = time.monotonic(), 0.0
    bar = tqdm(
        total=len(loader) * config.batch_size,
        desc=f"epoch {epoch + 1}/{config.epochs}",
        unit="img",
        leave=False,
        disable=not accelerator.is_main_process,
    )
    for step, (pixels, labels, rows) in enumerate(loader):
        rate = learning_rate(epoch * len(loader) + step, len(loader), config)
        set_learning_rate(optimizer, rate)
        pixel_values = plain.image_encoder.normalise(_views(pixels, plain, config, view_numbers))
        pixel_values = pixel_values.contiguous(memory_format=torch.channels_last)
        arguments, has_note = notes.draw(rows.tolist(), note_numbers) if notes else ({}, torch.ones_like(labels) > 0)
        parts = loss_parts(model(pixel_values=pixel_values, **arguments), labels, has_note, config)
        loss = total(parts, config)
        if _finite_everywhere(loss, accelerator):
            _step(loss, model, optimizer, accelerator, config)
            for name, part in {**parts, "total": loss}.items():
                sums[name] = sums.get(name, torch.zeros_like(part)) + part.detach()
        else:
            skipped += 1
        images += len(labels)
        bar.update(len(labels))
    bar.close()
    return _result(sums, len(loader), skipped, images / (time.monotonic() - started), rate, epoch)


def _views(pixels: Tensor, model: DermNoteModel, config: TrainConfig, generator: torch.Generator) -> Tensor:
    settings = config.augmentation
    return pixels if settings is None else augment(pixels, model.image_encoder.image_size, settings, generator)


def _step(loss: Tensor, model: nn.Module, optimizer: Optimizer, accelerator: Accelerator, config: TrainConfig) -> None:
    optimizer.zero_grad(set_to_none=True)
    accelerator.backward(loss)
    if config.clip_norm is not None:
        accelerator.clip_grad_norm_(model.parameters(), config.clip_norm)
    optimizer.step()


def _finite_everywhere(loss: Tensor, accelerator: Accelerator) -> bool:
    """Whether the loss is finite in every process: they must step, or leave out a step, together."""
    finite = torch.isfinite(loss.detach()).float()
    return bool(finite if accelerator.num_processes == 1 else accelerator.gather(finite.reshape(1)).min())


def _result(
    sums: dict[str, Tensor], steps: int, skipped: int, images_per_second: float, rate: float, epoch: int
) -> EpochResult:
    done = steps - skipped
    if not done:
        raise DermNoteError(
            f"No step of epoch {epoch + 1} had a finite loss.", "Lower lr, or compute in full: --set precision=no"
        )
    return EpochResult({name: float(value) / done for name, value in sums.items()}, images_per_second, skipped, rate)
