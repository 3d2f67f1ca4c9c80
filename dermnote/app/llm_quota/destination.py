"""Where a note's picture and record would go: said under the choice of strategy, before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from dermnote.app.service import CROPPED, NOT_SET_UP, SET_UP
from dermnote.notes.strategies import DEMOGRAPHICS, Strategy, get_strategy

if TYPE_CHECKING:
    from dermnote import Note
    from dermnote.notes.writing import NoteWriter

PICTURES = {
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
}  # of the form's fields, as sentences name them

FROM_GUESS = (
    "Written by template from the class the model found likeliest, which may be wrong. It is no record of a patient."
)


def can_ask(strategy: str, writer: NoteWriter) -> bool:
    """Whether a note of this strategy can be written here at all."""
    return writer.is_set_up or not get_strategy(strategy).needs_model


def press_words(strategy: str, writer: NoteWriter, what: str = "write the note") -> str:
    """What the button says: that it sends something, where it does."""
    if get_strategy(strategy).needs_model and writer.is_set_up:
        return f"Send to {writer.host} and {what}"
    return f"{what[:1].upper()}{what[1:]}"


def destination(strategy: str, writer: NoteWriter, modality: str, demographics: bool) -> str:
    """One line of HTML: what goes where when the button is pressed, or why it cannot be pressed."""
    chosen = get_strategy(strategy)
    if not chosen.needs_model:
        return _line("Fills a template here. Nothing is sent to anybody.")
    if not writer.is_set_up:
        return _line(f"{NOT_SET_UP} {SET_UP}", "dn-not-set-up")
    where = f"to <strong>{escape(writer.host)}</strong> (model {escape(writer.model)})"
    if chosen.made_of:
        where += " in two requests"
    return f'<p class="dn-destination">{_what(chosen, where, PICTURES[modality], demographics)}</p>'


def all_destinations(strategies: Sequence[str], writer: NoteWriter) -> str:
    """One line of HTML for several strategies at once: how many requests go where, or why none can."""
    if not writer.is_set_up:
        return _line(f"{NOT_SET_UP} {SET_UP}", "dn-not-set-up")
    requests = [name.upper() for name in strategies if not get_strategy(name).made_of]
    return _line(
        f"Sends {len(requests)} requests to {writer.host} (model {writer.model}), for {_listed(requests)}. "
        "Each card below says what goes with it; age, sex and place stay here."
    )


def _what(strategy: Strategy, where: str, picture: str, demographics: bool) -> str:
    if not strategy.tells:
        return f"Sends {picture} alone {where}; the fields above are used only to check the note afterwards."
    told = (*strategy.tells, *(DEMOGRAPHICS if demographics else ()))
    kept = [title for name, title in TITLES.items() if name not in told]
    staying = f" {', '.join(kept[:-1])} and {kept[-1]} stay here.".replace(" age", " Age", 1) if kept else ""
    return (
        f"Sends {picture} and the {_listed([TITLES[name] for name in TITLES if name in told])} above {where}.{staying}"
    )


def _listed(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _line(text: str, css: str = "") -> str:
    return f'<p class="dn-destination {css}">{escape(text)}</p>'


def written_by(note: Note, writer: NoteWriter) -> str:
    """Who wrote a note and from what, for the line below it."""
    strategy = get_strategy(note.strategy)
    if (note.audit or {}).get("label_from") == "model":
        return FROM_GUESS
    if not strategy.needs_model:
        return "Written by template from the fields you filled in."
    source = "the picture and the fields you filled in" if strategy.tells else "the picture alone"
    return (
        f"Written by {note.model} at {writer.host} from {source}. It may say what is not there: see the claims below."
    )
