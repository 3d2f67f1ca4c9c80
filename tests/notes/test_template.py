"""Strategies, the template, and notes of a predicted class."""

import itertools
import re

import pytest

from dermnote.errors import NotesError
from dermnote.metadata import LesionMetadata
from dermnote.notes import template
from dermnote.notes.strategies import DEMOGRAPHICS, RECORD, STRATEGIES, get_strategy
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


def test_demographics_are_off_by_default():
    note = write_template(LesionMetadata(**FULL))
    assert not re.search("81|female|head|Fitzpatrick", note)


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


def test_an_infant_has_no_age_in_years():
    assert "an infant male patient" in write_template(LesionMetadata(age=0.5, sex="male"), demographics=True)


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


def test_inputs_of_each_strategy():
    given = {name: (bool(each.tells), each.uses_image, each.needs_model) for name, each in STRATEGIES.items()}
    assert given == {
        "m": (True, False, False),
        "m+p1": (True, True, True),
        "m+p2": (True, True, True),
        "p3": (False, True, True),
        "mix": (True, True, True),
    }
    assert STRATEGIES["p3"].tells == ()
    assert not set(RECORD) & set(DEMOGRAPHICS)
