"""Where in a picture an answer comes from, as a picture of its own and in words."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dermnote.app.data_urls import data_url
from dermnote.images.opening import encode_jpeg

if TYPE_CHECKING:
    from dermnote.models.heat_map import Evidence

SIDE = 288  # px
FOR, AGAINST = (224, 108, 20), (28, 110, 186)  # told apart by the colour-blind too
STRONGEST = 0.8  # of the colour where the map is strongest
ROWS, COLUMNS = ("upper", "middle", "lower"), ("left", "centre", "right")


def overlay(found: Evidence, side: int = SIDE) -> Image.Image:
    """The picture in grey, under orange where a place speaks for the answer and blue where it speaks against it.

    The strongest place has the strongest colour: two maps cannot be compared by their colours.
    """
    grey = np.asarray(found.picture.convert("L").resize((side, side)), dtype=np.float32)
    scaled = _spread(found, side) / max(float(np.abs(found.heat).max()), 1e-12)
    colour = np.where(scaled[..., None] >= 0, np.array(FOR), np.array(AGAINST)).astype(np.float32)
    share = STRONGEST * np.abs(scaled)[..., None]
    mixed = grey[..., None] * (1 - share) + colour * share
    return Image.fromarray(mixed.round().clip(0, 255).astype(np.uint8))


def _spread(found: Evidence, side: int) -> np.ndarray:
    """(side, side): the map drawn out between the centres of its places, which mostly lie off those of even squares."""
    pixels = (np.arange(side) + 0.5) * found.picture.width / side - 0.5
    at = (pixels - found.grid.first) / found.grid.step
    rows, columns = ([np.interp(at, np.arange(n), unit) for unit in np.eye(n)] for n in found.heat.shape)
    spread: np.ndarray = np.stack(rows, axis=1) @ found.heat @ np.stack(columns)
    return spread


def strongest_place(found: Evidence) -> str:
    """Where most of the score comes from, in words: "the upper left", "the centre"."""
    height, width = found.heat.shape
    row, column = divmod(int(found.heat.argmax()), width)
    vertical, horizontal = ROWS[row * 3 // height], COLUMNS[column * 3 // width]
    if vertical == "middle":
        return "the centre" if horizontal == "centre" else f"the {horizontal} side"
    return f"the {vertical} middle" if horizontal == "centre" else f"the {vertical} {horizontal}"


def heat_card(found: Evidence, what: str, *, text: bool = False) -> str:
    """The picture as the model saw it, beside its heat map.

    Args:
        found: What is shown.
        what: The class, or the words.
        text: Whether it is words.
    """
    title = "Where it fits the words" if text else f"Where the score for {what} comes from"
    said = (
        f"Orange fits “{what}”, blue does not. The places add up to the cosine, {found.score:.2f}."
        if text
        else f"Orange speaks for {what} rather than the other classes, blue against it."
    )
    place = f"Most comes from {strongest_place(found)}."
    seen, map_ = (encode_jpeg(each, 88) for each in (found.picture.resize((SIDE, SIDE)), overlay(found)))
    return (
        f'<section class="dn-card dn-evidence" aria-label="{escape(title)}"><div class="dn-card-head">'
        f"<h3>{escape(title)}</h3></div>"
        f'<div class="dn-maps">{_figure(seen, "What the model saw", "The picture as the model saw it")}'
        f"{_figure(map_, 'Where the score comes from', f'Heat map. {place}')}</div>"
        f'<p class="dn-fine"><span class="dn-scale" aria-hidden="true"></span>{escape(said)} {escape(place)} '
        "The map is exact, and shows what the model used. It does not show where a disease is.</p></section>"
    )


def no_heat_card(why: str) -> str:
    """What stands there for a model whose answers cannot be divided among places."""
    return f'<section class="dn-card dn-evidence"><p class="dn-fine">{escape(why)}</p></section>'


def _figure(jpeg: bytes, caption: str, alt: str) -> str:
    image = f'<img src="{data_url(jpeg)}" alt="{escape(alt)}" width="{SIDE}" height="{SIDE}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"
