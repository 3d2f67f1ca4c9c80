"""Case and search results as HTML: the service's answers to one visitor input, errors included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

from dermnote.app import cards, gallery_cards
from dermnote.app.claims_card import claims_card
from dermnote.app.events import error_line
from dermnote.app.heat_map import heat_card, no_heat_card, overlay
from dermnote.app.llm_quota.destination import written_by
from dermnote.app.service import CROPPED, MAX_NOTE, AppService, need_record, need_text, without_diagnosis
from dermnote.errors import ConfigError, DermNoteError
from dermnote.images.opening import encode_jpeg, open_image
from dermnote.metadata import LesionMetadata
from dermnote.models.prediction import percent
from dermnote.notes.strategies import get_strategy
from dermnote.notes.writing import audited

if TYPE_CHECKING:
    from PIL.Image import Image

    from dermnote import Hit, Note, Prediction
    from dermnote.app.service import ImageInput
    from dermnote.index.case_table import Where
    from dermnote.models.batch_encoding import EncodedImage
    from dermnote.models.novelty import Novelty

EDITED = "Edited by hand since."
NOTES_SHOWN, IMAGES_SHOWN = 4, 6
NO_IMAGE = cards.empty(
    "Nothing read yet",
    "Drop a picture of one lesion, or press an example. Classes, a written note and similar notes appear here.",
)
NO_TEXT = cards.empty("No pictures yet", "Type a note, or press an example, to see the gallery's nearest pictures.")


@dataclass(frozen=True)
class NoteView:
    """Page elements of a note; all but the alert are empty if there is none.

    Attributes:
        alert: HTML of the error line beside the form.
        note: The note.
        origin: HTML of the line on its author and sources.
        claims: HTML of the claims card.
    """

    alert: str = ""
    note: Note | None = None
    origin: str = ""
    claims: str = ""


@dataclass(frozen=True)
class CaseView:
    """Page elements of an image; `alert` is empty unless the image was refused.

    Attributes:
        alert: HTML of the error line beside the input.
        classes: HTML of the classes card.
        evidence: HTML of the heat map of the most probable class.
        note: The note and what is shown with it.
        similar: HTML of the similar notes and images.
        likeliest: Label and malignancy of the most probable class, for the form.
    """

    alert: str = ""
    classes: str = NO_IMAGE
    evidence: str = ""
    note: NoteView = NoteView()
    similar: str = ""
    likeliest: tuple[str, str] | None = None


def read_case(service: AppService, upload: Image | DermNoteError | None, modality: str) -> CaseView:
    """Encode an image once and return classes, evidence map, note and similar cases."""
    if upload is None:
        return CaseView()
    try:
        image = service.read_image(upload, modality)
        predictions = service.classify(image, modality)
        novelty = service.novelty(image, modality)
        note = service.write_note(image, modality, LesionMetadata(), "m", demographics=False)
    except DermNoteError as error:
        return CaseView(alert=cards.alert(error_line(error)))
    return CaseView(
        classes=classes_card(predictions, modality, above=novelty_line(novelty)),
        evidence=_heat(service, image, modality, label=predictions[0].label),
        note=_note_view(service, note, LesionMetadata()),
        similar=_similar(service, image, modality),
        likeliest=(predictions[0].label, predictions[0].malignancy or ""),
    )


def _similar(service: AppService, image: EncodedImage, modality: str) -> str:
    gallery = service.model.config.gallery
    images = gallery_cards.similar_card(service.find_similar(image, modality, IMAGES_SHOWN), gallery)
    if not service.model.index.has_notes:
        return images
    return gallery_cards.notes_card(service.find_notes(image, modality, NOTES_SHOWN), gallery) + images


def explain_case(
    service: AppService, upload: ImageInput, modality: str, label: str | None = None, text: str | None = None
) -> tuple[str, str]:
    """Return the alert and the heat map of a class (None: the most probable one) or of a text."""
    try:
        return "", _heat(service, upload, modality, label, text)
    except DermNoteError as error:
        return cards.alert(error_line(error)), ""


def _heat(
    service: AppService, image: ImageInput, modality: str, label: str | None = None, text: str | None = None
) -> str:
    try:
        evidence = service.explain(image, modality, label, text)
    except ConfigError as error:  # a network without an evidence map is no mistake of the visitor
        return no_heat_card(error.message)
    return heat_card(evidence, evidence.of, text=text is not None)


def search_gallery(
    service: AppService, text: str, k: float, where: Where | None = None, maps: bool = False
) -> tuple[str, str]:
    """Return the alert and the images nearest to a note; with `maps`, under the evidence map of the text."""
    try:
        hits = service.find_images(text, k, where)
        heats = {hit.case_id: _hit_map(service, hit, text) for hit in hits if hit.thumbnail_jpeg} if maps else {}
    except DermNoteError as error:
        return cards.alert(error_line(error)), NO_TEXT
    return "", gallery_cards.images_card(hits, service.model.config.gallery, heats)


def _hit_map(service: AppService, hit: Hit, text: str) -> bytes:
    assert hit.thumbnail_jpeg is not None
    return encode_jpeg(overlay(service.explain(open_image(hit.thumbnail_jpeg), CROPPED, text=text)), 85)


def compose_note(
    service: AppService,
    upload: Image | DermNoteError | None,
    modality: str,
    fields: dict[str, Any],
    strategy: str,
    demographics: bool,
    predicted: str | None = None,
) -> NoteView:
    """Write a note from the form. The image is used only by the strategies that need it.

    `predicted` is the class that was copied from the prediction, if any.
    """
    try:
        record = need_record(fields)
        if predicted is not None and record.label == predicted:
            note = service.write_predicted_note(upload, modality, record, strategy, demographics)
            record = without_diagnosis(record)
        else:
            image = upload if get_strategy(strategy).needs_model else None
            note = service.write_note(image, modality, record, strategy, demographics)
    except DermNoteError as error:
        return NoteView(alert=cards.alert(error_line(error)))
    return _note_view(service, note, record)


def check_note(service: AppService, note: Note, text: str, fields: dict[str, Any]) -> NoteView:
    """Audit the edited text of a note against the current fields of the form."""
    try:
        record, text = need_record(fields), need_text(text, MAX_NOTE)
    except DermNoteError as error:
        return NoteView(alert=cards.alert(error_line(error)))
    edited = text != note.text
    checked = audited(replace(note, text=text), record)
    return _note_view(service, checked, record, edited=edited)


def _note_view(service: AppService, note: Note, record: LesionMetadata, *, edited: bool = False) -> NoteView:
    line = f"{written_by(note, service.writer)} {EDITED if edited else ''}".strip()
    origin = f'<p class="dn-origin"><strong>{cards.RESEARCH_ONLY}</strong> {escape(line)}</p>'
    return NoteView("", note, origin, claims_card(note, record, edited))


def novelty_line(novelty: Novelty | None) -> str:
    """Return a warning for an image unlike the training images, a quiet line for others; "" if unknown."""
    if novelty is None:
        return ""
    if novelty.far:
        farther = "all" if novelty.nearer >= 1 else f"{novelty.nearer:.0%}"
        return (
            '<p class="dn-far" role="status"><strong>Unlike what this model was trained on.</strong> It is farther '
            f"from the training pictures than {farther} of the test pictures; the results below are guesses.</p>"
        )
    return (
        '<p class="dn-near">Like pictures this model was trained on: '
        f"{1 - novelty.nearer:.0%} of the test pictures are farther from them.</p>"
    )


def classes_card(predictions: Sequence[Prediction], modality: str, above: str = "") -> str:
    """Return every class as a bar with its percentage; the name of each is a button for its evidence map."""
    rows = "".join(_class_row(each, place) for place, each in enumerate(predictions))
    return (
        f'<section class="dn-card" aria-label="Classes">{cards.card_head("Classification")}'
        f'{above}<ol class="dn-classes">{rows}</ol>'
        f'<p class="dn-fine">{escape(cards.READ_AS[modality])} Shares of the score this model gives to the classes it '
        "knows. They do not say how likely a disease is in a person; a lesion of another kind gets shares too.</p>"
        "</section>"
    )


def _class_row(prediction: Prediction, place: int) -> str:
    share = min(1.0, max(0.0, prediction.probability))
    description = f'<span class="dn-class-note">{escape(prediction.description)}</span>' if place < 3 else ""
    name = (
        f'<button type="button" class="dn-class-name" data-label="{escape(prediction.label)}" '
        f'aria-pressed="{"false" if place else "true"}" title="Show where this score comes from">'
        f"{escape(prediction.label)}</button>{cards.malignancy_tag(prediction.malignancy)}"
    )
    return (
        f'<li><div class="dn-class-line"><span class="dn-class-who">{name}</span>'
        f'<span class="dn-share">{percent(share)}</span></div>'
        f'<div class="dn-bar" aria-hidden="true"><i style="width:{share:.1%}"></i></div>{description}</li>'
    )
