"""Claims of a note: diagnosis, polarity, and features, also with the vocabulary of another specialty."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dermnote.notes import audit, contradicted, stated_diagnosis
from dermnote.notes.answers import describe_findings
from dermnote.notes.schema import Note
from dermnote.vocabularies.vocabulary import Vocabulary, dermoscopy

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
    "A macule of 5 mm, or 5 MM.",
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


CASES = yaml.safe_load(Path(__file__).with_name("polarity.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in CASES.items() for text in texts])
def test_polarity_of_what_a_text_names(kind: str, text: str) -> None:
    expected = {value: polarity for polarity, values in CASES[kind][text].items() for value in values}
    assert {claim.value: claim.polarity for claim in audit(text, None) if claim.kind == kind} == expected


def test_surrounding_skin_is_not_the_lesion() -> None:
    text = "A red papule on light brown, sun-damaged skin. The surrounding skin is white with a normal network."
    assert {claim.value for claim in audit(text, None)} == {"red"}


WHOLE_NOTES = yaml.safe_load(Path(__file__).with_name("findings.yaml").read_text(encoding="utf-8"))
OPTIONS = yaml.safe_load(Path(__file__).with_name("options.yaml").read_text(encoding="utf-8"))
FINDINGS = {"asymmetry": "asymmetric", "border": "mixed", "colours": ["red", "light brown"], "structures": ["dots"]}
ORAL = """
name: oral
picture: a photograph of the inside of the mouth
features:
  surface:
    claim: surface
    options:
      smooth: {}
      verrucous: {words: [warty, papillated surface]}
      uneven: {words: [smooth and verrucous]}
  colours:
    claim: colour
    choose: many
    options:
      white: {words: [leukoplakic]}
      red: {words: [erythroplakic]}
classes:
  - {name: leukoplakia, malignancy: pre-cancerous, words: [white patch]}
  - {name: oral lichen, malignancy: benign}
  - {name: squamous cell carcinoma, malignancy: malignant}
"""


def read(text: str, kind: str) -> set[str]:
    return {claim.value for claim in audit(text, None) if claim.kind == kind and claim.polarity == "asserted"}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in OPTIONS.items() for text in texts])
def test_options_are_read_in_their_own_words(kind: str, text: str) -> None:
    assert read(text, kind) == set(OPTIONS[kind][text])


@pytest.mark.parametrize("note", WHOLE_NOTES, ids=lambda note: note["text"][:30])
def test_whole_notes_name_their_findings_and_no_others(note) -> None:
    for feature in dermoscopy().features:
        listed = note["findings"][feature.name]
        assert read(note["text"], feature.claim) == ({listed} if isinstance(listed, str) else set(listed))


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Red.", "supported"),
        ("Black.", "contradicted"),
        ("No black.", "supported"),
        ("No red.", "contradicted"),
        ("Possibly black.", "unsupported"),
        ("Possibly red.", "supported"),
        ("Symmetric outline.", "contradicted"),
        ("No globules.", "supported"),
    ],
)
def test_findings_decide(text: str, verdict: str) -> None:
    assert [claim.verdict for claim in audit(text, {}, FINDINGS)] == [verdict]
    assert [claim.verdict for claim in audit(text, {})] == ["not checkable"]
    assert [claim.verdict for claim in audit(Note(text, "m+p1", findings=FINDINGS), {})] == [verdict]


def test_rendered_findings_read_back_as_they_are() -> None:
    vocabulary = dermoscopy()
    kinds = {feature.claim: feature for feature in vocabulary.features}
    everything = {each.name: each.choices if each.many else each.choices[-1] for each in vocabulary.features}
    for findings in (FINDINGS, everything, {**FINDINGS, "structures": []}):
        claims = audit(describe_findings(findings, vocabulary), None, findings)
        assert all(claim.verdict == "supported" for claim in claims)
        for kind, feature in kinds.items():
            listed = findings[feature.name]
            read_back = {claim.value for claim in claims if claim.kind == kind and claim.polarity == "asserted"}
            assert read_back == ({listed} if isinstance(listed, str) else set(listed))


def test_another_specialty_is_a_yaml_file(tmp_path: Path) -> None:
    path = tmp_path / "oral.yaml"
    path.write_text(ORAL, encoding="utf-8")
    vocabulary = Vocabulary.read(path)
    text = (
        "A plaque of warty surface, leukoplakic, without erythroplakic parts. It favours a white patch;"
        " SCC cannot be excluded. No melanoma."
    )
    claims = audit(text, {"label": "leukoplakia"}, {"surface": "smooth", "colours": ["white"]}, vocabulary)
    assert [(claim.kind, claim.value, claim.polarity, claim.verdict) for claim in claims] == [
        ("surface", "verrucous", "asserted", "contradicted"),
        ("colour", "white", "asserted", "supported"),
        ("colour", "red", "denied", "supported"),
        ("colour", "white", "asserted", "supported"),
        ("diagnosis", "leukoplakia", "asserted", "supported"),
        ("diagnosis", "squamous cell carcinoma", "hedged", "unsupported"),
    ]
    assert stated_diagnosis(claims).value == "leukoplakia"
    claims = audit("The surface is smooth in front and warty behind.", None, None, vocabulary)
    assert {(claim.kind, claim.value) for claim in claims} == {("surface", "uneven")}
