"""Results as HTML cards. Pure functions of what the model answered; every outside word is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from dermnote.app.data_urls import data_url
from dermnote.images.opening import encode_jpeg
from dermnote.models.prediction import percent

if TYPE_CHECKING:
    from PIL.Image import Image

    from dermnote import Prediction

RESEARCH_ONLY = "Research use only, never a diagnosis."


def alert(message: str) -> str:
    """One line on what went wrong, beside the input it concerns; empty for an empty message."""
    return f'<p class="dn-alert" role="alert">{escape(message)}</p>' if message else ""


def empty(title: str, text: str) -> str:
    """What stands where results will be."""
    return f'<section class="dn-card dn-empty"><h3>{escape(title)}</h3><p>{escape(text)}</p></section>'


READ_AS = {
    "dermoscopy": "Read as dermoscopy: cropped to the lesion first.",
    "clinical": "Read as a clinical photo: taken whole.",
    "cropped": "Read as it is: already cropped.",
}


def classes_card(predictions: Sequence[Prediction], modality: str, above: str = "") -> str:
    """Every class as a bar with its percentage, the likeliest first; the name of each is a button to ask why.

    Args:
        predictions: Likeliest first.
        modality: As the page spells it.
        above: HTML that stands before the bars.
    """
    rows = "".join(_class_row(each, place) for place, each in enumerate(predictions))
    return (
        '<section class="dn-card" aria-label="Classes"><div class="dn-card-head">'
        f'<h3>Classes, as the model scores them</h3><span class="dn-caution">{RESEARCH_ONLY}</span></div>'
        f'{above}<ol class="dn-classes">{rows}</ol>'
        f'<p class="dn-fine">{escape(READ_AS[modality])} Shares of the score this model gives to the classes it knows. '
        "They do not say how likely a disease is in a person; a lesion of another kind gets shares too.</p></section>"
    )


def _class_row(prediction: Prediction, place: int) -> str:
    share = min(1.0, max(0.0, prediction.probability))
    description = f'<span class="dn-class-note">{escape(prediction.description)}</span>' if place < 3 else ""
    who = (
        f'<button type="button" class="dn-class-name" data-label="{escape(prediction.label)}" '
        f'aria-pressed="{"false" if place else "true"}" title="Show where this score comes from">'
        f"{escape(prediction.label)}</button>{malignancy_tag(prediction.malignancy)}"
    )
    return (
        f'<li><div class="dn-class-line"><span class="dn-class-who">{who}</span>'
        f'<span class="dn-share">{percent(share)}</span></div>'
        f'<div class="dn-bar" aria-hidden="true"><i style="width:{share:.1%}"></i></div>{description}</li>'
    )


def malignancy_tag(malignancy: str | None) -> str:
    """The word benign, pre-cancerous or malignant, marked by shape as well as by colour."""
    if not malignancy:
        return ""
    return f'<span class="dn-tag dn-tag-{escape(malignancy)}">{escape(malignancy)}</span>'


def origin(text: str) -> str:
    """What a note was written from, and what it is not."""
    return f'<p class="dn-origin"><strong>{RESEARCH_ONLY}</strong> {escape(text)}</p>'


def examples_strip(pictures: Sequence[Image]) -> str:
    """Example pictures as buttons; `data-index` says which one was pressed."""
    if not pictures:
        return ""
    buttons = "".join(
        f'<button type="button" class="dn-example" data-index="{place}" aria-label="Read example {place + 1}">'
        f'<img src="{data_url(encode_jpeg(picture, 88))}" alt="" width="62" height="62"></button>'
        for place, picture in enumerate(pictures)
    )
    return f'<p class="dn-label">Or try one from the gallery</p><div class="dn-examples">{buttons}</div>'
