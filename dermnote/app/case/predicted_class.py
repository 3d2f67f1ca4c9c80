"""A note on a record whose diagnosis a visitor took from the model: it says that this is the model's guess."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dermnote.metadata import LesionMetadata
from dermnote.notes.strategies import get_strategy
from dermnote.notes.template import predicted_note, say_predicted
from dermnote.notes.writing import audited

if TYPE_CHECKING:
    from PIL.Image import Image

    from dermnote import Note
    from dermnote.app.service import Answers


def without_diagnosis(record: LesionMetadata) -> LesionMetadata:
    """What of a record is known when its diagnosis is a guess."""
    return replace(record, label=None, subtype=None, malignancy=None)


def taken_note(
    answers: Answers, picture: Image, modality: str, record: LesionMetadata, strategy: str, demographics: bool
) -> Note:
    """The note of a strategy; its claims are held against what is known without the guess.

    Args:
        answers: What writes.
        picture: The one the class was told from.
        modality: As the page spells it.
        record: Its label is the model's.
        strategy: Any.
        demographics: Whether age, sex and place are told too.
    """
    known = without_diagnosis(record)
    guess = next(each for each in answers.predictions(picture, modality) if each.label == record.label)
    said = (guess.label, guess.malignancy, guess.probability)
    if not get_strategy(strategy).needs_model:
        return audited(predicted_note(*said, known, demographics=demographics), known)
    note = answers.note(picture, modality, record, strategy, demographics)
    # The strategy that sees the picture alone was told no diagnosis.
    return audited(say_predicted(note, *said) if get_strategy(strategy).tells else note, known)
