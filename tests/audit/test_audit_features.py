"""Features read from text and compared with findings, also with another specialty's vocabulary."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dermnote.notes import audit, stated_diagnosis
from dermnote.notes.answers import describe_findings
from dermnote.notes.schema import Note
from dermnote.vocabularies.vocabulary import Vocabulary, dermoscopy

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


def test_an_option_named_twice_under_a_heading_is_claimed_twice() -> None:
    claims = audit("Border: sharp. The border is sharp, indistinct only below. Colours: red. All is red.", None)
    assert [(claim.kind, claim.value) for claim in claims] == [("border", "sharp")] * 2 + [("colour", "red")] * 2


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


def test_findings_without_a_feature_do_not_check_it() -> None:
    note = Note("Red and symmetric.", "p3", findings={"stated_class": "melanoma", "stated_malignancy": "malignant"})
    assert {claim.verdict for claim in audit(note, {})} == {"not checkable"}
    assert [claim.verdict for claim in audit("Red and symmetric.", {}, {"colours": 3, "asymmetry": None})] == [
        "not checkable"
    ] * 2


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
