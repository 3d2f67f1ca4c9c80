"""One note, start to end: by template, from a model's guess, or by a language model; audited in every case."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from PIL import Image

from dermnote.audit.auditing import audit, summarise
from dermnote.errors import NotesError
from dermnote.llm.image_payload import outgoing_jpeg
from dermnote.llm.request import Asking
from dermnote.metadata import LesionMetadata
from dermnote.models.prediction import Prediction
from dermnote.notes.mixing import mix_notes
from dermnote.notes.predicted import predicted_note
from dermnote.notes.schema import Note
from dermnote.notes.strategies import Strategy, get_strategy
from dermnote.notes.template import has_diagnosis, template_note
from dermnote.vocabularies.vocabulary import Vocabulary, dermoscopy

if TYPE_CHECKING:
    from dermnote.llm.note_writer import NoteWriter


def fill_note(
    metadata: LesionMetadata, guess: Callable[[], Prediction] | None = None, *, demographics: bool = False
) -> Note:
    """The M note; where the record holds no diagnosis and there is a guess, a note that says it is one.

    Args:
        metadata: What is known.
        guess: Gives the class a model finds likeliest; called only if it is needed.
        demographics: Whether age, sex, site and skin tone are told too.
    """
    if guess is None or has_diagnosis(metadata):
        note = template_note(metadata, demographics=demographics)
    else:
        best = guess()
        note = predicted_note(best.label, best.malignancy, best.probability, metadata, demographics=demographics)
    return audited(note, metadata)


def ask_for_note(
    writer: NoteWriter | None,
    strategy: Strategy,
    metadata: LesionMetadata,
    picture: Image.Image,
    *,
    demographics: bool = False,
    detail: str = "low",
    vocabulary: Vocabulary | None = None,
) -> Note:
    """The note of a strategy that needs a language model; "mix" asks for both of its parts.

    Args:
        writer: What asks; None makes one from OPENAI_API_KEY and OPENAI_BASE_URL.
        strategy: One that needs a language model.
        metadata: All that is known; the strategy decides what of it is told, the audit takes all of it.
        picture: RGB, already cropped; it is sent small and without metadata.
        demographics: Whether age, sex, site and skin tone are told too.
        detail: "low" or "high".
        vocabulary: Options and classes; None is dermoscopy.

    Raises:
        NotesError: The strategy tells the record, and the record holds no diagnosis.
        WriterError: No note came of it.
    """
    if strategy.tells and not has_diagnosis(metadata):
        raise NotesError(
            f"Strategy '{strategy.name}' writes from a record, and it holds no diagnosis.",
            "Give a label, subtype, malignancy or description; or use p3, which sees the picture alone.",
        )
    from dermnote.llm.note_writer import NoteWriter  # here: nobody else needs the client, which takes long to import

    writer, vocabulary, jpeg = writer or NoteWriter(), vocabulary or dermoscopy(), outgoing_jpeg(picture)
    sha256 = hashlib.sha256(jpeg).hexdigest()

    def ask(name: str) -> Note:
        asking = Asking(get_strategy(name), writer.model, vocabulary, demographics, detail)
        return writer.write(asking.about(metadata, sha256), jpeg)

    if strategy.made_of:
        closed, free = map(ask, strategy.made_of)
        return audited(mix_notes(closed, free, metadata, vocabulary, demographics=demographics), metadata, vocabulary)
    return audited(ask(strategy.name), metadata, vocabulary)


def audited(note: Note, metadata: LesionMetadata, vocabulary: Vocabulary | None = None) -> Note:
    """The note with its audit against all that is known; what its audit said before stays."""
    claims = audit(note, metadata, vocabulary=vocabulary)
    return replace(note, audit={**(note.audit or {}), **summarise(claims)})
