"""What the text branch is fed: tokens of the drawn notes, or vectors made once if its encoder is frozen."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dermnote.model import DermNoteModel
from train.batches import NoteTable
from train.embed import text_features


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
            self._features = text_features(model, table.texts, batch_size, device, progress=True).to(device)

    def draw(self, rows: Sequence[int], generator: torch.Generator) -> tuple[dict[str, Tensor], Tensor]:
        """Arguments for `DermNoteModel.forward`, and which cases have a note, (B,) bool.

        A case without a note is given an empty one, to be left out of the losses: so every process runs every layer.
        """
        numbers = self._table.draw(rows, generator)
        has_note = (numbers >= 0).to(self._device)
        if self._features is not None:
            return {"text_features": self._features[numbers.clamp(min=0).to(self._device)]}, has_note
        texts = [self._table.texts[number] if number >= 0 else "" for number in numbers.tolist()]
        tokens = self._encoder.tokenize(texts)
        return {name: value.to(self._device) for name, value in tokens.items()}, has_note
