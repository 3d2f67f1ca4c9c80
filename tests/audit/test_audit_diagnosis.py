"""The diagnosis a note concludes, among alternatives, rejections and comparisons: sentences in many styles."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dermnote.notes import audit, contradicted, stated_diagnosis

CONCLUSIONS: dict[str, list[str]] = yaml.safe_load(Path(__file__).with_name("conclusions.yaml").read_text("utf-8"))
COMPARISONS: dict[str, list[str | dict[str, str]]] = yaml.safe_load(
    Path(__file__).with_name("comparisons.yaml").read_text("utf-8")
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


@pytest.mark.parametrize(("text", "classname"), [(text, name) for name, texts in CONCLUSIONS.items() for text in texts])
def test_the_conclusion_is_found_in_any_style_and_case(text: str, classname: str) -> None:
    lower = [] if CAPITALS_ALONE & set(text.replace(".", " ").split()) else [text.lower()]
    for spelled in (text, text.upper(), *lower):
        stated = stated_diagnosis(audit(spelled, None))
        assert stated is not None and stated.value == classname
    other = "melanocytic nevus" if classname == "dermatofibroma" else "dermatofibroma"
    stated = stated_diagnosis(audit(text, {"label": other}))
    assert stated.verdict == ("contradicted" if stated.polarity == "asserted" else "unsupported")


@pytest.mark.parametrize("text", NO_CONCLUSION)
def test_a_note_without_conclusion_states_none(text: str) -> None:
    assert stated_diagnosis(audit(text, None)) is None


def test_abbreviations_that_are_units_count_in_capitals_alone() -> None:
    assert stated_diagnosis(audit("MM is likely.", None)).value == "melanoma"
    assert audit("A macule of 5 mm, or 5 MM.", None) == []


@pytest.mark.parametrize(("classname", "note"), [(name, note) for name, notes in COMPARISONS.items() for note in notes])
def test_a_likeness_or_an_alternative_contradicts_nothing(classname: str, note: str | dict[str, str]) -> None:
    text, subtype = (note, None) if isinstance(note, str) else (note["text"], note["subtype"])
    claims = audit(text, {"label": classname, "subtype": subtype})
    assert [each for each in contradicted(claims) if each.kind in ("diagnosis", "subtype", "malignancy")] == []
    assert stated_diagnosis(claims).value == classname


@pytest.mark.parametrize(
    ("text", "asserted"),
    [
        ("Diagnosis: nevus. Final diagnosis: melanoma.", {"melanocytic nevus", "melanoma"}),
        ("Diagnosis: nevus. The veil suggests melanoma.", {"melanocytic nevus"}),
        ("Diagnosis: nevus. It has the melanoma of a textbook.", {"melanocytic nevus"}),
        ("Nevus. The picture recalls melanoma.", {"melanocytic nevus"}),
        ("Nevus by record; as melanoma goes, it is pale.", {"melanocytic nevus"}),
        ("What remains is a nevus. Melanoma shows streaks.", {"melanocytic nevus"}),
        ("Melanoma. No melanoma below the line.", {"melanoma"}),
        ("Streaks would suggest melanoma; so a nevus.", {"melanocytic nevus"}),
        ("Had it streaks, melanoma; nevus -> benign", {"melanocytic nevus"}),
        ("Keratosis, actinic.", {"actinic keratosis"}),
        ("A solar (actinic) keratosis.", {"actinic keratosis"}),
    ],
)
def test_a_note_asserts_one_class_unless_it_is_firm_on_two(text: str, asserted: set[str]) -> None:
    diagnoses = [claim for claim in audit(text, None) if claim.kind == "diagnosis"]
    assert {claim.value for claim in diagnoses if claim.polarity == "asserted"} == asserted
    assert not asserted & {claim.value for claim in diagnoses if claim.polarity == "denied"}


def test_a_subtype_has_the_polarity_of_its_diagnosis() -> None:
    text = "Blue nevus. A nodular melanoma is its likeness."
    claims = [claim for claim in audit(text, {"label": "NV", "subtype": "Blue nevus"}) if claim.kind == "subtype"]
    assert [(claim.value, claim.polarity, claim.verdict) for claim in claims] == [
        ("blue nevus", "asserted", "supported"),
        ("nodular melanoma", "hedged", "unsupported"),
    ]
