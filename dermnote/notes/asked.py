"""One note from a language model, start to end: for the app and for `DermNote.write_note`."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from dermnote.case import LesionMetadata
from dermnote.errors import NotesError
from dermnote.notes.request import Asking
from dermnote.notes.schema import Note
from dermnote.notes.strategies import RECORD, Strategy
from dermnote.notes.vocabulary import Vocabulary, dermoscopy

if TYPE_CHECKING:
    from dermnote.notes.writer import NoteWriter


def ask_for_note(
    writer: NoteWriter,
    strategy: Strategy,
    metadata: LesionMetadata,
    jpeg: bytes,
    *,
    demographics: bool = False,
    detail: str = "low",
    vocabulary: Vocabulary | None = None,
) -> Note:
    """Has a language model write one note.

    Args:
        writer: What asks.
        strategy: One that needs a language model.
        metadata: All that is known; the strategy decides what of it is told.
        jpeg: The picture, as `outgoing_jpeg` makes it.
        demographics: Whether age, sex, site and skin tone are told too.
        detail: "low" or "high".
        vocabulary: Options and classes; None is dermoscopy.

    Raises:
        NotesError: The strategy tells the record, and the record holds no diagnosis.
        WriterError: No note came of it.
    """
    vocabulary = vocabulary or dermoscopy()
    if strategy.tells and not any(getattr(metadata, name) for name in RECORD):
        raise NotesError(
            f"Strategy '{strategy.name}' writes from a record, and nothing is filled in.",
            "Give a diagnosis, subtype, malignancy or description; or use p3, which sees the picture alone.",
        )
    asking = Asking(strategy, writer.model, vocabulary, demographics, detail)
    request = asking.about(metadata, hashlib.sha256(jpeg).hexdigest())
    return writer.write(request, jpeg)
