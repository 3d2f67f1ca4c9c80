import pytest

from dermnote.errors import NotesError
from dermnote.metadata import LesionMetadata
from dermnote.notes.schema import Note
from dermnote.notes.writing import mix_notes

RECORD = LesionMetadata(label="melanoma", malignancy="malignant")
FINDINGS = {
    "asymmetry": "asymmetric",
    "border": "indistinct",
    "colours": ["red", "dark brown"],
    "structures": ["dots", "globules"],
}


def mixed(free, findings=FINDINGS, record=RECORD):
    closed = Note("closed", "m+p1", "a-model", "v1", findings, request="1" * 64)
    return mix_notes(closed, Note(free, "m+p2", "a-model", "v2", request="2" * 64), record)


def test_only_findings_that_both_state_stay():
    note = mixed("1) A melanoma. 2) Dark brown and black. 3) The border is indistinct. 4) Asymmetric, with brown dots.")
    assert note.findings == {
        "asymmetry": "asymmetric",
        "border": "indistinct",
        "colours": ["dark brown"],
        "structures": ["dots"],
    }
    assert note.text.startswith(
        "This record is of a malignant skin lesion, diagnosed as melanoma. Asymmetry: asymmetric."
    )
    assert "Colours: dark brown." in note.text and "globules" not in note.text and "red" not in note.text.split()


def test_a_sentence_against_findings_or_record_goes_and_takes_its_number_along():
    note = mixed("1) A plaque. 2) The border is sharp. 3) The lesion is asymmetric. 4) It is a dermatofibroma.")
    assert "A plaque." in note.text and "The lesion is asymmetric." in note.text
    assert "sharp" not in note.text and "dermatofibroma" not in note.text
    assert "1)" not in note.text and "3)" not in note.text
    assert "border" not in note.findings


def test_what_is_denied_is_not_agreed_on():
    note = mixed("No dots are seen. No red colour.")
    assert note.findings == {} and note.text == "This record is of a malignant skin lesion, diagnosed as melanoma."


def test_a_mix_is_known_by_what_it_was_made_of():
    one, other = mixed("Asymmetric."), mixed("Asymmetric, dark brown.")
    assert one.strategy == "mix" and one.model == "a-model" and one.prompt_version == other.prompt_version
    assert one.request == other.request and len(one.request) == 64
    with pytest.raises(NotesError, match="no findings"):
        mixed("Asymmetric.", findings=None)
