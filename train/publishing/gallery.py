"""The published gallery: which cases are searchable, with which note, thumbnail and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from PIL import Image
from tqdm.auto import tqdm

from dermnote.config import DermNoteConfig
from dermnote.errors import NotesError
from dermnote.index import CaseIndex
from dermnote.model import DermNoteModel
from dermnote.picture import decode_jpeg, encode_jpeg
from train.cases import Cases
from train.embed import embed_cases

THUMBNAIL_SIDE = 128  # pixels of the long side
THUMBNAIL_QUALITY = 85


@dataclass(frozen=True)
class Gallery:
    """Cases with their notes, ready to be embedded.

    Attributes:
        cases: The cases kept.
        notes: One note a case, as written; "" where an image-only model's cases have none.
        without_note: Cases left out because the model has a text branch and they have no note.
    """

    cases: Cases
    notes: tuple[str, ...]
    without_note: int


def choose(cases: Cases, notes: dict[str, dict[str, str]], config: DermNoteConfig) -> Gallery:
    """Gives each case the note of the first of the model's strategies that wrote one.

    Args:
        cases: Candidates.
        notes: Note texts by case id and strategy (`dermnote.notes.schema.notes_by_case`).
        config: The model's; with a text branch, cases without a note are left out.

    Raises:
        NotesError: The model has a text branch and not one case has a note.
    """
    texts = [_first_note(notes.get(case_id, {}), config.strategies) for case_id in cases.table["case_id"]]
    if not config.multimodal:
        return Gallery(cases, tuple(texts), 0)
    rows = [row for row, text in enumerate(texts) if text]
    if not rows:
        wanted = ", ".join(config.strategies)
        raise NotesError(f"None of the {len(cases)} cases has a note of {wanted}.", "Are these the notes of the cases?")
    return Gallery(cases.select(rows), tuple(texts[row] for row in rows), len(texts) - len(rows))


def build(gallery: Gallery, model: DermNoteModel, config: DermNoteConfig, batch_size: int = 32) -> CaseIndex:
    """Embeds pictures and notes as written with exactly this model, and makes the index.

    Args:
        gallery: What to publish.
        model: As loaded back from the files that are published.
        config: Its config, with the fingerprint of those files.
        batch_size: Pictures in one pass.
    """
    texts: Sequence[str] | None = gallery.notes if config.multimodal else None
    vectors = embed_cases(model, gallery.cases, texts, batch_size=batch_size)
    table: pd.DataFrame = gallery.cases.table.assign(note=list(gallery.notes))
    small = [thumbnail(data) for data in tqdm(gallery.cases.images, desc="thumbnails", unit="img", leave=False)]
    return CaseIndex.build(table, vectors.image, vectors.text, small, config.fingerprint)


def thumbnail(jpeg: bytes) -> bytes:
    """A stored picture as JPEG with a long side of at most 128 px, without metadata."""
    image = decode_jpeg(jpeg, THUMBNAIL_SIDE)
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BILINEAR)
    return encode_jpeg(image, THUMBNAIL_QUALITY)


def _first_note(written: dict[str, str], strategies: Sequence[str]) -> str:
    wanted = strategies or tuple(written)
    return next((written[name] for name in wanted if name in written), "")
