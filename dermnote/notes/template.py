"""Notes written without a language model: from metadata (strategy M), or from a model's prediction.

Content and order of M follow the metadata template of arXiv 2511.21827 (superclass, class, subclass where it differs,
description); the wording is DermNote's own. Age, sex, site and skin tone are optional and off by default.
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import replace
from typing import Any

from dermnote.audit.masking import DESCRIPTION
from dermnote.errors import NotesError
from dermnote.metadata import LesionMetadata
from dermnote.models.prediction import percent
from dermnote.notes.schema import Note

LESION = "This record is of {article} {malignancy}skin lesion"
DIAGNOSED = ", diagnosed as {label}"
SUBTYPE = ", subtype {subtype}"
SEEN = "Seen {where}."
PIECES = (LESION, DIAGNOSED, SUBTYPE, DESCRIPTION, SEEN)
WRITER_VERSION = "1"  # raise when the wording changes in a way PIECES does not show
PREDICTED = "Class predicted by the model from the picture, not confirmed: {label}{malignancy}, probability {share}."
CAUTION = "Research use only, never a diagnosis."
PREDICTED_VERSION = "predicted-" + hashlib.sha256(f"{PREDICTED}\n{CAUTION}".encode()).hexdigest()[:8]

UNKNOWN = {"", "-", "--", "n/a", "na", "nan", "none", "null", "unk", "unknown", "not specified"}
EMPTY_WORDS = {"nos", "not", "otherwise", "specified"}  # "nevus, NOS" means "nevus"
EPONYMS = ("bowen", "spitz", "reed", "clark", "kaposi", "merkel", "paget", "becker", "sutton")


def prompt_version(*, demographics: bool = False) -> str:
    """Return a short hash of the template's wording, which differs with demographics."""
    digest = hashlib.sha256("\n".join((*PIECES, WRITER_VERSION)).encode()).hexdigest()[:8]
    return f"{digest}-demographics" if demographics else digest


def write_template(metadata: LesionMetadata, *, demographics: bool = False) -> str:
    """Return the M note of a lesion: one line of whole sentences, without missing fields.

    Args:
        metadata: Metadata of the lesion; every field may be missing.
        demographics: Whether age, sex, site and skin tone are included.

    Raises:
        NotesError: All fields of the note are missing.
    """
    label, subtype = _clean(metadata.label), _clean(metadata.subtype)
    malignancy, description = _clean(metadata.malignancy), _clean(metadata.description)
    patient = _patient(metadata) if demographics else ""
    if not (label or subtype or malignancy or description or patient):
        hint = "Give a label, subtype, malignancy or description"
        raise NotesError(
            "There is nothing to write: the metadata is empty.",
            f"{hint}, or an age, sex, site or skin type." if demographics else f"{hint} (or ask for demographics).",
        )
    sentences = [_lesion(malignancy, label, subtype)]
    if description and _says_more(description, f"{malignancy} {label} {subtype}"):
        sentences.append(DESCRIPTION.format(description=_lower_first(description)))
    if patient:
        sentences.append(SEEN.format(where=patient))
    return " ".join(sentences)


def has_diagnosis(metadata: LesionMetadata) -> bool:
    """Return whether the record describes the lesion itself; blank values such as "unknown" do not."""
    try:
        return bool(write_template(metadata))
    except NotesError:
        return False


def template_note(metadata: LesionMetadata, *, demographics: bool = False) -> Note:
    """Return the M note (see `write_template`) with its version."""
    text = write_template(metadata, demographics=demographics)
    return Note(text=text, strategy="m", prompt_version=prompt_version(demographics=demographics))


def predicted_note(
    label: str, malignancy: str | None, probability: float, metadata: LesionMetadata, *, demographics: bool = False
) -> Note:
    """Return a note from the predicted class of an image without a diagnosis; it says that the class is a prediction.

    Args:
        label: The most probable class.
        malignancy: Its malignancy, if the taxonomy knows the class.
        probability: 0 to 1.
        metadata: Other metadata: no diagnosis, but perhaps a description, age, sex, site and skin tone.
        demographics: Whether the last four are included.
    """
    try:
        description = write_template(metadata, demographics=demographics)
    except NotesError:
        description = ""
    sentences = (_prediction(label, malignancy, probability), description, CAUTION)
    audit = _prediction_audit(label, probability)
    return Note(" ".join(filter(None, sentences)), "m", prompt_version=PREDICTED_VERSION, audit=audit)


def say_predicted(note: Note, label: str, malignancy: str | None, probability: float) -> Note:
    """Return a language model's note preceded by the statement that its record's diagnosis was a prediction.

    Args:
        note: The note.
        label: The class in the record.
        malignancy: As in `predicted_note`.
        probability: As in `predicted_note`.
    """
    text = f"{_prediction(label, malignancy, probability)} {note.text}"
    return replace(note, text=text, audit={**(note.audit or {}), **_prediction_audit(label, probability)})


def _prediction(label: str, malignancy: str | None, probability: float) -> str:
    suffix = f" ({malignancy})" if malignancy else ""
    return PREDICTED.format(label=label, malignancy=suffix, share=percent(probability))


def _prediction_audit(label: str, probability: float) -> dict[str, Any]:
    return {"label_from": "model", "label": label, "probability": round(probability, 4), "confirmed": False}


def _lesion(malignancy: str, label: str, subtype: str) -> str:
    if subtype and not _says_more(subtype, label):
        subtype = ""
    malignancy = f"{_lower_first(malignancy)} " if malignancy else ""
    sentence = LESION.format(article=_article(malignancy or "skin"), malignancy=malignancy)
    if label or subtype:
        sentence += DIAGNOSED.format(label=_lower_first(label or subtype))
    if label and subtype:
        sentence += SUBTYPE.format(subtype=_lower_first(subtype))
    return f"{sentence}."


def _patient(metadata: LesionMetadata) -> str:
    person = " ".join(filter(None, (_age(metadata.age), _lower_first(_clean(metadata.sex)))))
    skin = _clean(metadata.skin_type)
    place = _lower_first(_clean(metadata.site)).replace("_", " ")
    if person or skin:
        person = f"{_article(person or 'patient')} {person} patient".replace("  ", " ")
    if skin:
        person += f" with skin type {skin}"
    if place and person:
        return f"on the {place} of {person}"
    return f"on the {place}" if place else f"in {person}" if person else ""


def _age(years: float | None) -> str:
    if years is None or not math.isfinite(years) or years < 0:
        return ""
    return f"{int(years)}-year-old" if years >= 1 else "infant"


def _clean(value: str | None) -> str:
    """Return one line without outer punctuation; "" for the ways in which tables write "missing"."""
    text = re.sub(r"\s+", " ", str(value)).strip(" .,;:") if value is not None else ""
    return "" if text.lower() in UNKNOWN else text


def _says_more(text: str, known: str) -> bool:
    """Return whether `text` has a word that `known` lacks."""
    return bool(_words(text) - _words(known) - EMPTY_WORDS)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text.lower()))


def _lower_first(text: str) -> str:
    """Lower-case the first letter, except of abbreviations and people's names."""
    if text[1:2].isupper() or text.lower().startswith(EPONYMS):
        return text
    return text[:1].lower() + text[1:]


def _article(following: str) -> str:
    """Return "a" or "an", also before an age: an 8-, 11-, 18- and 80-year-old."""
    first = following.split("-")[0].lower()
    if first.isdigit():
        return "an" if first[0] == "8" or first in ("11", "18") else "a"
    return "an" if first[:1] in "aeiou" and first[:1] else "a"
