"""Search hits in the gallery as HTML cards; each image is a button that opens its case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from dermnote.app.cards import card_head, data_url, malignancy_tag

if TYPE_CHECKING:
    from dermnote import Hit


def notes_card(hits: Sequence[Hit], gallery: str) -> str:
    """Return similar cases as rows: the thumbnail beside its note."""
    return _hits("Similar notes", hits, gallery, "dn-rows")


def similar_card(hits: Sequence[Hit], gallery: str) -> str:
    """Return similar images as a strip of thumbnails without notes."""
    return _hits("Similar pictures", hits, gallery, "dn-strip", notes=False)


def images_card(hits: Sequence[Hit], gallery: str, maps: Mapping[str, bytes] | None = None) -> str:
    """Return cases as a grid of images with their notes; `maps` are JPEGs by case id that replace thumbnails."""
    return _hits("Pictures that fit the note", hits, gallery, "dn-grid", maps=maps)


def _hits(
    title: str,
    hits: Sequence[Hit],
    gallery: str,
    layout: str,
    *,
    notes: bool = True,
    maps: Mapping[str, bytes] | None = None,
) -> str:
    rows = "".join(_hit(place, each, (maps or {}).get(each.case_id), notes=notes) for place, each in enumerate(hits, 1))
    contents = f'<p class="dn-gallery">{escape(gallery)}</p>' if gallery else ""
    rows = rows or '<li class="dn-fine">No case of the gallery fits these filters.</li>'
    return (
        f'<section class="dn-card" aria-label="{escape(title)}">{card_head(title)}{contents}'
        f'<ol class="dn-hits {layout}">{rows}</ol></section>'
    )


def _hit(place: int, hit: Hit, heat: bytes | None, *, notes: bool) -> str:
    label = hit.label or "no class recorded"
    note = f'<p class="dn-note">{escape(hit.note or "No note is stored for this case.")}</p>' if notes else ""
    return (
        f'<li class="dn-hit">{_image(place, hit, label, heat)}<div class="dn-hit-text"><div class="dn-class-who">'
        f'<span class="dn-class-name">{escape(label)}</span>{malignancy_tag(hit.malignancy)}</div>'
        f"{note}"
        f'<p class="dn-where"><span title="Cosine similarity, from -1 to 1">similarity {hit.score:.2f}</span>'
        f"<span>{escape(hit.case_id)}</span></p></div></li>"
    )


def _image(place: int, hit: Hit, label: str, heat: bytes | None) -> str:
    if hit.thumbnail_jpeg is None:
        return '<div class="dn-thumb dn-no-thumb">no picture</div>'
    name = f"Case {place} of the gallery, recorded as {label}"
    alt = f"Where the picture of case {place} fits the words" if heat else name
    return (
        f'<button type="button" class="dn-open" data-case="{escape(hit.case_id)}" '
        f'aria-label="Open: {escape(name)}" title="Open this case in the workbench">'
        f'<img class="dn-thumb" src="{data_url(heat or hit.thumbnail_jpeg)}" alt="{escape(alt)}" '
        f'width="128" height="128"></button>'
    )
