"""What a visitor may start with, taken from the bundle's own gallery: pictures, words, values to narrow a search to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dermnote.images.opening import open_picture

if TYPE_CHECKING:
    from PIL.Image import Image

    from dermnote import CaseIndex

PICTURES, TEXTS = 6, 4
FILTERS = ("label", "source", "site")
MAX_EXAMPLE_TEXT = 170
FALLBACK = ("An asymmetric dark brown lesion with an irregular border", "A small symmetric light brown spot")


def example_pictures(index: CaseIndex) -> list[Image]:
    """One picture of each of the first classes, opened as a stranger's would be."""
    thumbnails = (index.thumbnails[row] for row, _ in _one_a_class(index))
    return [open_picture(jpeg) for jpeg, _ in zip((each for each in thumbnails if each), range(PICTURES), strict=False)]


def example_notes(index: CaseIndex) -> list[str]:
    """Descriptions of a few cases, short enough for a button."""
    texts = [str(case["description"] or "").strip() for _, case in _one_a_class(index)]
    short = [text[0].upper() + text[1:] for text in texts if 0 < len(text) <= MAX_EXAMPLE_TEXT]
    return list(dict.fromkeys(short))[:TEXTS] or list(FALLBACK)


def filter_values(index: CaseIndex) -> dict[str, list[str]]:
    """By field, what is recorded of the gallery's cases, in alphabetical order; a field of one value is no choice."""
    table = index.columns(*FILTERS)
    values = {name: sorted({str(value) for value in table[name].dropna()} - {""}) for name in FILTERS}
    return {name: each if len(each) > 1 else [] for name, each in values.items()}


def _one_a_class(index: CaseIndex) -> Iterator[tuple[int, dict[str, Any]]]:
    table = index.columns("label", "description").drop_duplicates("label")
    table = table.astype(object).where(table.notna(), None)
    for row in table.index:
        yield int(row), table.loc[row].to_dict()
