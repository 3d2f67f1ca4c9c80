"""Which diagnosis a note ends up with, among alternatives, rejections and comparisons: sentences in many styles."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dermnote.notes import audit, stated_diagnosis

CONCLUSIONS: dict[str, list[str]] = yaml.safe_load(
    Path(__file__).with_name("audit_conclusions.yaml").read_text(encoding="utf-8")
)
CAPITALS_ALONE = {"MM", "LM", "PG", "MEL", "NV"}
NO_CONCLUSION = (
    "Differential diagnosis between actinic keratosis and Bowen disease. Lesion is precancerous.",
    "Basal cell carcinoma or squamous cell carcinoma.",
    "Melanoma cannot be excluded.",
    "A light brown macule with a network; no diagnosis is offered.",
    "Structures are not melanoma-specific, nor nevus-like.",
    "An adjacent small nevus is unremarkable.",
    "History of melanoma.",
    "",
)


@pytest.mark.parametrize(
    ("text", "classname"), [(text, classname) for classname, texts in CONCLUSIONS.items() for text in texts]
)
def test_the_conclusion_is_found_in_any_style(text: str, classname: str) -> None:
    stated = stated_diagnosis(audit(text, None))
    assert stated is not None and stated.value == classname


@pytest.mark.parametrize("text", NO_CONCLUSION)
def test_a_note_without_conclusion_states_none(text: str) -> None:
    assert stated_diagnosis(audit(text, None)) is None


@pytest.mark.parametrize(("text", "classname"), [(text, name) for name, texts in CONCLUSIONS.items() for text in texts])
def test_capitals_do_not_matter(text: str, classname: str) -> None:
    assert stated_diagnosis(audit(text.upper(), None)).value == classname
    if not CAPITALS_ALONE & set(text.replace(".", " ").split()):
        assert stated_diagnosis(audit(text.lower(), None)).value == classname


def test_abbreviations_that_are_units_count_in_capitals_alone() -> None:
    assert stated_diagnosis(audit("MM is likely.", None)).value == "melanoma"
    assert audit("A macule of 5 mm, or 5 MM.", None) == []
