"""The workbench without a browser: heat maps, distance to known pictures, cases that open, classes taken over."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from standin import StandIn, scribble

from dermnote.app import gallery_cards, gradio_patches
from dermnote.app.case_cards import compose_note, explain_case, novelty_line, read_case, search_gallery
from dermnote.app.gradio_patches import with_preprocess
from dermnote.app.heat_map import AGAINST, FOR, heat_card, overlay, strongest_place
from dermnote.app.service import AppService
from dermnote.errors import ConfigError, IndexQueryError
from dermnote.models.evidence import Evidence
from dermnote.models.feature_map import Grid
from dermnote.models.novelty import Novelty

NASTY = '<img src=x onerror="alert(1)">'


def mapped(heat: np.ndarray, grid: Grid | None = None) -> Evidence:
    side = heat.shape[0]
    even = Grid((side, side), 64 / side / 2 - 0.5, 64 / side)
    return Evidence("melanoma", float(heat.sum()), heat.astype(np.float32), grid or even, Image.new("RGB", (64, 64)))


@pytest.fixture
def service() -> AppService:
    return AppService(StandIn())


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [(0, 0, "the upper left"), (0, 3, "the upper middle"), (3, 3, "the centre"), (3, 6, "the right side")],
)
def test_the_strongest_place_in_words(row: int, column: int, words: str) -> None:
    heat = np.zeros((7, 7))
    heat[row, column] = 1
    assert strongest_place(mapped(heat)) == words


def test_places_for_an_answer_are_orange_and_places_against_it_blue() -> None:
    heat = np.zeros((4, 4))
    heat[0, 0], heat[3, 3] = 1, -1
    drawn = np.asarray(overlay(mapped(heat), 64)).astype(int)
    for place, colour in (((7, 7), FOR), ((56, 56), AGAINST)):
        assert np.abs(drawn[place] - 0.8 * np.array(colour)).max() < 25
    assert drawn[32, 8].max() < 10  # nothing was there, and the picture is black


def test_the_map_is_drawn_where_the_places_lie() -> None:
    """Most networks' first place lies on the first pixel, not in the middle of a square."""
    heat = np.zeros((4, 4))
    heat[1, 1] = 1
    drawn = np.asarray(overlay(mapped(heat, Grid((4, 4), 0.0, 16.0)), 64)).astype(int).sum(axis=2)
    assert np.unravel_index(drawn.argmax(), drawn.shape) == (16, 16)


def test_a_map_of_zeros_is_the_grey_picture() -> None:
    assert np.asarray(overlay(mapped(np.zeros((4, 4))))).max() == 0


def test_cards_of_heat_escape_and_caution() -> None:
    page = heat_card(mapped(np.eye(4)), NASTY, text=True) + heat_card(mapped(np.eye(4)), NASTY)
    assert NASTY not in page and "does not show where a disease is" in page
    assert len(re.findall(r'alt="[^"]+"', page)) == 4


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, ""),
        (Novelty(0.9, 0.2, 1.0), "farther from that than all of"),
        (Novelty(0.3, 0.2, 0.97), "farther from that than 97% of"),
        (Novelty(0.1, 0.2, 0.4), "60% of the pictures it was checked on lie farther"),
    ],
)
def test_how_far_a_picture_is_stands_in_one_sentence(found: Novelty | None, said: str) -> None:
    line = novelty_line(found)
    assert said in line and ("Unlike" in line) == (found is not None and found.far) and (line == "") == (said == "")


def test_a_read_picture_comes_with_its_distance_and_the_map_of_its_first_class(service: AppService) -> None:
    reading = read_case(service, scribble(1), "cropped")
    assert "Unlike what this model was trained on" in reading.classes
    assert "Where the score for melanocytic nevus comes from" in reading.evidence
    assert reading.classes.count('aria-pressed="true"') == 1


def test_another_class_and_words_are_explained_and_nonsense_is_one_line(service: AppService) -> None:
    alert, card = explain_case(service, scribble(1), "cropped", label="melanocytic nevus")
    assert not alert and "Where the score for melanocytic nevus" in card
    alert, card = explain_case(service, scribble(1), "cropped", text="blue veil")
    assert not alert and "Where it fits the words" in card
    for upload, label, text in ((scribble(1), "wart", None), (scribble(1), None, "  "), (None, "melanoma", None)):
        alert, card = explain_case(service, upload, "cropped", label, text)
        assert 'role="alert"' in alert and not card


def test_a_network_without_maps_says_so_and_is_read_all_the_same(
    service: AppService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConfigError("vit_b_16 does not end in the mean of a map of features.")

    monkeypatch.setattr(service.model, "explain", refuse)
    reading = read_case(service, scribble(1), "cropped")
    assert not reading.alert and "vit_b_16" in reading.evidence and "<img" not in reading.evidence
    assert "vit_b_16" in search_gallery(service, "a mole", 3, maps=True)[0]


def test_a_case_of_the_gallery_opens_and_a_stranger_s_id_is_refused(service: AppService) -> None:
    assert service.open_case("drawn/0003").size == (128, 128)
    with pytest.raises(IndexQueryError, match="called 'drawn/none'"):
        service.open_case("drawn/none")


def test_a_search_narrows_shows_maps_and_says_when_nothing_fits(service: AppService) -> None:
    _, page = search_gallery(service, "a mole", 3, {"label": ["melanoma"]})
    assert page.count("recorded as melanoma") == 6 and page.count("<li") == 3  # in the picture's and the button's name
    _, page = search_gallery(service, "a mole", 3, {"label": ["melanoma"]}, maps=True)
    assert page.count("fits the words") == 3
    shown = base64.b64decode(re.findall(r'base64,([^"]+)"', page)[0])
    assert Image.open(io.BytesIO(shown)).size == (288, 288)
    assert "fits these filters" in gallery_cards.images_card([], "")
    assert service.filters["label"] and service.filters["source"] == []  # one source is no choice


def test_a_class_taken_from_the_model_is_never_told_as_known(service: AppService) -> None:
    fields = {"label": "melanoma", "malignancy": "malignant", "description": "a blue veil", "age": "61"}
    written = compose_note(service, scribble(1), "cropped", fields, "m", True, predicted="melanoma")
    assert written.note is not None and written.note.audit["label_from"] == "model"
    assert written.note.text.startswith("Class predicted by the model from the picture, not confirmed: melanoma")
    assert "blue veil" in written.note.text and "61-year-old" in written.note.text
    assert "diagnosed as" not in written.note.text and "may be wrong" in written.origin
    # Chosen by a person instead, it is what is known.
    known = compose_note(service, scribble(1), "cropped", {**fields, "label": "nevus"}, "m", True, predicted="melanoma")
    assert known.note is not None and "label_from" not in known.note.audit


def test_what_reads_an_upload_stays_when_gradio_makes_the_component_anew() -> None:
    """It does so for a visitor whose handler updated or skipped the component."""
    with gr.Blocks():
        picture = with_preprocess(gr.Image, lambda payload: f"read {payload}")(label="A picture", type="pil")
    again = picture.__class__(label="A picture", type="pil")
    assert (picture.preprocess("x"), again.preprocess("x")) == ("read x", "read x")
    assert again.get_block_name() == "image" and isinstance(again, gr.Image)
    assert not (Path(gradio_patches.__file__).parent / "gradio_patches.pyi").exists()
