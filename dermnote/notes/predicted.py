"""A note on a picture whose diagnosis nobody has given: it says that its class is the model's guess."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from dermnote.errors import NotesError
from dermnote.metadata import LesionMetadata
from dermnote.models.prediction import percent
from dermnote.notes.schema import Note
from dermnote.notes.template import write_template

PREDICTED = "Class predicted by the model from the picture, not confirmed: {label}{malignancy}, probability {share}."
CAUTION = "Research use only, never a diagnosis."
VERSION = "predicted-" + hashlib.sha256(f"{PREDICTED}\n{CAUTION}".encode()).hexdigest()[:8]


def predicted_note(
    label: str, malignancy: str | None, probability: float, metadata: LesionMetadata, *, demographics: bool = False
) -> Note:
    """The note of a picture from the class the model finds most probable.

    Args:
        label: That class.
        malignancy: Its malignancy, if the taxonomy knows the class.
        probability: 0 to 1.
        metadata: What else is known: no diagnosis, but perhaps a description, age, sex, site and skin tone.
        demographics: Whether the last four are told.
    """
    try:
        seen = write_template(metadata, demographics=demographics)
    except NotesError:  # nothing is known: nothing to add
        seen = ""
    text = " ".join(filter(None, (_first(label, malignancy, probability), seen, CAUTION)))
    return Note(text=text, strategy="m", prompt_version=VERSION, audit=_audit(label, probability))


def say_predicted(note: Note, label: str, malignancy: str | None, probability: float) -> Note:
    """A language model's note on a record whose diagnosis was the model's guess: it says so before anything else.

    Args:
        note: As it was written.
        label: The class that stood in the record.
        malignancy: As in `predicted_note`.
        probability: As in `predicted_note`.
    """
    text = f"{_first(label, malignancy, probability)} {note.text}"
    return replace(note, text=text, audit={**(note.audit or {}), **_audit(label, probability)})


def _first(label: str, malignancy: str | None, probability: float) -> str:
    return PREDICTED.format(
        label=label, malignancy=f" ({malignancy})" if malignancy else "", share=percent(probability)
    )


def _audit(label: str, probability: float) -> dict[str, Any]:
    return {"label_from": "model", "label": label, "probability": round(probability, 4), "confirmed": False}
