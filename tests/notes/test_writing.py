import base64
import io

import pytest
from PIL import Image

from dermnote.errors import NotesError
from dermnote.llm.llm_errors import KeyRefusedError
from dermnote.metadata import LesionMetadata
from dermnote.models.prediction import Prediction
from dermnote.notes.strategies import get_strategy
from dermnote.notes.writing import NoteWriter, ask_for_note, fill_note

RECORD = LesionMetadata(label="melanoma", subtype="Lentigo maligna", malignancy="malignant", age=71.0, site="nose")
PICTURE = Image.new("RGB", (900, 600), "sienna")


@pytest.fixture
def writer(llm_server):
    return NoteWriter("some-model", base_url=llm_server.url)


@pytest.mark.parametrize("name", ["m+p1", "m+p2", "p3", "mix"])
def test_every_strategy_gives_an_audited_note(writer, name):
    note = ask_for_note(writer, get_strategy(name), RECORD, PICTURE)
    assert note.strategy == name and note.model == "some-model" and note.text and len(note.request) == 64
    assert note.audit["claims"] and set(note.audit["counts"]) >= {"supported", "contradicted"}
    if name != "p3":
        assert "lentigo maligna" in note.text.lower() or name == "m+p2"
        assert note.audit["stated_class"] in ("melanoma", None)


def test_the_picture_goes_out_small_and_bare(writer, llm_server):
    tagged = PICTURE.copy()
    tagged.getexif()[0x010E] = "patient 4711"
    tagged.info["comment"] = b"patient 4711"
    ask_for_note(writer, get_strategy("p3"), RECORD, tagged)
    content = llm_server.chats[-1].body["messages"][1]["content"]
    sent = base64.b64decode(content[1]["image_url"]["url"].split(",")[1])
    opened = Image.open(io.BytesIO(sent))
    assert (opened.format, opened.size, dict(opened.getexif())) == ("JPEG", (512, 341), {})
    assert b"4711" not in sent


def test_the_blind_strategy_is_told_nothing_and_checked_against_everything(writer, llm_server):
    note = ask_for_note(writer, get_strategy("p3"), RECORD, PICTURE, demographics=True)
    sent = llm_server.chats[-1].text.replace("melanoma", "", 2).lower()  # the class is one of the eight to choose from
    for told in ("lentigo", "71", "nose", "record"):
        assert told not in sent.split("data:image")[0]
    stated = next(claim for claim in note.audit["claims"] if claim["kind"] == "diagnosis")
    assert stated["verdict"] in ("supported", "contradicted")


def test_a_mix_asks_for_both_of_its_parts(writer, llm_server):
    ask_for_note(writer, get_strategy("mix"), RECORD, PICTURE)
    assert len(llm_server.chats) == 2


@pytest.mark.parametrize("name", ["m+p1", "m+p2", "mix"])
def test_a_record_without_a_diagnosis_is_refused_before_anything_is_sent(writer, llm_server, name):
    with pytest.raises(NotesError, match="holds no diagnosis"):
        ask_for_note(writer, get_strategy(name), LesionMetadata(age=40.0, site="back"), PICTURE)
    assert not llm_server.requests


def test_a_refused_key_is_its_own_error(llm_server):
    llm_server.always("401")
    with pytest.raises(KeyRefusedError):
        ask_for_note(NoteWriter(base_url=llm_server.url, api_key="sk-wrong"), get_strategy("p3"), RECORD, PICTURE)


def test_the_guess_is_asked_for_only_where_the_record_says_nothing():
    def guess():
        asked.append(1)
        return Prediction.of("melanoma", 0.4, 6)

    asked = []
    assert "diagnosed" in fill_note(RECORD, guess).text and not asked
    note = fill_note(LesionMetadata(site="nose"), guess)
    assert asked and note.audit["label_from"] == "model"
    assert {claim["verdict"] for claim in note.audit["claims"] if claim["kind"] == "diagnosis"} == {"not checkable"}


def test_a_record_that_only_says_unknown_is_no_diagnosis_and_nothing_is_paid_for_it(writer, llm_server):
    with pytest.raises(NotesError, match="holds no diagnosis"):
        ask_for_note(writer, get_strategy("m+p1"), LesionMetadata(label="unknown"), PICTURE)
    assert not llm_server.requests
