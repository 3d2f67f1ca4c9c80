"""One note: by a language model over real HTTP, from a prediction, and mixed from two notes."""

import base64

import pytest
from PIL import Image

from dermnote.errors import NotesError
from dermnote.metadata import LesionMetadata
from dermnote.models.prediction import Prediction
from dermnote.notes.schema import Note
from dermnote.notes.strategies import get_strategy
from dermnote.notes.writing import NoteWriter, ask_for_note, fill_note, mix_notes

RECORD = LesionMetadata(label="melanoma", subtype="Lentigo maligna", malignancy="malignant", age=71.0, site="nose")
IMAGE = Image.new("RGB", (900, 600), "sienna")
FINDINGS = {
    "asymmetry": "asymmetric",
    "border": "indistinct",
    "colours": ["red", "dark brown"],
    "structures": ["dots", "globules"],
}


@pytest.fixture
def writer(llm_server):
    return NoteWriter("some-model", base_url=llm_server.url)


@pytest.mark.parametrize("name", ["m+p1", "m+p2", "p3", "mix"])
def test_every_strategy_gives_an_audited_note(writer, llm_server, name):
    tagged = IMAGE.copy()
    tagged.getexif()[0x010E] = tagged.info["comment"] = "patient 4711"
    note = ask_for_note(writer, get_strategy(name), RECORD, tagged)
    url = llm_server.chats[-1].body["messages"][1]["content"][1]["image_url"]["url"]
    assert b"4711" not in base64.b64decode(url.split(",")[1])
    assert note.strategy == name and note.model == "some-model" and note.text and len(note.request) == 64
    assert note.audit["claims"] and set(note.audit["counts"]) >= {"supported", "contradicted"}
    assert len(llm_server.chats) == (2 if name == "mix" else 1)
    if name != "p3":
        assert "lentigo maligna" in note.text.lower() or name == "m+p2"
        assert note.audit["stated_class"] in ("melanoma", None)


@pytest.mark.parametrize("name", ["m+p1", "m+p2", "mix"])
@pytest.mark.parametrize("record", [LesionMetadata(age=40.0, site="back"), LesionMetadata(label="unknown")])
def test_a_record_without_a_diagnosis_is_refused_before_any_request(writer, llm_server, name, record):
    with pytest.raises(NotesError, match="holds no diagnosis"):
        ask_for_note(writer, get_strategy(name), record, IMAGE)
    assert not llm_server.requests


def test_a_prediction_is_used_only_for_a_record_without_a_diagnosis():
    def guess():
        calls.append(1)
        return Prediction.of("melanoma", 0.4, 6)

    calls = []
    assert "diagnosed" in fill_note(RECORD, guess).text and not calls
    note = fill_note(LesionMetadata(site="nose"), guess)
    assert calls and note.audit["label_from"] == "model"
    assert {claim["verdict"] for claim in note.audit["claims"] if claim["kind"] == "diagnosis"} == {"not checkable"}


def mixed(free, findings=FINDINGS):
    closed = Note("closed", "m+p1", "a-model", "v1", findings, request="1" * 64)
    record = LesionMetadata(label="melanoma", malignancy="malignant")
    return mix_notes(closed, Note(free, "m+p2", "a-model", "v2", request="2" * 64), record)


def test_a_mix_keeps_only_findings_in_both_notes():
    note = mixed("1) A melanoma. 2) Dark brown and black. 3) The border is indistinct. 4) Asymmetric, with brown dots.")
    assert note.findings == {**FINDINGS, "colours": ["dark brown"], "structures": ["dots"]}
    record = "This record is of a malignant skin lesion, diagnosed as melanoma."
    assert note.text.startswith(f"{record} Asymmetry: asymmetric.")
    assert "Colours: dark brown." in note.text and "globules" not in note.text and "red" not in note.text.split()
    denied = mixed("No dots are seen. No red colour.")
    assert denied.findings == {} and denied.text == record


def test_a_mix_drops_contradicted_sentences_and_all_numbering():
    note = mixed("1) A plaque. 2) The border is sharp. 3) The lesion is asymmetric. 4) It is a dermatofibroma.")
    assert "A plaque." in note.text and "The lesion is asymmetric." in note.text
    assert "sharp" not in note.text and "dermatofibroma" not in note.text
    assert "1)" not in note.text and "3)" not in note.text
    assert "border" not in note.findings


def test_a_mix_is_identified_by_its_parts():
    one, other = mixed("Asymmetric."), mixed("Asymmetric, dark brown.")
    assert one.strategy == "mix" and one.model == "a-model" and one.prompt_version == other.prompt_version
    assert one.request == other.request and len(one.request) == 64
    with pytest.raises(NotesError, match="no findings"):
        mixed("Asymmetric.", findings=None)
