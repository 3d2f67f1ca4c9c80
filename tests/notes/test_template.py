"""Strategies, the template, notes of a predicted class, and the notes.jsonl format."""

from __future__ import annotations

import itertools
import json
import re

import pytest

from dermnote.errors import NotesError
from dermnote.metadata import LesionMetadata
from dermnote.notes import template
from dermnote.notes.schema import Note, NoteRow, from_row, notes_by_case, read_notes, write_notes
from dermnote.notes.strategies import STRATEGIES, get_strategy
from dermnote.notes.template import predicted_note, prompt_version, say_predicted, template_note, write_template

FULL = {
    "label": "melanoma",
    "subtype": "Lentigo maligna",
    "malignancy": "malignant",
    "description": "Irregular network; blue veil.",
    "age": 81.0,
    "sex": "female",
    "site": "head_neck_face",
    "skin_type": "Fitzpatrick III",
}
WITHOUT_DEMOGRAPHICS = {"label", "subtype", "malignancy", "description"}


def subsets():
    return itertools.chain.from_iterable(itertools.combinations(FULL, size) for size in range(len(FULL) + 1))


@pytest.mark.parametrize("demographics", [False, True])
def test_every_subset_of_fields_gives_whole_sentences(demographics):
    for names in subsets():
        metadata = LesionMetadata(**{name: FULL[name] for name in names})
        if not set(names) & (set(FULL) if demographics else WITHOUT_DEMOGRAPHICS):
            with pytest.raises(NotesError, match="nothing to write"):
                write_template(metadata, demographics=demographics)
            continue
        note = write_template(metadata, demographics=demographics)
        assert note.endswith(".") and not note.endswith(".."), note
        assert not re.search(r"  |None|\bnan\b|,\s*[,.]|\s[,.;]|\{|\}|\.\.|: *\.|\n", note), note
        assert not re.search(r"\ba (?=[aeiou8])|\ban (?=[^aeiou8])", note), note
        assert all(sentence[0].isupper() for sentence in re.split(r"(?<=\.) ", note)), note


def test_every_known_field_is_mentioned_once():
    note = write_template(LesionMetadata(**FULL), demographics=True)
    assert note == (
        "This record is of a malignant skin lesion, diagnosed as melanoma, subtype lentigo maligna. "
        "Noted beside it: irregular network; blue veil. "
        "Seen on the head neck face of an 81-year-old female patient with skin type Fitzpatrick III."
    )
    assert note.startswith(write_template(LesionMetadata(**FULL)) + " Seen on")  # demographics are off by default


@pytest.mark.parametrize(
    ("label", "subtype", "mentioned"),
    [
        ("melanocytic nevus", "Nevus", False),
        ("melanocytic nevus", "Nevus, NOS", False),
        ("basal cell carcinoma", "Basal-cell carcinoma", False),
        ("melanocytic nevus", "Nevus, NOS, Dermal", True),
        ("benign keratosis", "Solar lentigo", True),
    ],
)
def test_a_subtype_is_mentioned_only_if_it_differs(label, subtype, mentioned):
    assert ("subtype" in write_template(LesionMetadata(label=label, subtype=subtype))) is mentioned


@pytest.mark.parametrize(
    ("age", "words"), [(8, "an 8-"), (11, "an 11-"), (18.0, "an 18-"), (81, "an 81-"), (1, "a 1-")]
)
def test_the_article_fits_the_age(age, words):
    assert f"in {words}year-old patient." in write_template(LesionMetadata(age=age), demographics=True)


@pytest.mark.parametrize("blank", ["", " ", "-", "unknown", "NaN", "N/A", "None"])
def test_placeholders_for_missing_values_are_missing(blank):
    assert write_template(LesionMetadata(label="melanoma", subtype=blank, malignancy=blank, description=blank)) == (
        "This record is of a skin lesion, diagnosed as melanoma."
    )


def test_another_wording_is_another_version(monkeypatch):
    first = prompt_version()
    assert first != prompt_version(demographics=True)
    assert template_note(LesionMetadata(**FULL)).prompt_version == first
    monkeypatch.setattr(template, "PIECES", (*template.PIECES, "more"))
    assert prompt_version() != first


@pytest.mark.parametrize(("probability", "shown"), [(0.9999, ">99%"), (1.0, ">99%"), (0.62, "62%"), (0.002, "<1%")])
def test_a_prediction_is_given_with_its_probability_and_never_as_certain(probability, shown):
    note = predicted_note("melanoma", "malignant", probability, LesionMetadata())
    assert f"not confirmed: melanoma (malignant), probability {shown}." in note.text
    assert "100%" not in note.text and "never a diagnosis" in note.text
    again = say_predicted(note, "melanoma", "malignant", probability)
    assert again.text.count(f"probability {shown}.") == 2
    assert again.audit is not None and again.audit["label_from"] == "model" and again.audit["confirmed"] is False


def test_strategies_are_known_in_any_case():
    assert list(STRATEGIES) == ["m", "m+p1", "m+p2", "p3", "mix"]
    for name in STRATEGIES:
        assert get_strategy(f" {name.upper()} ").name == name
    with pytest.raises(NotesError, match=r"Unknown note strategy 'x'\. Known: m, m\+p1"):
        get_strategy("x")


ROWS = [
    NoteRow("a/1", Note("Étrange, brown.", "m", prompt_version="v1")),
    NoteRow("a/1", Note("Seen by a model.", "p3", "some-llm", "v2", {"colours": ["brown"]}, {"ok": False}, "a" * 64)),
    NoteRow("a/2", Note("Pink.", "m", prompt_version="v1")),
]


def test_rows_come_back_as_they_were_written(tmp_path):
    path = tmp_path / "notes.jsonl"
    write_notes(path, ROWS)
    assert read_notes(path) == ROWS
    first = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    assert list(first) == ["case_id", "strategy", "model", "prompt_version", "request", "note", "findings", "audit"]


def test_notes_by_case_keeps_the_wanted_strategies_and_the_later_line(tmp_path):
    path = tmp_path / "notes.jsonl"
    write_notes(path, [*ROWS, NoteRow("a/2", Note("Red.", "m"))])
    assert notes_by_case(path) == {"a/1": {"m": "Étrange, brown.", "p3": "Seen by a model."}, "a/2": {"m": "Red."}}
    assert notes_by_case(path, ["P3"]) == {"a/1": {"p3": "Seen by a model."}}
    with pytest.raises(NotesError, match="Unknown note strategy"):
        notes_by_case(path, ["p9"])


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"case_id": "a/3", "strategy": "m", "no', "torn or not JSON"),
        ("[1]", "not a JSON object"),
        ('{"strategy": "m", "note": "x"}', "'case_id' is missing"),
        ('{"case_id": "a", "strategy": "m", "note": " "}', "'note' is missing"),
        ('{"case_id": "a", "strategy": "m9", "note": "x"}', "Unknown note strategy 'm9'"),
        ('{"case_id": "a", "strategy": "m", "note": "x", "model": 3}', "'model' is not a text"),
        ('{"case_id": "a", "strategy": "m", "note": "x", "audit": []}', "'audit' is neither"),
    ],
)
def test_a_wrong_line_is_named_with_file_and_number(tmp_path, line, what):
    path = tmp_path / "notes.jsonl"
    write_notes(path, ROWS)
    with path.open("a", encoding="utf-8") as stream:
        stream.write("\n" + line)  # a blank line before it counts as a line but is no row
    with pytest.raises(NotesError, match=r"notes\.jsonl line 5: .*") as caught:
        read_notes(path)
    assert what in str(caught.value)


def test_notes_from_elsewhere_may_have_more_columns_and_no_version():
    row = from_row({"case_id": "x", "strategy": "m+p1", "note": "n", "true_class": "melanoma"})
    assert row.note == Note("n", "m+p1")
