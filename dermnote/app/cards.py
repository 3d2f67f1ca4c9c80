"""HTML elements of the page that the tabs share: header, headings, alerts, tags; all text is escaped."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from dermnote.images.opening import encode_jpeg

if TYPE_CHECKING:
    from PIL.Image import Image

    from dermnote import DermNote

RESEARCH_ONLY = "Research use only, never a diagnosis."
READ_AS = {
    "dermoscopy": "Read as dermoscopy: cropped to the lesion first.",
    "clinical": "Read as a clinical photo: taken whole.",
    "cropped": "Read as it is: already cropped.",
}
MARK = (  # a lesion under a magnifying glass
    '<svg class="dn-mark" viewBox="0 0 48 48" aria-hidden="true"><circle cx="21" cy="21" r="16" fill="none" '
    'stroke="currentColor" stroke-width="3.5"/><path d="M33 33l11 11" stroke="currentColor" stroke-width="4.5" '
    'stroke-linecap="round"/><path d="M14.5 22c-1-5 3-9.5 7.5-8.5 3.5-.5 7 2.5 6.5 6.5 1 4.5-2.5 8.5-7 '
    '8-3.5 1-6.5-2-7-6z" fill="var(--dn-accent)"/></svg>'
)


def alert(message: str) -> str:
    """Return an error line, placed beside its input; "" for an empty message."""
    return f'<p class="dn-alert" role="alert">{escape(message)}</p>' if message else ""


def empty(title: str, text: str) -> str:
    """Return the placeholder of results."""
    return f'<section class="dn-card dn-empty"><h3>{escape(title)}</h3><p>{escape(text)}</p></section>'


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun: "1 file", "1,200 files"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def card_head(title: str) -> str:
    """Return the head of a result card: its title, and the research-only line."""
    caution = f'<span class="dn-caution">{RESEARCH_ONLY}</span>'
    return f'<div class="dn-card-head"><h3>{escape(title)}</h3>{caution}</div>'


def malignancy_tag(malignancy: str | None) -> str:
    """Return benign, pre-cancerous or malignant as a tag, marked by shape as well as by colour."""
    if not malignancy:
        return ""
    return f'<span class="dn-tag dn-tag-{escape(malignancy)}">{escape(malignancy)}</span>'


def examples_strip(images: Sequence[Image]) -> str:
    """Return example images as buttons numbered by `data-index`."""
    if not images:
        return ""
    buttons = "".join(
        f'<button type="button" class="dn-example" data-index="{place}" aria-label="Read example {place + 1}">'
        f'<img src="{data_url(encode_jpeg(image, 88))}" alt="" width="62" height="62"></button>'
        for place, image in enumerate(images)
    )
    return f'<p class="dn-label">Or try one from the gallery</p><div class="dn-examples">{buttons}</div>'


def header(model: DermNote) -> str:
    """Return the page header: name, purpose, and the model that answers."""
    revision = f' <span class="dn-revision">@ {escape(str(model.revision)[:12])}</span>' if model.revision else ""
    return (
        f'<header class="dn-header"><div class="dn-brand">{MARK}<div><h1>DermNote</h1>'
        "<p>Classes and clinical notes for a picture of a skin lesion, and pictures for a note.</p>"
        f'</div></div><div class="dn-model"><span><b>{escape(shown_source(model.source))}</b>{revision}</span>'
        f'<span class="dn-soft">{escape(trained_on(model))}</span></div></header>'
        f'<aside class="dn-banner" aria-label="Limits of use"><strong>{RESEARCH_ONLY}</strong> '
        "The answers are often wrong. If a spot on your skin worries you, show it to a doctor.</aside>"
    )


def trained_on(model: DermNote) -> str:
    """Return the training sources of the weights and their licence in one line."""
    sources = ", ".join(model.config.sources)
    return " · ".join(filter(None, (f"trained on {sources}" if sources else "", f"licence {model.config.licence}")))


def shown_source(source: Any) -> str:
    """Return the name of a model for the page: a Hub name as it is, of a folder only the last part."""
    text = str(source or "")
    if text.count("/") == 1 and not text.startswith(("/", ".")):
        return text
    return text.rstrip("/").rsplit("/", 1)[-1] or "unnamed model"


def footer() -> str:
    """Return the last line of the page."""
    return f'<p class="dn-foot"><strong>{RESEARCH_ONLY}</strong> DermNote is not a medical device.</p>'


def heading(title: str, text: str) -> str:
    """Return the heading of a tab."""
    return f'<div class="dn-heading"><h2>{escape(title)}</h2><p>{escape(text)}</p></div>'


def data_url(jpeg: bytes) -> str:
    """Return a JPEG as a `data:` URL, which needs no second request."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
