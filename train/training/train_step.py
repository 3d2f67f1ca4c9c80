"""Training step: one update of the weights, in one process or several, and the losses of an epoch."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer
from torch.profiler import record_function

from dermnote.models.joint_model import DermNoteModel, ModelOutput

from ..runtime.distributed import gather_output, synchronise_batch_norm
from . import augment, note_inputs
from .batches import MIXING, NOTES, VIEWS, seed_dropout, seeded
from .losses import loss_parts, total
from .note_inputs import NoteInputs
from .optim import MovingAverage, set_train_mode
from .train_config import TrainConfig


class EpochTotals:
    """Summed losses of an epoch, and the updates skipped because a loss or gradient was not finite.

    Counts are kept on the device, so that no update waits for the host.

    Args:
        device: Device of the losses.
        state: Result of `state` to continue from; None at the start of an epoch.
        skipped_in_a_row: Consecutive updates skipped at the end of the previous epoch.
    """

    def __init__(self, device: torch.device, state: dict[str, Any] | None = None, skipped_in_a_row: int = 0) -> None:
        state = state or {"names": [], "sums": [], "good": 0, "skipped": 0, "in_row": skipped_in_a_row}
        self._names: list[str] = list(state["names"])
        self._sums = torch.tensor(state["sums"], dtype=torch.float64, device=device)
        counts = [state["good"], state["skipped"], state["in_row"]]
        self._counts = torch.tensor(counts, dtype=torch.int64, device=device)

    def add(self, parts: dict[str, Tensor], finite: Tensor) -> None:
        """Add the losses of an update by name, unless `finite`, a bool tensor, says that it was skipped."""
        values = torch.stack([part.detach().double() for part in parts.values()])
        if not self._names:
            self._names, self._sums = list(parts), torch.zeros_like(values)
        self._sums += torch.where(finite, values, torch.zeros_like(values))
        good = finite.long()
        made, skipped, in_a_row = self._counts
        self._counts = torch.stack([made + good, skipped + 1 - good, (in_a_row + 1) * (1 - good)])

    def counts(self) -> tuple[int, int, int]:
        """Return the updates made, those skipped, and the latest consecutive skipped ones. Waits for the device."""
        good, skipped, in_a_row = self._counts.tolist()
        return good, skipped, in_a_row

    def means(self) -> dict[str, float]:
        """Return the mean of each loss over the updates made."""
        good = max(1, int(self._counts[0]))
        return {name: value / good for name, value in zip(self._names, self._sums.tolist(), strict=True)}

    def state(self) -> dict[str, Any]:
        """Return JSON values to continue from (stored in checkpoints)."""
        good, skipped, in_a_row = self.counts()
        sums = self._sums.tolist()
        return {"names": self._names, "sums": sums, "good": good, "skipped": skipped, "in_row": in_a_row}


class TrainStep:
    """Updates of the weights.

    Args:
        model: On the accelerator's device, trainable parameters marked (`optim.set_trainable`).
        optimizer: Over the trainable parameters.
        labels: (n,) class ids of the training cases.
        notes: Source of the notes; None for image-only training.
        accelerator: Device, precision and processes.
        config: Losses, augmentation, clipping, averaging.

    Attributes:
        average: Moving average of the model; None if `ema` is 0.
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
        self._plain_model, self._config, self._notes, self._accelerator = model, config, notes, accelerator
        self._labels = torch.tensor(labels, dtype=torch.int64)
        self._fused = bool(optimizer.defaults.get("fused"))
        self._plain_optimizer = optimizer
        self._trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.average = MovingAverage(model, config.ema) if config.ema else None
        set_train_mode(model)
        if config.sync_batchnorm and accelerator.num_processes > 1:
            synchronise_batch_norm(model.image_encoder, accelerator.device)
        if config.compile:
            model.image_encoder.network.compile()
        self._model, self._optimizer = accelerator.prepare(model, optimizer)
        if self.average is not None:
            self.average.follow(model)  # with several processes `prepare` replaces the tensors
        self._statistics = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
        self._saved_statistics = self._flat_statistics()

    def set_train_mode(self) -> None:
        """Set the model to train mode after an evaluation."""
        set_train_mode(self._model)

    def update(
        self,
        images: Iterable[Tensor],
        rows: np.ndarray,
        *,
        epoch: int,
        update: int,
        previous_updates: int,
        lr: float,
        totals: EpochTotals,
    ) -> None:
        """Update the weights once.

        Args:
            images: For each pass, this process's (B, 3, L, L) uint8.
            rows: (passes, processes, B) case numbers, of all processes.
            epoch: Counted from 0; with the seed and `update` it determines all random numbers.
            update: Number within the epoch, from 0.
            previous_updates: Updates of the run before this one.
            lr: Learning rate.
            totals: Losses and counts of the epoch, extended here.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        self._optimizer.zero_grad(set_to_none=True)
        passes = len(rows)
        parts: dict[str, Tensor] = {}
        for number, (pixels, pass_rows) in enumerate(zip(images, rows, strict=True)):
            last = number == passes - 1
            with self._accelerator.no_sync(self._model) if not last else nullcontext():
                losses = self._forward_backward(pixels, pass_rows, epoch, update * passes + number, passes)
            for name, part in losses.items():
                parts[name] = parts.get(name, 0) + part / passes
        finite = self._optimizer_step(parts["total"])
        self._save_or_restore_statistics(finite)
        if self.average is not None:
            with record_function("average"):
                self.average.update(previous_updates, finite)
        totals.add(parts, finite)

    def _forward_backward(
        self, pixels: Tensor, rows: np.ndarray, epoch: int, step: int, passes: int
    ) -> dict[str, Tensor]:
        """Run one pass and return its losses, detached."""
        config, accelerator = self._config, self._accelerator
        process, count = accelerator.process_index, rows.size
        seed_dropout(config.seed, epoch, step, process)
        labels = self._labels[torch.from_numpy(rows.reshape(-1))].to(accelerator.device, non_blocking=True)
        with record_function("views"):
            draws = torch.rand(count, augment.DRAWS, generator=seeded(config.seed, epoch, step, VIEWS))
            pixels = pixels.to(accelerator.device, non_blocking=True)
            pixel_values = self.views(pixels, draws.view(*rows.shape, -1)[process])
            mixing = None
            if config.mix:
                generator = seeded(config.seed, epoch, step, MIXING)
                mixing = augment.draw_mixing(count, rows.shape[1], config.mix, generator).to(accelerator.device)
                mixed = augment.mix(pixel_values, mixing.part(process, len(rows)))
                pixel_values = mixed.contiguous(memory_format=torch.channels_last)
        with record_function("notes"):
            arguments, with_note, repeats = {}, None, None
            if self._notes is not None:
                draws = torch.rand(count, note_inputs.DRAWS, generator=seeded(config.seed, epoch, step, NOTES))
                batch = self._notes.draw(rows, process, draws)
                arguments, with_note, repeats = batch.arguments, batch.with_note, batch.repeats
        with record_function("forward"):
            output = self._model(pixel_values=pixel_values, **arguments)
            if repeats is not None:
                output.text_embedding, output.text_logits = output.text_embedding[repeats], output.text_logits[repeats]
        with record_function("losses"):
            parts = loss_parts(gather_output(output), labels, with_note, config, mixing)
            loss = total(parts, config)
        with record_function("backward"):
            accelerator.backward((loss + _zero_of_all(output)) / passes)
        return {name: part.detach() for name, part in {**parts, "total": loss}.items()}

    def views(self, pixels: Tensor, draws: Tensor) -> Tensor:
        """Return augmented, normalised (B, 3, S, S) images of (B, 3, L, L) uint8."""
        encoder, settings = self._plain_model.image_encoder, self._config.augmentation
        if settings is not None:
            pixels = augment.augment(pixels, self._config.training_size, settings, draws)
        return encoder.normalise(pixels).contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def _optimizer_step(self, loss: Tensor) -> Tensor:
        """Step if the loss and all gradients are finite; return whether it did, as a bool tensor.

        With `found_inf` a fused optimizer skips the step itself, so the host does not wait for the device. All
        processes hold the same gradients here, so they agree.
        """
        with record_function("optimizer"):
            self._accelerator.unscale_gradients(self._optimizer)
            norm = get_total_norm([each.grad for each in self._trainable if each.grad is not None])
            finite = torch.isfinite(norm) & torch.isfinite(loss)
            if self._config.clip_norm is not None:
                clip_grads_with_norm_(self._trainable, self._config.clip_norm, norm)
            if self._accelerator.scaler is not None:
                self._optimizer.step()  # the scaler skips overflowing steps and lowers its scale: that is no error
                return torch.isfinite(loss)
            if self._fused:
                self._plain_optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
                self._optimizer.step()
            elif bool(finite):
                self._optimizer.step()
        return finite

    @torch.no_grad()
    def _save_or_restore_statistics(self, finite: Tensor) -> None:
        """Restore the BatchNorm statistics after a skipped update: non-finite values would stay in them for good.

        Runs on the device without waiting, before the average or a checkpoint reads them.
        """
        self._saved_statistics = torch.where(finite, self._flat_statistics(), self._saved_statistics)
        if self._statistics:
            parts = torch.split(self._saved_statistics, [each.numel() for each in self._statistics])
            saved = [part.view_as(each) for part, each in zip(parts, self._statistics, strict=True)]
            torch._foreach_copy_(self._statistics, saved)

    def _flat_statistics(self) -> Tensor:
        flat = [each.detach().reshape(-1) for each in self._statistics]
        return torch.cat(flat) if flat else torch.empty(0, device=self._accelerator.device)


def _zero_of_all(output: ModelOutput) -> Tensor:
    """Return 0, computed from every output: DistributedDataParallel needs a gradient of each weight, used or not."""
    values = (output.image_embedding, output.image_logits, output.text_embedding, output.text_logits)
    return torch.stack([value.float().sum() for value in values if value is not None]).sum() * 0
