"""A cases folder of a few coloured squares, its notes, and the settings of a run that learns them in seconds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from dermnote.images.opening import encode_jpeg
from dermnote.notes.schema import Note, NoteRow, write_notes
from train.data.cases import schema

NAMES = ("melanoma", "melanocytic nevus", "vascular lesion")
COLOURS = ((40, 30, 30), (200, 150, 90), (220, 40, 60))
WORDS = ("dark and ragged", "tan and even", "red and clotted")
SETTINGS = """
seed: 3
backbone: shufflenet_v2_x0_5
backbone_weights: null
image_size: 32
text_config: {hidden_size: 16, layers: 1, heads: 2, vocab_size: 120, dropout: 0.1}
text_pooling: mean
text_layers: all
max_length: 24
embed_dim: 8
mask_diagnosis: 0.5
epochs: 2
batch_size: 8
optimizer: adamw
lr: 2.0e-3
schedule: cosine
amsgrad: false
clip_norm: 1.0
precision: no
"""


def square(kind: int, seed: int, side: int = 48) -> bytes:
    rng = np.random.default_rng([kind, seed])
    pixels = np.array(COLOURS[kind]) + rng.normal(0, 12, (side, side, 3))
    return encode_jpeg(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))


def case_row(split: str, number: int, kind: int, names: Sequence[str]) -> dict[str, object]:
    case_id = f"squares/{split}-{number}"
    return {
        **dict.fromkeys(schema().names),
        "case_id": case_id,
        "source": "squares",
        "modality": "dermoscopy",
        "image": {"bytes": square(kind, number + 1000 * len(split)), "path": None},
        "class_id": kind,
        "label": names[kind],
        "subtype": "spotted kind",
        "group": case_id,
        "split": split,
        "extra": "{}",
        "crop": "whole",
        "content_sha256": case_id,
    }


def write_cases(folder: Path, train: Sequence[int], validation: Sequence[int], names: Sequence[str] = NAMES) -> Path:
    """A cases folder with one square for each class id listed."""
    (folder / "data").mkdir(parents=True)
    for split, kinds in (("train", train), ("validation", validation)):
        rows = [case_row(split, number, kind, names) for number, kind in enumerate(kinds)]
        if rows:
            table = pa.Table.from_pylist(rows, schema=schema())
            pq.write_table(table, folder / "data" / f"{split}-00000-of-00001.parquet")
    summary = {"classnames": list(names), "sources": {"squares": {"licence": "cc0-1.0"}}, "splits": {}}
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def write_square_notes(
    path: Path, train: Sequence[int], leave_out: Sequence[int] = (), names: Sequence[str] = NAMES
) -> Path:
    """A note for each training square that is not left out."""
    write_notes(
        path,
        [
            NoteRow(f"squares/train-{i}", Note(f"A {names[kind]}, number {i % 4}, {WORDS[kind]}, spotted kind.", "m"))
            for i, kind in enumerate(train)
            if i not in leave_out
        ],
    )
    return path


def write_settings(path: Path, more: str = "") -> Path:
    path.write_text(SETTINGS + more)
    return path
