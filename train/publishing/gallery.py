"""The published gallery: which cases are searchable, with which note, thumbnail and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from dermnote.config import DermNoteConfig
from dermnote.errors import NotesError
from dermnote.index.case_index import CaseIndex
from dermnote.models.joint_model import DermNoteModel

from ..data.cases import Cases
from ..data.thumbnails import make_thumbnails
from ..runtime.distributed import take_main_weights
from ..training.embedding import embed_cases


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


def build(
    gallery: Gallery,
    model: DermNoteModel,
    config: DermNoteConfig,
    scratch: Path | None,
    batch_size: int = 32,
    device: torch.device | None = None,
) -> CaseIndex | None:
    """Embeds pictures and notes as written with exactly this model, and makes the index.

    All processes of a launch call it together: they share the pictures and notes, and the main one makes the index.

    Args:
        gallery: What to publish.
        model: As loaded back from the files that are published; the other processes' models take its weights.
        config: Its config, with the fingerprint of those files.
        scratch: File for the thumbnails, needed until the index is saved; the main process's alone.
        batch_size: Pictures in one pass.
        device: Where to compute; None takes a GPU if there is one.

    Returns:
        The index; None in every process but the main one.
    """
    texts: Sequence[str] | None = gallery.notes if config.multimodal else None
    take_main_weights(model, device or torch.device("cpu"))
    vectors = embed_cases(model, gallery.cases, texts, batch_size, device, shard=True)
    thumbnails = make_thumbnails(gallery.cases.images, scratch)
    if thumbnails is None:
        return None
    table: pd.DataFrame = gallery.cases.table.assign(note=list(gallery.notes))
    return CaseIndex.build(table, vectors.image, vectors.text, thumbnails, config.fingerprint)


def _first_note(written: dict[str, str], strategies: Sequence[str]) -> str:
    wanted = strategies or tuple(written)
    return next((written[name] for name in wanted if name in written), "")
