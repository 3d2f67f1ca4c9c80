"""Case and search results and evidence maps as HTML, without a browser."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from standin import StandIn, as_jpeg, scribble

from dermnote.app import cards, gallery_cards
from dermnote.app.case_cards import (
    CaseView,
    classes_card,
    compose_note,
    explain_case,
    novelty_line,
    read_case,
    search_gallery,
)
from dermnote.app.heat_map import AGAINST, FOR, heat_card, overlay, strongest_place
from dermnote.app.model.facts import facts, limits
from dermnote.app.service import AppService
from dermnote.errors import ConfigError, ImageError, IndexQueryError
from dermnote.index.hit import Hit
from dermnote.models.heat_map import Evidence, Grid
from dermnote.models.novelty import Novelty
from dermnote.models.prediction import Prediction

NASTY = '<img src=x onerror="alert(1)">&"\''


def test_image_gives_classes_novelty_evidence_note_and_similar_cases(service: AppService) -> None:
    view = read_case(service, scribble(1), "cropped")
    assert "Unlike what this model was trained on" in view.classes
    assert view.classes.count('aria-pressed="true"') == 1 and view.classes.count("dn-bar") == 8
    assert "Evidence map for melanocytic nevus" in view.evidence
    assert view.note.note is not None and "predicted by the model" in view.note.note.text
    notes, images = view.similar.split("Similar pictures", 1)
    _, found = search_gallery(service, "a dark spot", 3)
    for shown in (notes, images, found):
        assert "drawn lesions only" in shown  # the bundle's sentence on its gallery


def test_no_image_shows_the_placeholder_and_a_refused_one_its_error(service: AppService) -> None:
    assert read_case(service, None, "dermoscopy") == CaseView()
    view = read_case(service, ImageError("notes.jpg is no picture."), "dermoscopy")
    assert "notes.jpg" in view.alert and view.note.note is None and "dn-classes" not in view.classes


def test_model_without_text_branch_shows_similar_images_only() -> None:
    service = AppService(StandIn(multimodal=False))  # type: ignore[arg-type]
    view = read_case(service, scribble(9), "dermoscopy")
    assert "melanoma" in view.classes and "Similar pictures" in view.similar and "Similar notes" not in view.similar
    assert "pictures alone" in search_gallery(service, "a dark spot", 3)[0]


def test_class_and_text_are_explained_and_invalid_ones_are_one_line(service: AppService) -> None:
    alert, card = explain_case(service, scribble(1), "cropped", label="melanocytic nevus")
    assert not alert and "Evidence map for melanocytic nevus" in card
    alert, card = explain_case(service, scribble(1), "cropped", text="blue veil")
    assert not alert and "Evidence map for the words" in card
    for upload, label, text in ((scribble(1), "wart", None), (scribble(1), None, "  "), (None, "melanoma", None)):
        alert, card = explain_case(service, upload, "cropped", label, text)
        assert 'role="alert"' in alert and not card


def test_network_without_evidence_maps_still_reads(service: AppService, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConfigError("vit_b_16 does not end in the mean of a map of features.")

    monkeypatch.setattr(service.model, "explain", refuse)
    view = read_case(service, scribble(1), "cropped")
    assert not view.alert and "vit_b_16" in view.evidence and "<img" not in view.evidence
    assert "vit_b_16" in search_gallery(service, "a mole", 3, maps=True)[0]


def test_gallery_case_opens_and_an_unknown_one_is_refused(service: AppService) -> None:
    assert service.open_case("drawn/0003").size == (128, 128)
    with pytest.raises(IndexQueryError, match="called 'drawn/none'"):
        service.open_case("drawn/none")


def test_search_filters_shows_maps_and_reports_an_empty_result(service: AppService) -> None:
    _, page = search_gallery(service, "a mole", 3, {"label": ["melanoma"]})
    assert page.count("recorded as melanoma") == 6 and page.count("<li") == 3  # image and button have the name
    _, page = search_gallery(service, "a mole", 3, {"label": ["melanoma"]}, maps=True)
    assert page.count("fits the words") == 3
    shown = base64.b64decode(re.findall(r'base64,([^"]+)"', page)[0])
    assert Image.open(io.BytesIO(shown)).size == (288, 288)
    assert "fits these filters" in gallery_cards.images_card([], "")


def test_examples_and_filters_come_from_the_gallery(service: AppService) -> None:
    assert len(service.examples) == 6
    assert len(set(service.queries)) == len(service.queries) == 4 and all(text[0].isupper() for text in service.queries)
    assert service.filters["label"] and service.filters["source"] == []  # one source is no choice


def test_note_on_a_predicted_class_never_states_it_as_known(service: AppService) -> None:
    fields = {"label": "melanoma", "malignancy": "malignant", "description": "a blue veil", "age": "61"}
    view = compose_note(service, scribble(1), "cropped", fields, "m", True, predicted="melanoma")
    assert view.note is not None and view.note.audit is not None and view.note.audit["label_from"] == "model"
    assert view.note.text.startswith("Class predicted by the model from the picture, not confirmed: melanoma")
    assert "blue veil" in view.note.text and "61-year-old" in view.note.text
    assert "diagnosed as" not in view.note.text and "may be wrong" in view.origin
    # Another class than the predicted one was chosen by a person, so it is known.
    fields["label"] = "nevus"
    known = compose_note(service, scribble(1), "cropped", fields, "m", True, predicted="melanoma").note
    assert known is not None and known.audit is not None and "label_from" not in known.audit


@pytest.mark.parametrize(
    ("novelty", "text"),
    [
        (None, ""),
        (Novelty(0.9, 0.2, 1.0), "farther from the training pictures than all of"),
        (Novelty(0.3, 0.2, 0.97), "farther from the training pictures than 97% of"),
        (Novelty(0.1, 0.2, 0.4), "60% of the test pictures are farther"),
    ],
)
def test_novelty_is_one_sentence(novelty: Novelty | None, text: str) -> None:
    line = novelty_line(novelty)
    assert text in line and (line == "") == (text == "")
    assert ("Unlike" in line) == (novelty is not None and novelty.far)


@pytest.mark.parametrize(
    ("probability", "text"), [(0.0, "<1%"), (0.004, "<1%"), (0.5, "50%"), (0.994, ">99%"), (1.0, ">99%")]
)
def test_percentage_never_claims_certainty(probability: float, text: str) -> None:
    assert f">{text}</span>" in classes_card([Prediction("nevus", probability, 0, "benign", "")], "cropped")


def test_text_from_a_bundle_is_escaped() -> None:
    hit = Hit(NASTY, 0.5, NASTY, NASTY, NASTY, "train", malignancy=NASTY, thumbnail_jpeg=as_jpeg(scribble(6)))
    model = StandIn()
    model.source = model.revision = NASTY
    object.__setattr__(model.config, "gallery", NASTY)
    object.__setattr__(model.config, "sources", (NASTY,))
    layouts = (gallery_cards.notes_card, gallery_cards.images_card, gallery_cards.similar_card)
    pages = [layout([hit], NASTY) for layout in layouts]
    pages += [cards.alert(NASTY), cards.header(model), facts(model)]  # type: ignore[arg-type]
    for page in pages:
        assert "<img src=x" not in page and 'onerror="' not in page


def test_every_result_says_research_only(service: AppService) -> None:
    view = read_case(service, scribble(7), "dermoscopy")
    surfaces = [cards.header(service.model), limits(), cards.footer(), view.classes, view.note.origin, view.similar]
    for surface in [*surfaces, search_gallery(service, "a dark spot", 3)[1]]:
        assert "Research use only, never a diagnosis." in surface


# Evidence maps.


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
