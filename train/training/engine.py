"""The step: what one update of the weights does, in one process or in many."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer
from torch.profiler import record_function

from dermnote.models.joint_model import DermNoteModel, ModelOutput

from ..runtime.distributed import gather_output
from ..runtime.randomness import MIXING, NOTES, VIEWS, seed_dropout, seeded
from . import augment, note_inputs
from .epoch_totals import Tally
from .losses import loss_parts, total
from .mixup import draw_mixing, mix
from .note_inputs import NoteInputs
from .optim import set_learning_rate, train_mode
from .sync_norm import synchronise_batch_norm
from .train_config import TrainConfig
from .weight_average import MovingAverage


class Engine:
    """Makes updates. It knows nothing of epochs' ends, files or validation.

    Args:
        model: On the accelerator's device, what learns already marked (`train.training.optim.set_trainable`).
        optimizer: Over what learns.
        labels: (n,) class ids of the training cases.
        notes: Where the notes come from; None for pictures alone.
        accelerator: Device, precision and processes.
        config: Losses, augmentation, clipping, averaging.

    Attributes:
        average: The moving average of the model; None if `ema` is 0.
    """

    def __init__(
        self,
        model: DermNoteModel,
        optimizer: Optimizer,
        labels: np.ndarray,
        notes: NoteInputs | None,
        accelerator: Accelerator,
        config: TrainConfig,
    ) -> None:
        self._plain, self._config, self._notes, self._accelerator = model, config, notes, accelerator
        self._labels = torch.tensor(labels, dtype=torch.int64)
        self._fused = bool(optimizer.defaults.get("fused"))
        self._inner = optimizer
        self._learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.average = MovingAverage(model, config.ema) if config.ema else None
        train_mode(model)
        if config.sync_batchnorm and accelerator.num_processes > 1:
            synchronise_batch_norm(model.image_encoder, accelerator.device)
        if config.compile:
            model.image_encoder.network.compile()
        self._model, self._optimizer = accelerator.prepare(model, optimizer)
        if self.average is not None:
            self.average.follow(model)  # among several processes the model now holds other tensors than before
        self._statistics = [each for each in model.buffers() if each.is_floating_point()]
        self._kept = self._flat_statistics()

    def begin(self) -> None:
        """Puts the model into train mode, after somebody evaluated it."""
        train_mode(self._model)

    def update(
        self,
        pictures: Iterable[Tensor],
        rows: np.ndarray,
        *,
        epoch: int,
        update: int,
        updates_before: int,
        lr: float,
        tally: Tally,
    ) -> None:
        """One update of the weights.

        Args:
            pictures: For each pass, this process's (B, 3, L, L) bytes.
            rows: (passes, processes, B) case numbers, of all processes.
            epoch: Counted from 0; with the seed and `update` it decides every random number.
            update: Of the epoch, counted from 0.
            updates_before: Of the whole run.
            lr: Learning rate.
            tally: Where it is counted.
        """
        set_learning_rate(self._optimizer, lr)
        self._optimizer.zero_grad(set_to_none=True)
        passes, parts = len(rows), {}
        for number, (pixels, each) in enumerate(zip(pictures, rows, strict=True)):
            last = number == passes - 1
            with self._accelerator.no_sync(self._model) if not last else nullcontext():
                for name, part in self._one_pass(pixels, each, epoch, update * passes + number, passes).items():
                    parts[name] = parts.get(name, 0) + part / passes
        finite = self._step(parts["total"])
        self._keep_or_restore_statistics(finite)
        if self.average is not None:
            with record_function("average"):
                self.average.update(updates_before, finite)
        tally.add(parts, finite)

    @torch.no_grad()
    def _keep_or_restore_statistics(self, finite: Tensor) -> None:
        """Puts BatchNorm's statistics back after an update left out: what spoilt its loss has spoilt them for good.

        It happens on the device, before anybody reads them: no wait, and neither average nor checkpoint sees them.
        """
        self._kept = torch.where(finite, self._flat_statistics(), self._kept)
        parts = self._kept.split([each.numel() for each in self._statistics])
        if self._statistics:
            sound = [part.view_as(each) for part, each in zip(parts, self._statistics, strict=True)]
            torch._foreach_copy_(self._statistics, sound)

    def _flat_statistics(self) -> Tensor:
        flat = [each.detach().reshape(-1) for each in self._statistics]
        return torch.cat(flat) if flat else torch.empty(0, device=self._accelerator.device)

    def _one_pass(self, pixels: Tensor, rows: np.ndarray, epoch: int, step: int, passes: int) -> dict[str, Tensor]:
        """Forward and backward of one pass; its losses, detached."""
        config, accelerator = self._config, self._accelerator
        process, count = accelerator.process_index, rows.size
        seed_dropout(config.seed, epoch, step, process)
        labels = self._labels[torch.from_numpy(rows.reshape(-1))].to(accelerator.device, non_blocking=True)
        with record_function("views"):
            draws = torch.rand(count, augment.DRAWS, generator=seeded(config.seed, epoch, step, VIEWS))
            pixels = pixels.to(accelerator.device, non_blocking=True)
            pixel_values = self._views(pixels, draws.view(*rows.shape, -1)[process])
            mixing = None
            if config.mix:
                chance = seeded(config.seed, epoch, step, MIXING)
                mixing = draw_mixing(count, rows.shape[1], config.mix, chance).to(accelerator.device)
                mixed = mix(pixel_values, mixing.part(process, len(rows)))
                pixel_values = mixed.contiguous(memory_format=torch.channels_last)
        with record_function("notes"):
            arguments, noted, repeats = {}, None, None
            if self._notes is not None:
                draws = torch.rand(count, note_inputs.DRAWS, generator=seeded(config.seed, epoch, step, NOTES))
                batch = self._notes.draw(rows, process, draws)
                arguments, noted, repeats = batch.arguments, batch.noted, batch.repeats
        with record_function("forward"):
            output = self._model(pixel_values=pixel_values, **arguments)
            if repeats is not None:
                output.text_embedding, output.text_logits = output.text_embedding[repeats], output.text_logits[repeats]
        with record_function("losses"):
            parts = loss_parts(gather_output(output), labels, noted, config, mixing)
            loss = total(parts, config)
        with record_function("backward"):
            accelerator.backward((loss + _touch(output)) / passes)
        return {name: part.detach() for name, part in {**parts, "total": loss}.items()}

    def _views(self, pixels: Tensor, draws: Tensor) -> Tensor:
        encoder, settings = self._plain.image_encoder, self._config.augmentation
        views = pixels if settings is None else augment.augment(pixels, self._config.training_size, settings, draws)
        return encoder.normalise(views).contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def _step(self, loss: Tensor) -> Tensor:
        """Steps if the loss and every gradient are finite; whether it did, as a bool tensor.

        A fused optimizer that is told `found_inf` leaves the step out by itself, so nobody waits for the device. All
        processes hold the same gradients here, so they agree.
        """
        with record_function("optimizer"):
            self._accelerator.unscale_gradients(self._optimizer)
            norm = get_total_norm([each.grad for each in self._learning if each.grad is not None])
            finite = torch.isfinite(norm) & torch.isfinite(loss)
            if self._config.clip_norm is not None:
                clip_grads_with_norm_(self._learning, self._config.clip_norm, norm)
            if self._accelerator.scaler is not None:
                self._optimizer.step()  # the scaler finds out by itself, and lowers its scale: that is no fault
                return torch.isfinite(loss)
            if self._fused:
                self._inner.found_inf = (~finite).float()  # type: ignore[attr-defined]
                self._optimizer.step()
            elif bool(finite):
                self._optimizer.step()
        return finite


def _touch(output: ModelOutput) -> Tensor:
    """Nought, tied to every output: DistributedDataParallel wants a gradient of each weight, also of a head unused."""
    given = (output.image_embedding, output.image_logits, output.text_embedding, output.text_logits)
    return torch.stack([each.float().sum() for each in given if each is not None]).sum() * 0
