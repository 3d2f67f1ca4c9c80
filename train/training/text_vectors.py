"""Vectors of notes, kept on disk: a frozen text encoder reads each note once, whatever runs follow.

One SQLite file for each encoder, named by a hash of its weights, tokenizer and settings; in it one row a note. It lies
in `~/.cache/dermnote/text_vectors`, or under DERMNOTE_CACHE. Losing it costs nothing but time.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing

import numpy as np
import torch
from torch import Tensor

from dermnote.errors import ConfigError
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.text_encoder import TextEncoder, tokenizer_state
from dermnote.models.weights import hash_tensors

from ..runtime.cache_folder import cache_folder
from .embedding import text_features

_LOOKED_UP = 500  # keys in one query; SQLite takes a thousand


def encoder_key(encoder: TextEncoder) -> str:
    """Names an encoder by everything its vectors depend on."""
    digest = hashlib.sha256()
    hash_tensors(digest, encoder.model.state_dict())
    digest.update(f"{encoder.max_length}:{encoder.pooling}:{tokenizer_state(encoder.tokenizer)}".encode())
    return digest.hexdigest()[:32]


def cached_text_features(model: DermNoteModel, texts: Sequence[str], batch_size: int, device: torch.device) -> Tensor:
    """What the model's text encoder makes of notes, (n, feature_dim) float32 on the CPU; only new notes are read.

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
        with closing(sqlite3.connect(path, timeout=60)) as store:
            store.execute("CREATE TABLE IF NOT EXISTS vectors (note BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")
            known = _known(store, keys, model.text_encoder.feature_dim)
            new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
            if new:
                vectors = text_features(model, list(new.values()), batch_size, device, progress=True).numpy()
                known |= dict(zip(new, vectors, strict=True))
                rows = ((key, known[key].astype("<f4").tobytes()) for key in new)
                with store:
                    store.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
    except (sqlite3.Error, OSError) as error:
        raise ConfigError(
            f"The vectors of the notes cannot be kept in {path} ({error}).",
            "Set DERMNOTE_CACHE to a folder with room, or delete the file.",
        ) from error
    return torch.from_numpy(np.stack([known[key] for key in keys]))


def _known(store: sqlite3.Connection, keys: Iterable[bytes], width: int) -> dict[bytes, np.ndarray]:
    wanted, found = list(dict.fromkeys(keys)), {}
    for first in range(0, len(wanted), _LOOKED_UP):
        some = wanted[first : first + _LOOKED_UP]
        marks = ",".join("?" * len(some))
        query = f"SELECT note, vector FROM vectors WHERE note IN ({marks})"  # marks only  # noqa: S608  # nosec B608
        rows = store.execute(query, some)
        found.update({bytes(note): np.frombuffer(vector, "<f4") for note, vector in rows if len(vector) == 4 * width})
    return found
