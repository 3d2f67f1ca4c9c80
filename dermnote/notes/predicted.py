"""A note on a picture whose diagnosis nobody has given: it says that its class is the model's guess."""

from __future__ import annotations

import hashlib

from dermnote.case import LesionMetadata
from dermnote.errors import NotesError
from dermnote.notes.schema import Note
from dermnote.notes.template import write_template

PREDICTED = (
    "Class predicted by the model from the picture, not confirmed: {label}{malignancy}, probability {share:.0%}."
)
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
        metadata: What else is known: no diagnosis, but perhaps age, sex, site and skin tone.
        demographics: Whether those are told.
    """
    first = PREDICTED.format(label=label, malignancy=f" ({malignancy})" if malignancy else "", share=probability)
    try:
        seen = write_template(metadata, demographics=True) if demographics else ""
    except NotesError:  # none of them is known: nothing to add
        seen = ""
    return Note(
        text=" ".join(filter(None, (first, seen, CAUTION))),
        strategy="m",
        prompt_version=VERSION,
        audit={"label_from": "model", "label": label, "probability": round(probability, 4), "confirmed": False},
    )
