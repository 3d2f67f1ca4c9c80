"""report.html: what it says, that it shows what it should, and that it asks nobody for anything."""

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from train.evaluation.embedded_cases import Embedded
from train.evaluation.page.examples import best_and_worst
from train.evaluation.page.page import render_page
from train.evaluation.page.projection import project
from train.evaluation.page.summary_sentences import summary

STARTER = Path(__file__).resolve().parents[2] / "dermnote" / "starter" / "metrics.json"
NAMES = ("nevus", "melanoma", "basal & <cell>")


def embedded(count: int = 60, classes: int = 3, seed: int = 0) -> Embedded:
    """Pictures around the note of their class; one picture of class 0 lies at the note of class 1."""
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


def picture(case_id: str) -> bytes:
    shade = int(case_id.split("/")[1]) * 4
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (shade, 90, 60)).save(buffer, "JPEG")
    return buffer.getvalue()


def figures() -> dict:
    """The embedded starter's metrics.json: written before the page was thought of."""
    return json.loads(STARTER.read_text(encoding="utf-8"))


class Tags(HTMLParser):
    """Every tag is closed in order; addresses and ids are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "link", "img", "br", "path", "use", "rect", "input"):
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
            assert tag in ("path", "use", "rect"), tag


def test_the_page_is_whole_and_asks_nobody():
    html = render_page(figures(), {"test": embedded()}, picture)
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    assert len(tags.ids) == len(set(tags.ids)), "two charts share an id"
    assert all(each.startswith(("#", "data:image/jpeg;base64,")) for each in tags.addresses)
    assert {each[1:] for each in tags.addresses if each.startswith("#")} <= set(tags.ids)
    assert not re.search(r"url\((?!#|'#|\"#)", html) and "@import" not in html and "<script" not in html
    assert "default-src 'none'" in html
    assert "Research use only, never a diagnosis." in html


def test_what_is_written_by_others_stays_text():
    cases = embedded()
    cases.texts["masked"][:30] = "<b>bold</b> & more"
    told = figures() | {"run": "runs/<script>alert(1)</script>"}
    html = render_page(told, {"test": cases}, picture)
    assert "<script" not in html and "<b>bold" not in html
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; more" in html


def test_best_and_worst_searches():
    cases = embedded()
    found = best_and_worst(cases, "masked", "image_to_text", NAMES, picture)
    assert len(found["best"]) == len(found["worst"]) == 3
    assert {each.query.title for each in found["best"]} == set(NAMES)
    lost = found["worst"][0]
    assert lost.query.title == "nevus" and not lost.found[0].right and lost.found[0].title == "melanoma"
    assert lost.precision < min(each.precision for each in found["best"]) == 1
    # One note stands for twenty cases: it is shown once.
    assert [item.text for item in found["best"][0].found] == list(dict.fromkeys(i.text for i in found["best"][0].found))
    back = best_and_worst(cases, "masked", "text_to_image", NAMES, picture)
    assert back["best"][0].query.text and all(item.picture for item in back["best"][0].found)


def test_without_notes_there_is_nothing_to_search():
    cases = embedded()
    bare = Embedded(cases.table, cases.labels, cases.image, cases.logits, np.zeros(60, dtype=bool), {}, {})
    html = render_page(figures(), {"test": bare}, picture)
    assert "Searches of test" not in html and "Map of test" in html


def test_notes_that_all_say_the_same_are_not_searched():
    cases = embedded()
    assert "Searches of test" in render_page(figures(), {"test": cases}, picture)
    cases.texts["masked"][:] = "Nothing is noted."
    told = figures()
    assert "Searches of test" not in render_page(told, {"test": cases}, picture)
    block = told["splits"]["test"]["drawn"]
    told["splits"]["test"] = {"drawn": block}
    assert "all notes here say the same" not in render_page(told, {"test": cases}, picture)
    block["retrieval"]["distinct_notes"]["masked"] = 1
    assert "all notes here say the same" in render_page(told, {"test": cases}, picture)


def test_every_letter_of_a_chart_follows_light_and_dark():
    html = render_page(figures(), {"test": embedded()}, None)
    letters = re.findall(r"<text[^>]*>", html)
    assert len(letters) > 50 and all("fill: currentColor" in tag for tag in letters)


def test_few_cases_have_no_map():
    html = render_page(figures(), {"test": embedded(6)}, None)
    assert "Map of test" not in html


def test_near_stays_near_in_the_map():
    cases = embedded(90)
    places = project(cases.image)
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    same = cases.labels[distance.argmin(axis=1)] == cases.labels
    assert same[1:].mean() > 0.95
    assert np.array_equal(places, project(cases.image))


@pytest.mark.parametrize(
    ("ci", "words"), [((0.3, 0.5), "above chance"), ((0.1, 0.3), "not told from chance"), ((0.05, 0.1), "below chance")]
)
def test_a_search_is_judged_by_its_interval(ci, words):
    told = figures()
    block = told["splits"]["test"]["drawn"]
    for way in block["retrieval"]["masked"].values():
        way |= {"map": sum(ci) / 2, "ci": list(ci), "chance": 0.2}
    said = " ".join(summary(block))
    assert said.count(words) == 2


def test_a_gap_is_told_only_where_its_interval_leaves_nought():
    told = figures()
    block = told["splits"]["test"]["drawn"]
    block["groups"] = {
        "sex": {"values": {}, "worst": {"kappa": "male"}, "gap": {"kappa": {"value": 0.2, "ci": [0.1, 0.3]}}},
        "site": {"values": {}, "worst": {"kappa": "back"}, "gap": {"kappa": {"value": 0.2, "ci": [0.0, 0.3]}}},
    }
    said = " ".join(summary(block))
    assert "By sex it does worst for male: 0.200 [0.100, 0.300] kappa behind the best." in said
    assert "back" not in said
