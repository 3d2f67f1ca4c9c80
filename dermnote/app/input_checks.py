"""What a stranger sends, checked before any work is done: each check returns what may be used, or raises one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dermnote.errors import DermNoteError, IndexQueryError, NotesError, PictureError
from dermnote.metadata import LesionMetadata

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_TEXT = 2000
MAX_NOTE = 20_000  # a language model may write at length
MAX_FIELD = 300
MAX_HITS = 24
MAX_AGE = 120
# Of a record, as the page asks for them.
FIELDS = ("label", "subtype", "malignancy", "description", "age", "sex", "site")


def need_picture(upload: Image | DermNoteError | None) -> Image:
    """The uploaded picture; a missing or refused one is raised as its error."""
    if isinstance(upload, DermNoteError):
        raise upload
    if upload is None:
        raise PictureError("There is no picture yet.", "Drop one first.")
    return upload


def need_text(text: str | None, limit: int = MAX_TEXT) -> str:
    """The typed text, stripped; empty or too long is an error."""
    stripped = (text or "").strip()
    if not stripped:
        raise IndexQueryError("There is no text yet.", "Describe a lesion in a few words.")
    if len(stripped) > limit:
        raise IndexQueryError(f"The text has {len(stripped):,} characters; the limit is {limit:,}.")
    return stripped


def need_count(k: float | None) -> int:
    """How many hits to return: a whole number from 1 to MAX_HITS."""
    if k is None or k != k or not 1 <= k <= MAX_HITS:
        raise IndexQueryError(f"k must be from 1 to {MAX_HITS}.")
    return int(k)


def need_age(age: str | float | None) -> float | None:
    """The typed age in years; empty is None, anything but 0 to 120 an error."""
    text = str("" if age is None else age).strip()
    if not text:
        return None
    try:
        years = float(text)
    except ValueError:
        years = -1.0
    if not 0 <= years <= MAX_AGE:
        raise NotesError(
            f"The age '{text}' is not a number of years from 0 to {MAX_AGE}.", "Leave it empty if unknown."
        )
    return years


def need_record(fields: Mapping[str, Any]) -> LesionMetadata:
    """The filled-in fields as metadata; empty ones are missing, an endless text or impossible age is an error."""
    for name, value in fields.items():
        if isinstance(value, str) and len(value) > MAX_FIELD:
            raise NotesError(f"{name} has {len(value):,} characters; the limit is {MAX_FIELD}.")
    return LesionMetadata.from_mapping({**fields, "age": need_age(fields.get("age"))})


def record_of(*values: Any) -> LesionMetadata:
    """The values of `FIELDS`, in their order, as metadata; errors as `need_record`."""
    return need_record(dict(zip(FIELDS, values, strict=True)))
