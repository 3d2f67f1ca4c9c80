"""What the text branch is fed: tokens of the drawn notes, or vectors made once if its encoder is frozen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dermnote.models.joint_model import DermNoteModel

from .note_table import NoteTable
from .text_vectors import cached_text_features

DRAWS = 2  # random numbers a case takes


@dataclass(frozen=True)
class NoteBatch:
    """Notes of one pass.

    Attributes:
        arguments: What `DermNoteModel.forward` takes for the cases of this process.
        noted: Of the cases of all processes, the numbers of those that have a note; None if all have one.
        repeats: (B,) for each case of this process the row of `arguments` that is its note; None if they are in order.
    """

    arguments: dict[str, Tensor]
    noted: Tensor | None
    repeats: Tensor | None = None


class NoteInputs:
    """Draws notes for cases and turns them into arguments of the model.

    Args:
        table: The notes.
        model: Its text encoder reads them; frozen, it reads each once, here.
        device: Where the arguments go.
        batch_size: Notes in one pass when the encoder is frozen.
    """

    def __init__(self, table: NoteTable, model: DermNoteModel, device: torch.device, batch_size: int = 32) -> None:
        if model.text_encoder is None:
            raise ValueError("an image-only model takes no notes")
        self._table, self._encoder, self._device = table, model.text_encoder, device
        self._features: Tensor | None = None
        if not any(parameter.requires_grad for parameter in self._encoder.parameters()):
            self._encoder.eval()
            self._features = cached_text_features(model, table.texts, batch_size, device).to(device)

    def draw(self, rows: np.ndarray, process: int, draws: Tensor) -> NoteBatch:
        """The notes of one pass.

        A case without a note is given an empty one, to be left out of the losses: so every process runs every layer.

        Args:
            rows: (processes, B) case numbers.
            process: Which of them is this one.
            draws: (processes * B, DRAWS) in 0..1.
        """
        numbers = self._table.draw(rows.reshape(-1).tolist(), draws)
        noted = (numbers >= 0).nonzero().squeeze(1)
        everywhere = None if len(noted) == len(numbers) else noted.to(self._device, non_blocking=True)
        return self._batch(numbers.view(rows.shape)[process], everywhere)

    def _batch(self, numbers: Tensor, noted: Tensor | None) -> NoteBatch:
        if self._features is not None:
            vectors = self._features[numbers.clamp(min=0).to(self._device, non_blocking=True)]
            return NoteBatch({"text_features": vectors}, noted)
        distinct, repeats = numbers.unique(
            return_inverse=True
        )  # template notes repeat: half of a batch is read for all
        texts = [self._table.texts[number] if number >= 0 else "" for number in distinct.tolist()]
        tokens = {
            name: value.to(self._device, non_blocking=True) for name, value in self._encoder.tokenize(texts).items()
        }
        return NoteBatch(tokens, noted, repeats.to(self._device, non_blocking=True))
