"""Lines that name the recipient of image and record, shown before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from dermnote.app.service import CROPPED, NOT_SET_UP, SET_UP
from dermnote.notes.strategies import DEMOGRAPHICS, Strategy, get_strategy

if TYPE_CHECKING:
    from dermnote import Note
    from dermnote.notes.writing import NoteWriter

IMAGES = {
    "dermoscopy": "the picture, cropped to the lesion",
    "clinical": "the whole picture",
    CROPPED: "the picture",
}
TITLES = {
    "label": "diagnosis",
    "subtype": "subtype",
    "malignancy": "malignancy",
    "description": "description",
    "age": "age",
    "sex": "sex",
    "site": "place",
}  # of the form's fields, within a sentence
FROM_PREDICTION = (
    "Written by template from the class the model found likeliest, which may be wrong. It is no record of a patient."
)


def can_write(strategy: str, writer: NoteWriter) -> bool:
    """Return whether a note of this strategy can be written with the current setup."""
    return writer.is_set_up or not get_strategy(strategy).needs_model


def button_label(strategy: str, writer: NoteWriter, what: str = "write the note") -> str:
    """Return the label of a button; it names the server to which the button sends data."""
    if get_strategy(strategy).needs_model and writer.is_set_up:
        return f"Send to {writer.host} and {what}"
    return f"{what[:1].upper()}{what[1:]}"


def destination(strategy: str, writer: NoteWriter, modality: str, demographics: bool) -> str:
    """Return one line of HTML: the data and their recipient, or why the button is inactive."""
    chosen = get_strategy(strategy)
    if not chosen.needs_model:
        return _line("Fills a template here. Nothing is sent.")
    if not writer.is_set_up:
        return _line(f"{NOT_SET_UP} {SET_UP}", "dn-not-set-up")
    where = f"to <strong>{escape(writer.host)}</strong> (model {escape(writer.model)})"
    if chosen.made_of:
        where += " in two requests"
    return f'<p class="dn-destination">{_sentence(chosen, where, IMAGES[modality], demographics)}</p>'


def all_destinations(strategies: Sequence[str], writer: NoteWriter) -> str:
    """Return one line of HTML for several strategies: number and recipient of requests, or why none is possible."""
    if not writer.is_set_up:
        return _line(f"{NOT_SET_UP} {SET_UP}", "dn-not-set-up")
    requests = [name.upper() for name in strategies if not get_strategy(name).made_of]
    return _line(
        f"Sends {len(requests)} requests to {writer.host} (model {writer.model}), for {_listed(requests)}. "
        "Each card below says what goes with it; age, sex and place stay here."
    )


def _sentence(strategy: Strategy, where: str, image: str, demographics: bool) -> str:
    if not strategy.tells:
        return f"Sends {image} alone {where}; the fields above are used only to check the note afterwards."
    sent = (*strategy.tells, *(DEMOGRAPHICS if demographics else ()))
    kept = [title for name, title in TITLES.items() if name not in sent]
    staying = f" {', '.join(kept[:-1])} and {kept[-1]} stay here.".replace(" age", " Age", 1) if kept else ""
    return f"Sends {image} and the {_listed([TITLES[name] for name in TITLES if name in sent])} above {where}.{staying}"


def _listed(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _line(text: str, css: str = "") -> str:
    return f'<p class="dn-destination {css}">{escape(text)}</p>'


def written_by(note: Note, writer: NoteWriter) -> str:
    """Return the author and the sources of a note, for the line below it."""
    strategy = get_strategy(note.strategy)
    if (note.audit or {}).get("label_from") == "model":
        return FROM_PREDICTION
    if not strategy.needs_model:
        return "Written by template from the fields you filled in."
    source = "the picture and the fields you filled in" if strategy.tells else "the picture alone"
    return (
        f"Written by {note.model} at {writer.host} from {source}. It may say what is not there: see the claims below."
    )
