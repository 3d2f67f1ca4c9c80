"""Reading, wording and tables of metrics.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import dermnote
from dermnote.report import sentences, tables
from dermnote.report.checked_json import as_count, as_number, as_text, bounded
from dermnote.report.renderers import render_markdown
from dermnote.report.schema import Metrics

STARTER = json.loads((Path(dermnote.__file__).parent / "starter" / "metrics.json").read_text(encoding="utf-8"))


def block_with(**changes: Any) -> Any:
    raw = {**STARTER["splits"]["test"]["drawn"], **changes}
    return Metrics.read({**STARTER, "splits": {"test": {"drawn": raw}}}).blocks[0]


def test_values_of_the_wrong_type_or_range_are_unknown() -> None:
    assert [as_number(value) for value in (True, "1", float("nan"), float("inf"), 10**400, 3)] == [None] * 5 + [3.0]
    assert [as_count(value) for value in (-1, 1.5, 2.0)] == [None, None, 2]
    assert as_text("a\n\ud800\u202eb") == "a b" and len(as_text("x" * 500)) == 120 and as_text(7) == ""
    assert bounded({"a": list(range(61)), "b": {str(i): i for i in range(99)}}) == {
        "a": [],
        "b": {str(i): i for i in range(60)},
    }
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    assert str(bounded(deep)).count("[") < 20


def test_figures_keep_their_own_interval() -> None:
    raw = STARTER["splits"]["test"]["drawn"]
    block = block_with()
    found, search = raw["classification"], raw["retrieval"]["masked"]["image_to_text"]
    assert block.classification.kappa_linear.ci == tuple(found["ci"]["kappa_linear"])
    read = block.retrieval.search("masked", "image_to_text")
    assert read.map.ci == tuple(search["ci"]) and read.chance.ci is None and read.chance.value == search["chance"]
    assert block.selective.confidence.aurc.ci == tuple(raw["selective"]["confidence"]["ci"])


def test_one_source_is_not_shown_twice() -> None:
    several = {"all": {"sources": ["ham10000", "milk10k"]}, "ham10000": {"n_cases": 1}, "drawn": {"n_cases": 1}}
    read = Metrics.read({"splits": {"test": several}})
    assert [block.source for block in read.blocks] == [*several] and read.main_blocks[0].source == "all"
    one = {"all": {"sources": ["milk10k"]}, "drawn": {"n_cases": 1}, "milk10k": {"n_cases": 1}}
    read = Metrics.read({"splits": {"test": one}})
    assert [block.source for block in read.blocks] == ["drawn", "milk10k"]
    assert [block.source for block in read.main_blocks] == ["milk10k"]


@pytest.mark.parametrize(
    ("ci", "words"),
    [((0.3, 0.5), "above chance"), ((0.1, 0.3), "not distinguishable"), ((0.05, 0.1), "below chance")],
)
def test_a_search_is_compared_with_chance_by_its_interval(ci: tuple[float, float], words: str) -> None:
    way = {"map": sum(ci) / 2, "ci": list(ci), "chance": 0.2}
    block = block_with(retrieval={"masked": {"image_to_text": way, "text_to_image": way}})
    assert " ".join(sentences.summary(block)).count(words) == 2


def test_a_gap_is_stated_only_where_its_interval_excludes_zero() -> None:
    gaps = {"sex": ("male", [0.1, 0.3]), "site": ("back", [0.0, 0.3])}
    groups = {
        name: {"values": {}, "worst": {"kappa": worst}, "gap": {"kappa": {"value": 0.2, "ci": ci}}}
        for name, (worst, ci) in gaps.items()
    }
    text = " ".join(sentences.summary(block_with(groups=groups)))
    assert "By sex it does worst for male: kappa 0.20 [0.10, 0.30] below the best." in text and "back" not in text


def test_the_markdown_report_has_every_figure_of_every_block() -> None:
    metrics = Metrics.read(STARTER)
    report = render_markdown(metrics, ["confusion.png"])
    for block in metrics.blocks:
        for rows in (tables.overview(block), tables.alignment(block), tables.linear_probe(block)):
            assert all(tables.cell_text(cell) in report for row in rows for cell in row.values())
    assert "(confusion.png)" in report and "reliability.png" not in report
    assert report.index("diagnosis masked") < report.index("as written") < report.index("Classification")
    assert "a / b" in tables.markdown([{"name": "a | b".replace(" | ", " | ")}])
