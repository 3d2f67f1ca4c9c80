"""Inputs of the text branch: tokens of the drawn notes, or cached vectors if the text encoder is frozen.

Vectors are stored on disk, so that a frozen text encoder reads each note once for all runs: a SQLite file for each
encoder in the cache directory (`text_vectors`), named by a hash of its weights, tokenizer and settings, one row for
each note. It can be deleted at any time.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dermnote.errors import ConfigError
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.text_encoder import TextEncoder, tokenizer_state
from dermnote.models.weights import hash_tensors

from ..runtime.environment import cache_folder
from .embedding import text_features
from .training_data import NoteTable

DRAWS = 2  # random numbers for each case
_KEYS_PER_QUERY = 500  # SQLite allows a thousand


@dataclass(frozen=True)
class NoteBatch:
    """Notes of one pass.

    Attributes:
        arguments: Arguments of `DermNoteModel.forward` for the cases of this process.
        with_note: Numbers of the cases that have a note, of all processes; None if all have one.
        repeats: (B,) row of `arguments` for each case of this process; None if they are in order.
    """

    arguments: dict[str, Tensor]
    with_note: Tensor | None
    repeats: Tensor | None = None


class NoteInputs:
    """Draws notes for cases and converts them to model inputs.

    Args:
        table: Notes of the training cases.
        model: Model with a text encoder; if that is frozen, it encodes all notes here.
        device: Device of the inputs.
        batch_size: Notes in one pass of a frozen encoder.
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
        """Draw the notes of one pass.

        A case without a note gets an empty one, which the losses ignore: so all processes run all layers.

        Args:
            rows: (processes, B) case numbers.
            process: Number of this process.
            draws: (processes * B, DRAWS) in 0..1.
        """
        numbers = self._table.draw(rows.reshape(-1).tolist(), draws)
        noted = (numbers >= 0).nonzero().squeeze(1)
        with_note = None if len(noted) == len(numbers) else noted.to(self._device, non_blocking=True)
        own = numbers.view(rows.shape)[process]
        if self._features is not None:
            vectors = self._features[own.clamp(min=0).to(self._device, non_blocking=True)]
            return NoteBatch({"text_features": vectors}, with_note)
        distinct, repeats = torch.unique(own, return_inverse=True)  # template notes repeat: each is encoded once
        texts = [self._table.texts[number] if number >= 0 else "" for number in distinct.tolist()]
        tokens = self._encoder.tokenize(texts)
        arguments = {name: value.to(self._device, non_blocking=True) for name, value in tokens.items()}
        return NoteBatch(arguments, with_note, repeats.to(self._device, non_blocking=True))


def encoder_key(encoder: TextEncoder) -> str:
    """Return a hash of everything the vectors of an encoder depend on."""
    digest = hashlib.sha256()
    hash_tensors(digest, encoder.model.state_dict())
    digest.update(f"{encoder.max_length}:{encoder.pooling}:{tokenizer_state(encoder.tokenizer)}".encode())
    return digest.hexdigest()[:32]


def cached_text_features(model: DermNoteModel, texts: Sequence[str], batch_size: int, device: torch.device) -> Tensor:
    """Return the text encoder's vectors of notes, (n, feature_dim) float32 on the CPU; only new notes are encoded.

    Raises:
        ConfigError: The cache cannot be written.
    """
    if model.text_encoder is None:
        raise ValueError("an image-only model takes no notes")
    folder = cache_folder("text_vectors")
    path = folder / f"{encoder_key(model.text_encoder)}.sqlite"
    keys = [hashlib.sha256(text.encode()).digest() for text in texts]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=60)) as database:
            database.execute("CREATE TABLE IF NOT EXISTS vectors (note BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")
            vectors = _stored_vectors(database, keys, model.text_encoder.feature_dim)
            new = {key: text for key, text in zip(keys, texts, strict=True) if key not in vectors}
            if new:
                computed = text_features(model, list(new.values()), batch_size, device, progress=True).numpy()
                vectors |= dict(zip(new, computed, strict=True))
                rows = ((key, vectors[key].astype("<f4").tobytes()) for key in new)
                with database:
                    database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
    except (sqlite3.Error, OSError) as error:
        raise ConfigError(
            f"The text vectors cannot be cached in {path} ({error}).",
            "Set DERMNOTE_CACHE to a folder with free space, or delete the file.",
        ) from error
    return torch.from_numpy(np.stack([vectors[key] for key in keys]))


def _stored_vectors(database: sqlite3.Connection, keys: Iterable[bytes], width: int) -> dict[bytes, np.ndarray]:
    distinct, vectors = list(dict.fromkeys(keys)), {}
    for first in range(0, len(distinct), _KEYS_PER_QUERY):
        part = distinct[first : first + _KEYS_PER_QUERY]
        marks = ",".join("?" * len(part))
        query = f"SELECT note, vector FROM vectors WHERE note IN ({marks})"  # placeholders only  # noqa: S608  # nosec B608
        rows = database.execute(query, part)
        vectors.update({bytes(note): np.frombuffer(vector, "<f4") for note, vector in rows if len(vector) == 4 * width})
    return vectors
