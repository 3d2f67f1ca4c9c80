"""From one input to everything the page shows of it. No Gradio here: plain HTML and text out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dermnote.app import cards, hit_cards
from dermnote.app.case.heat_map import heat_card, no_heat_card, overlay
from dermnote.app.case.novelty_line import novelty_line
from dermnote.app.case.predicted_class import taken_note, without_diagnosis
from dermnote.app.claims.claims_card import claims_card
from dermnote.app.error_messages import fault_line
from dermnote.app.examples import example_notes, example_pictures, filter_values
from dermnote.app.input_checks import MAX_NOTE, need_count, need_picture, need_record, need_text
from dermnote.app.llm_quota.destination import written_by
from dermnote.app.service import CROPPED, Answers
from dermnote.errors import ConfigError, DermNoteError, IndexQueryError
from dermnote.images.opening import encode_jpeg, open_picture
from dermnote.metadata import LesionMetadata
from dermnote.notes.strategies import get_strategy
from dermnote.notes.writing import audited

if TYPE_CHECKING:
    from PIL.Image import Image

    from dermnote import DermNote, Hit, Note
    from dermnote.app.llm_quota.quota import Allowance
    from dermnote.index.case_filter import Where
    from dermnote.models.batch_encoding import EncodedImage
    from dermnote.notes.writing import NoteWriter

EDITED = "Edited by hand since."
NOTES_SHOWN, PICTURES_SHOWN = 4, 6
NO_PICTURE = cards.empty(
    "Nothing read yet",
    "Drop a picture of one lesion, or press an example. Classes, a written note and similar notes appear here.",
)
NO_TEXT = cards.empty("No pictures yet", "Type a note, or press an example, to see the gallery's nearest pictures.")


@dataclass(frozen=True)
class Written:
    """What the page shows of a note; all but the alert is empty if there is none.

    Attributes:
        alert: HTML of the one line beside the form.
        note: The note itself.
        origin: HTML of the line that says what it was written from.
        claims: HTML of the claims card.
    """

    alert: str = ""
    note: Note | None = None
    origin: str = ""
    claims: str = ""


@dataclass(frozen=True)
class Reading:
    """What the page shows of a picture; `alert` is empty unless it was refused.

    Attributes:
        alert: HTML of the one line beside the input.
        classes: HTML of the classes card.
        evidence: HTML of the heat map of the likeliest class.
        written: The note and what stands with it.
        similar: HTML of the similar notes and pictures.
        likeliest: Label and malignancy of the likeliest class, for the form.
    """

    alert: str = ""
    classes: str = NO_PICTURE
    evidence: str = ""
    written: Written = Written()
    similar: str = ""
    likeliest: tuple[str, str] | None = None


class Reader:
    """Fills the page's cards.

    Args:
        model: A loaded `DermNote`.
        writer: What asks a language model, as in `Answers`.
        allowance: What may be asked of it, as in `Answers`.

    Attributes:
        examples: Pictures to try.
        queries: Texts to try.
        filters: By field, the values a search may be narrowed to.
    """

    def __init__(self, model: DermNote, writer: NoteWriter | None = None, allowance: Allowance | None = None) -> None:
        self.answers = Answers(model, writer, allowance)
        self.gallery, self.has_notes = model.config.gallery, model.index.has_notes
        self.examples, self.queries = example_pictures(model.index), example_notes(model.index)
        self.filters = filter_values(model.index)

    def read(self, upload: Image | DermNoteError | None, modality: str) -> Reading:
        """Reads a picture once into classes, note and similar notes."""
        if upload is None:
            return Reading()
        try:
            picture = self.answers.read(need_picture(upload), modality)
            predictions = self.answers.predictions(picture, modality)
            far = novelty_line(self.answers.novelty(picture, modality))
            note = self.answers.note(picture, modality, LesionMetadata(), "m", demographics=False)
        except DermNoteError as error:
            return Reading(alert=cards.alert(fault_line(error)))
        return Reading(
            classes=cards.classes_card(predictions, modality, above=far),
            evidence=self._heat(picture, modality, label=predictions[0].label),
            written=Written("", note, self._origin(note), claims_card(note, LesionMetadata())),
            similar=self._similar(picture, modality),
            likeliest=(predictions[0].label, predictions[0].malignancy or ""),
        )

    def _similar(self, picture: EncodedImage, modality: str) -> str:
        hits = self.answers.similar_pictures(picture, modality, PICTURES_SHOWN)
        pictures = hit_cards.similar_card(hits, self.gallery)
        if not self.has_notes:
            return pictures
        return hit_cards.notes_card(self.answers.similar_notes(picture, modality, NOTES_SHOWN), self.gallery) + pictures

    def explain(
        self, upload: Image | DermNoteError | None, modality: str, label: str | None = None, text: str | None = None
    ) -> tuple[str, str]:
        """Alert line and heat map of a picture for a class (None: the likeliest), or for words."""
        try:
            words = None if text is None else need_text(text)
            return "", self._heat(need_picture(upload), modality, label, words)
        except DermNoteError as error:
            return cards.alert(fault_line(error)), ""

    def _heat(
        self, picture: Image | EncodedImage, modality: str, label: str | None = None, text: str | None = None
    ) -> str:
        try:
            found = self.answers.evidence(picture, modality, label, text)
        except ConfigError as error:  # a network without a map is nobody's mistake
            return no_heat_card(error.message)
        return heat_card(found, found.of, text=text is not None)

    def open_case(self, case_id: str) -> Image:
        """The picture of a case of the gallery, as a visitor would have dropped it.

        Raises:
            IndexQueryError: There is no such case, or it has no picture.
        """
        jpeg = self.answers.model.index.thumbnail(case_id)
        if jpeg is None:
            raise IndexQueryError("This case has no picture.")
        return open_picture(jpeg)

    def search(self, text: str, k: float, where: Where | None = None, maps: bool = False) -> tuple[str, str]:
        """Alert line and pictures for a typed note.

        Args:
            text: As typed.
            k: How many.
            where: Only cases that fit.
            maps: Whether to show where each picture fits the words.
        """
        try:
            found = self.answers.fitting_pictures(need_text(text), need_count(k), where)
            heats = {hit.case_id: self._fit(hit, text) for hit in found if hit.thumbnail_jpeg} if maps else {}
        except DermNoteError as error:
            return cards.alert(fault_line(error)), NO_TEXT
        return "", hit_cards.pictures_card(found, self.gallery, heats)

    def _fit(self, hit: Hit, text: str) -> bytes:
        assert hit.thumbnail_jpeg is not None
        return encode_jpeg(overlay(self.answers.evidence(open_picture(hit.thumbnail_jpeg), CROPPED, text=text)), 85)

    def compose(
        self,
        upload: Image | DermNoteError | None,
        modality: str,
        fields: dict[str, Any],
        strategy: str,
        demographics: bool,
        taken: str | None = None,
    ) -> Written:
        """A note for a filled-in form. The picture goes to a strategy that looks at it, and to no other.

        Args:
            upload: As it came.
            modality: As the page spells it.
            fields: Of the form.
            strategy: Any.
            demographics: Whether age, sex and place are told too.
            taken: The class that was taken over from the model, if the diagnosis is still that one.
        """
        try:
            record = need_record(fields)
            if taken is not None and record.label == taken:
                note = taken_note(self.answers, need_picture(upload), modality, record, strategy, demographics)
                record = without_diagnosis(record)
            else:
                shown = need_picture(upload) if get_strategy(strategy).needs_model else None
                note = self.answers.note(shown, modality, record, strategy, demographics)
        except DermNoteError as error:
            return Written(alert=cards.alert(fault_line(error)))
        return Written("", note, self._origin(note), claims_card(note, record))

    def check(self, note: Note, text: str, fields: dict[str, Any]) -> Written:
        """The claims of a note that a person edited, held against the fields as they are now filled in.

        Args:
            note: As it was written.
            text: As it reads now.
            fields: Of the form.
        """
        try:
            record, text = need_record(fields), need_text(text, MAX_NOTE)
        except DermNoteError as error:
            return Written(alert=cards.alert(fault_line(error)))
        edited = text != note.text
        checked = audited(replace(note, text=text), record)
        return Written("", checked, self._origin(note, EDITED if edited else ""), claims_card(checked, record, edited))

    def _origin(self, note: Note, then: str = "") -> str:
        return cards.origin(f"{written_by(note, self.answers.writer)} {then}".strip())
