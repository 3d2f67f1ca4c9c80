"""Evidence maps: their colours, position and description."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from dermnote.app.heat_map import AGAINST, FOR, heat_card, overlay, strongest_place
from dermnote.models.heat_map import Evidence, Grid

NASTY = '<img src=x onerror="alert(1)">'


def evidence_of(heat: np.ndarray, grid: Grid | None = None) -> Evidence:
    side = heat.shape[0]
    even = Grid((side, side), 64 / side / 2 - 0.5, 64 / side)
    return Evidence("melanoma", float(heat.sum()), heat.astype(np.float32), grid or even, Image.new("RGB", (64, 64)))


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [(0, 0, "the upper left"), (0, 3, "the upper middle"), (3, 3, "the centre"), (3, 6, "the right side")],
)
def test_position_of_the_maximum_in_words(row: int, column: int, words: str) -> None:
    heat = np.zeros((7, 7))
    heat[row, column] = 1
    assert strongest_place(evidence_of(heat)) == words


def test_positive_evidence_is_orange_and_negative_blue() -> None:
    heat = np.zeros((4, 4))
    heat[0, 0], heat[3, 3] = 1, -1
    drawn = np.asarray(overlay(evidence_of(heat), 64)).astype(int)
    for place, colour in (((7, 7), FOR), ((56, 56), AGAINST)):
        assert np.abs(drawn[place] - 0.8 * np.array(colour)).max() < 25
    assert drawn[32, 8].max() < 10  # no evidence there, and the image is black
    assert np.asarray(overlay(evidence_of(np.zeros((4, 4))))).max() == 0


def test_map_is_drawn_at_the_centres_of_its_grid() -> None:
    """The first centre of most networks is at the first pixel, not in the middle of a square."""
    heat = np.zeros((4, 4))
    heat[1, 1] = 1
    drawn = np.asarray(overlay(evidence_of(heat, Grid((4, 4), 0.0, 16.0)), 64)).astype(int).sum(axis=2)
    assert np.unravel_index(drawn.argmax(), drawn.shape) == (16, 16)


def test_card_escapes_describes_and_cautions() -> None:
    page = heat_card(evidence_of(np.eye(4)), NASTY, text=True) + heat_card(evidence_of(np.eye(4)), NASTY)
    assert NASTY not in page and "does not show where a disease is" in page
    assert len(re.findall(r'alt="[^"]+"', page)) == 4
