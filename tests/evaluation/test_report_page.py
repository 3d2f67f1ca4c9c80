"""report.html: complete, escaped, and without any request; its map and example searches."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dermnote.report.schema import Metrics
from train.evaluation.embedded_cases import Embedded
from train.evaluation.examples import best_and_worst, embedding_map, example_searches, project
from train.evaluation.report_files import report_page

STARTER = Path(__file__).resolve().parents[2] / "dermnote" / "starter" / "metrics.json"
NAMES = ("nevus", "melanoma", "basal & <cell>")


def embedded(count: int = 60, classes: int = 3, seed: int = 0) -> Embedded:
    """Images around the note of their class; one image of class 0 is at the note of class 1."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    centres = np.eye(8)[:classes]
    image = centres[labels] + 0.2 * rng.normal(size=(count, 8))
    image[0] = centres[1]
    image /= np.linalg.norm(image, axis=1, keepdims=True)
    texts = np.array([f"Signs of kind {label}." for label in labels], dtype=object)
    return Embedded(
        table=pd.DataFrame({"case_id": [f"x/{row}" for row in range(count)]}),
        labels=labels,
        image=image.astype(np.float32),
        logits=image[:, :classes],
        noted=np.ones(count, dtype=bool),
        notes={"masked": centres[labels].astype(np.float32), "as_written": centres[labels].astype(np.float32)},
        texts={"masked": texts, "as_written": texts},
    )


def thumbnail(case_id: str) -> bytes:
    shade = int(case_id.split("/")[1]) * 4
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (shade, 90, 60)).save(buffer, "JPEG")
    return buffer.getvalue()


def figures(**changes) -> dict:
    return json.loads(STARTER.read_text(encoding="utf-8")) | changes


def page(cases: Embedded, thumbnail_of=thumbnail, **changes) -> str:
    return report_page(Metrics.read(figures(**changes)), {"test": cases}, thumbnail_of)


class Tags(HTMLParser):
    """Every tag is closed in order; addresses and ids are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "link", "img", "br", "path", "line", "polyline", "circle"):
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "data", "action"):
                self.addresses.append(value)

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            assert tag in ("path", "line", "polyline", "circle"), tag


@pytest.mark.slow
def test_the_page_is_complete_and_requests_nothing():
    html = page(embedded())
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    assert len(tags.ids) == len(set(tags.ids)), "two charts share an id"
    assert all(each.startswith(("#", "data:image/jpeg;base64,")) for each in tags.addresses)
    assert {each[1:] for each in tags.addresses if each.startswith("#")} <= set(tags.ids)
    assert not re.search(r"url\((?!#|'#|\"#)", html) and "@import" not in html and "<script" not in html
    assert "default-src 'none'" in html
    assert "Research use only, never a diagnosis." in html


@pytest.mark.slow
def test_outside_text_is_escaped():
    cases = embedded()
    cases.texts["masked"][:30] = "<b>bold</b> & more"
    html = page(cases, run="runs/<script>alert(1)</script>")
    assert "<script" not in html and "<b>bold" not in html
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; more" in html


def test_best_and_worst_searches():
    cases = embedded()
    found = best_and_worst(cases, "image_to_text", NAMES, thumbnail)
    assert len(found["best"]) == len(found["worst"]) == 3
    assert {each.query.title for each in found["best"]} == set(NAMES)
    lost = found["worst"][0]
    assert lost.query.title == "nevus" and not lost.found[0].correct and lost.found[0].title == "melanoma"
    assert lost.precision < min(each.precision for each in found["best"]) == 1
    # Twenty cases have the same note: it is shown once.
    assert [item.text for item in found["best"][0].found] == list(dict.fromkeys(i.text for i in found["best"][0].found))
    back = best_and_worst(cases, "text_to_image", NAMES, thumbnail)
    assert back["best"][0].query.text and all(item.image for item in back["best"][0].found)


def test_without_notes_there_is_nothing_to_search():
    cases = embedded()
    bare = Embedded(cases.table, cases.labels, cases.image, cases.logits, np.zeros(60, dtype=bool), {}, {})
    assert example_searches(bare, NAMES, thumbnail) == {} and len(embedding_map(bare)) == 60


def test_notes_that_are_all_the_same_are_not_searched():
    cases = embedded()
    assert len(example_searches(cases, NAMES, thumbnail)) == 4
    cases.texts["masked"][:] = "Nothing is noted."
    assert example_searches(cases, NAMES, thumbnail) == {}
    block = figures()["splits"]["test"]["drawn"]
    for distinct, shown in ((2, False), (1, True)):
        block["retrieval"]["distinct_notes"]["masked"] = distinct
        html = report_page(Metrics.read(figures(splits={"test": {"drawn": block}})), {}, None)
        assert ("all notes here are the same" in html) == shown


def test_few_cases_have_no_map():
    assert embedding_map(embedded(6)) == [] and "Map of test" not in page(embedded(6), None)


@pytest.mark.slow
def test_near_stays_near_in_the_map():
    cases = embedded(90)
    places = project(cases.image)
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    same = cases.labels[distance.argmin(axis=1)] == cases.labels
    assert same[1:].mean() > 0.95
    assert np.array_equal(places, project(cases.image))
