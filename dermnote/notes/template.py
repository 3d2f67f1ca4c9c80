"""Strategy M: a note filled in from metadata, without a language model.

What it tells and in which order follows the metadata template of arXiv 2511.21827 (superclass, class, subclass where it
says something else, description); the wording is DermNote's own. Age, sex, site and skin tone are an option, off for M.
"""

from __future__ import annotations

import hashlib
import math
import re

from dermnote.audit.masking import DESCRIPTION
from dermnote.errors import NotesError
from dermnote.metadata import LesionMetadata
from dermnote.notes.schema import Note

LESION = "This record is of {article} {malignancy}skin lesion"
DIAGNOSED = ", diagnosed as {label}"
SUBTYPE = ", subtype {subtype}"
SEEN = "Seen {where}."
PIECES = (LESION, DIAGNOSED, SUBTYPE, DESCRIPTION, SEEN)
WRITER_VERSION = "1"  # raise when the words change in a way PIECES does not show

UNKNOWN = {"", "-", "--", "n/a", "na", "nan", "none", "null", "unk", "unknown", "not specified"}
EMPTY_WORDS = {"nos", "not", "otherwise", "specified"}  # "nevus, NOS" says no more than "nevus"
EPONYMS = ("bowen", "spitz", "reed", "clark", "kaposi", "merkel", "paget", "becker", "sutton")


def prompt_version(*, demographics: bool = False) -> str:
    """Short hash of the template's words; with demographics it is another version."""
    digest = hashlib.sha256("\n".join((*PIECES, WRITER_VERSION)).encode()).hexdigest()[:8]
    return f"{digest}-demographics" if demographics else digest


def write_template(metadata: LesionMetadata, *, demographics: bool = False) -> str:
    """Writes the M note of a lesion: one line, whole sentences, nothing where a field is missing.

    Args:
        metadata: What is known of the lesion; every field may be missing.
        demographics: Whether age, sex, site and skin tone are told too.

    Raises:
        NotesError: None of the fields that this note tells is known.
    """
    label, subtype = _clean(metadata.label), _clean(metadata.subtype)
    malignancy, description = _clean(metadata.malignancy), _clean(metadata.description)
    where = _where(metadata) if demographics else ""
    if not (label or subtype or malignancy or description or where):
        hint = "Give a label, subtype, malignancy or description"
        raise NotesError(
            "There is nothing to write: the metadata is empty.",
            f"{hint}, or an age, sex, site or skin type." if demographics else f"{hint} (or ask for demographics).",
        )
    sentences = [_lesion(malignancy, label, subtype)]
    if description and _says_more(description, f"{malignancy} {label} {subtype}"):
        sentences.append(DESCRIPTION.format(description=_lower_first(description)))
    if where:
        sentences.append(SEEN.format(where=where))
    return " ".join(sentences)


def has_diagnosis(metadata: LesionMetadata) -> bool:
    """Whether the record tells anything of the lesion itself; what the template finds blank ("unknown") does not."""
    try:
        return bool(write_template(metadata))
    except NotesError:
        return False


def template_note(metadata: LesionMetadata, *, demographics: bool = False) -> Note:
    """The same as `write_template`, with the version of its words."""
    text = write_template(metadata, demographics=demographics)
    return Note(text=text, strategy="m", prompt_version=prompt_version(demographics=demographics))


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


def _where(metadata: LesionMetadata) -> str:
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
    """One line without outer punctuation; what tables write for "missing" becomes empty."""
    text = re.sub(r"\s+", " ", str(value)).strip(" .,;:") if value is not None else ""
    return "" if text.lower() in UNKNOWN else text


def _says_more(text: str, known: str) -> bool:
    """Whether `text` holds a word that `known` does not."""
    return bool(_words(text) - _words(known) - EMPTY_WORDS)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text.lower()))


def _lower_first(text: str) -> str:
    """Lower-cases a capital that only opens the phrase; abbreviations and people's names keep theirs."""
    if text[1:2].isupper() or text.lower().startswith(EPONYMS):
        return text
    return text[:1].lower() + text[1:]


def _article(following: str) -> str:
    """The right "a" or "an", also before an age: an 8-, 11-, 18- and 80-year-old."""
    first = following.split("-")[0].lower()
    if first.isdigit():
        return "an" if first[0] == "8" or first in ("11", "18") else "a"
    return "an" if first[:1] in "aeiou" and first[:1] else "a"
