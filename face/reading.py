"""From one input to everything the page shows of it. No Gradio here: plain HTML and text out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dermnote.errors import DermNoteError
from face import cards
from face.answers import CROPPED, Answers, need_count, need_picture, need_text

if TYPE_CHECKING:
    from PIL.Image import Image

    from dermnote import DermNote
    from dermnote.pipeline import EncodedImage

NOTE_ORIGIN_PICTURE = (
    "Written by template from the class the model found likeliest, which may be wrong. It is no record of a patient."
)
NOTE_ORIGIN_FIELDS = "Written by template from the fields you filled in."
NOTES_SHOWN, PICTURES_SHOWN = 4, 6
NO_PICTURE = cards.empty(
    "Nothing read yet",
    "Drop a picture of one lesion, or press an example. Classes, a written note and similar notes appear here.",
)
NO_TEXT = cards.empty("No pictures yet", "Type a note, or press an example, to see the gallery's nearest pictures.")


@dataclass(frozen=True)
class Reading:
    """What the page shows of a picture; `alert` is empty unless it was refused.

    Attributes:
        alert: HTML of the one line beside the input.
        classes: HTML of the classes card.
        note: The written note, as text.
        origin: HTML of the line that says what the note was written from.
        similar: HTML of the similar notes and pictures.
        likeliest: Label and malignancy of the likeliest class, for the form.
    """

    alert: str = ""
    classes: str = NO_PICTURE
    note: str = ""
    origin: str = ""
    similar: str = ""
    likeliest: tuple[str, str] | None = None


class Reader:
    """Fills the page's cards.

    Args:
        model: A loaded `DermNote`.
    """

    def __init__(self, model: DermNote) -> None:
        self.answers = Answers(model)
        self.gallery, self.has_notes = model.config.gallery, model.index.has_notes

    def read(self, upload: Image | DermNoteError | None, modality: str) -> Reading:
        """Reads a picture once into classes, note and similar notes."""
        if upload is None:
            return Reading()
        try:
            picture = self.answers.read(need_picture(upload), modality)
            predictions = self.answers.predictions(picture, modality)
            note = self.answers.note(picture, modality, {}, "m", demographics=False)
        except DermNoteError as error:
            return Reading(alert=cards.alert(str(error)))
        return Reading(
            classes=cards.classes_card(predictions, modality),
            note=note.text,
            origin=cards.origin(NOTE_ORIGIN_PICTURE),
            similar=self._similar(picture, modality),
            likeliest=(predictions[0].label, predictions[0].malignancy or ""),
        )

    def _similar(self, picture: EncodedImage, modality: str) -> str:
        pictures = cards.similar_card(self.answers.similar_pictures(picture, modality, PICTURES_SHOWN), self.gallery)
        if not self.has_notes:
            return pictures
        return cards.notes_card(self.answers.similar_notes(picture, modality, NOTES_SHOWN), self.gallery) + pictures

    def search(self, text: str, k: float) -> tuple[str, str]:
        """Alert line and pictures for a typed note."""
        try:
            hits = self.answers.fitting_pictures(need_text(text), need_count(k))
        except DermNoteError as error:
            return cards.alert(str(error)), NO_TEXT
        return "", cards.pictures_card(hits, self.gallery)

    def compose(self, fields: dict[str, Any], strategy: str, demographics: bool) -> tuple[str, str | None, str]:
        """Alert line, note and its origin for a filled-in form; the note is None where none could be written."""
        try:
            note = self.answers.note(None, CROPPED, fields, strategy, demographics)
        except DermNoteError as error:
            return cards.alert(str(error)), None, ""
        return "", note.text, cards.origin(NOTE_ORIGIN_FIELDS)
