"""Evidence maps as images and as HTML cards."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from dermnote.app.cards import data_url
from dermnote.images.opening import encode_jpeg

if TYPE_CHECKING:
    from dermnote.models.heat_map import Evidence

SIDE = 288  # px
FOR, AGAINST = (224, 108, 20), (28, 110, 186)  # RGB; distinct in colour blindness too
STRONGEST = 0.8  # opacity of the colour at the maximum
ROWS, COLUMNS = ("upper", "middle", "lower"), ("left", "centre", "right")


def overlay(evidence: Evidence, side: int = SIDE) -> Image.Image:
    """Return the image in grey (side x side px) under the map: orange for positive evidence, blue for negative.

    Colours are scaled to the maximum of each map, so two maps cannot be compared by their colours.
    """
    grey = np.asarray(evidence.picture.convert("L").resize((side, side)), dtype=np.float32)
    scaled = _interpolate(evidence, side) / max(float(np.abs(evidence.heat).max()), 1e-12)
    colour = np.where(scaled[..., None] >= 0, np.array(FOR), np.array(AGAINST)).astype(np.float32)
    share = STRONGEST * np.abs(scaled)[..., None]
    mixed = grey[..., None] * (1 - share) + colour * share
    return Image.fromarray(mixed.round().clip(0, 255).astype(np.uint8))


def _interpolate(evidence: Evidence, side: int) -> np.ndarray[Any, Any]:
    """Return the map interpolated to (side, side); the cells of its grid are mostly not evenly spaced squares."""
    pixels = (np.arange(side) + 0.5) * evidence.picture.width / side - 0.5
    at = (pixels - evidence.grid.first) / evidence.grid.step
    rows, columns = ([np.interp(at, np.arange(n), unit) for unit in np.eye(n)] for n in evidence.heat.shape)
    map_: np.ndarray[Any, Any] = np.stack(rows, axis=1) @ evidence.heat @ np.stack(columns)
    return map_


def strongest_place(evidence: Evidence) -> str:
    """Return the position of the map's maximum in words: "the upper left", "the centre"."""
    height, width = evidence.heat.shape
    row, column = divmod(int(evidence.heat.argmax()), width)
    vertical, horizontal = ROWS[row * 3 // height], COLUMNS[column * 3 // width]
    if vertical == "middle":
        return "the centre" if horizontal == "centre" else f"the {horizontal} side"
    return f"the {vertical} middle" if horizontal == "centre" else f"the {vertical} {horizontal}"


def heat_card(evidence: Evidence, what: str, *, text: bool = False) -> str:
    """Return the model's input image beside its heat map; `what` is the class, or the text if `text`."""
    title = "Evidence map for the words" if text else f"Evidence map for {what}"
    meaning = (
        f"Orange fits “{what}”, blue does not. The map adds up to the cosine, {evidence.score:.2f}."
        if text
        else f"Orange raises the score of {what} against the other classes, blue lowers it."
    )
    place = f"Most comes from {strongest_place(evidence)}."
    image, heat = (encode_jpeg(each, 88) for each in (evidence.picture.resize((SIDE, SIDE)), overlay(evidence)))
    return (
        f'<section class="dn-card dn-evidence" aria-label="{escape(title)}"><div class="dn-card-head">'
        f"<h3>{escape(title)}</h3></div>"
        f'<div class="dn-maps">{_figure(image, "What the model saw", "The picture as the model saw it")}'
        f"{_figure(heat, 'Evidence map', f'Evidence map. {place}')}</div>"
        f'<p class="dn-fine"><span class="dn-scale" aria-hidden="true"></span>{escape(meaning)} {escape(place)} '
        "The map is exact, and shows what the model used. It does not show where a disease is.</p></section>"
    )


def no_heat_card(reason: str) -> str:
    """Return the card of a model without evidence maps."""
    return f'<section class="dn-card dn-evidence"><p class="dn-fine">{escape(reason)}</p></section>'


def _figure(jpeg: bytes, caption: str, alt: str) -> str:
    image = f'<img src="{data_url(jpeg)}" alt="{escape(alt)}" width="{SIDE}" height="{SIDE}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"
