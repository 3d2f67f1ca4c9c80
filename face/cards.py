"""Results as HTML cards. Pure functions of what the model answered; every outside word is escaped."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from dermnote.picture import encode_jpeg

if TYPE_CHECKING:
    from PIL.Image import Image

    from dermnote import Hit, Prediction

RESEARCH_ONLY = "Research use only, never a diagnosis."


def percent(share: float) -> str:
    """A probability (0..1) in words that never claim certainty."""
    if share < 0.01:
        return "<1%"
    if share > 0.99:
        return ">99%"
    return f"{share:.0%}"


def data_url(jpeg: bytes) -> str:
    """A JPEG as a `data:` URL, so that no second request fetches it."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


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


def classes_card(predictions: Sequence[Prediction], modality: str) -> str:
    """Every class as a bar with its percentage, the likeliest first; `modality` as the page spells it."""
    rows = "".join(_class_row(each, detailed=place < 3) for place, each in enumerate(predictions))
    return (
        '<section class="dn-card" aria-label="Classes"><div class="dn-card-head">'
        f'<h3>Classes, as the model scores them</h3><span class="dn-caution">{RESEARCH_ONLY}</span></div>'
        f'<ol class="dn-classes">{rows}</ol>'
        f'<p class="dn-fine">{escape(READ_AS[modality])} Shares of the score this model gives to the classes it knows. '
        "They do not say how likely a disease is in a person; a lesion of another kind gets shares too.</p></section>"
    )


def _class_row(prediction: Prediction, *, detailed: bool) -> str:
    share = min(1.0, max(0.0, prediction.probability))
    description = f'<span class="dn-class-note">{escape(prediction.description)}</span>' if detailed else ""
    who = f'<span class="dn-class-name">{escape(prediction.label)}</span>{malignancy_tag(prediction.malignancy)}'
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


def notes_card(hits: Sequence[Hit], gallery: str) -> str:
    """Similar cases as rows: thumbnail beside its note."""
    return _hits("Similar notes", hits, gallery, "dn-rows")


def similar_card(hits: Sequence[Hit], gallery: str) -> str:
    """Similar pictures as a strip of thumbnails, without their notes."""
    return _hits("Similar pictures", hits, gallery, "dn-strip", notes=False)


def pictures_card(hits: Sequence[Hit], gallery: str) -> str:
    """Similar cases as a grid of pictures, each with its note below."""
    return _hits("Pictures that fit the note", hits, gallery, "dn-grid")


def _hits(title: str, hits: Sequence[Hit], gallery: str, layout: str, *, notes: bool = True) -> str:
    rows = "".join(_hit(place, each, notes=notes) for place, each in enumerate(hits, start=1))
    return (
        f'<section class="dn-card" aria-label="{escape(title)}"><div class="dn-card-head"><h3>{escape(title)}</h3>'
        f'<span class="dn-caution">{RESEARCH_ONLY}</span></div>{gallery_line(gallery)}'
        f'<ol class="dn-hits {layout}">{rows}</ol></section>'
    )


def gallery_line(gallery: str) -> str:
    """The bundle's own sentence on what its gallery holds."""
    return f'<p class="dn-gallery">{escape(gallery)}</p>' if gallery else ""


def _hit(place: int, hit: Hit, *, notes: bool) -> str:
    label = hit.label or "no class recorded"
    if hit.thumbnail_jpeg is None:
        picture = '<div class="dn-thumb dn-no-thumb">no picture</div>'
    else:
        alt = f"Case {place} of the gallery, recorded as {label}"
        source = data_url(hit.thumbnail_jpeg)
        picture = f'<img class="dn-thumb" src="{source}" alt="{escape(alt)}" width="128" height="128">'
    note = f'<p class="dn-note">{escape(hit.note or "No note is stored for this case.")}</p>' if notes else ""
    return (
        f'<li class="dn-hit">{picture}<div class="dn-hit-text"><div class="dn-class-who">'
        f'<span class="dn-class-name">{escape(label)}</span>{malignancy_tag(hit.malignancy)}</div>'
        f"{note}"
        f'<p class="dn-where"><span title="Cosine similarity, from -1 to 1">similarity {hit.score:.2f}</span>'
        f"<span>{escape(hit.case_id)}</span></p></div></li>"
    )


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
