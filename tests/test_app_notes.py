"""Notes by a language model through the app: what is sent where, what comes back, and what is said when it does not."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from standin import StandIn, as_jpeg, scribble

import app
from dermnote.app.case_reading import Reader
from dermnote.errors import ConfigError
from dermnote.notes.strategies import STRATEGIES
from dermnote.notes.writing import NoteWriter
from tests.servers.llm_server import LlmServer

KEY = "sk-the-owners-own-key"
ASKED = [name for name, strategy in STRATEGIES.items() if strategy.needs_model]
FIELDS = {
    "label": "melanoma",
    "subtype": "marker-subtype",
    "malignancy": "malignant",
    "description": "marker-description",
    "age": "61",
    "sex": "female",
    "site": "marker-site",
}
BENIGN_REPORT = {
    "report": "A symmetric lesion with a sharp border.",
    "stated_class": "melanocytic nevus",
    "stated_malignancy": "benign",
}


@pytest.fixture
def reader(llm: LlmServer) -> Reader:
    writer = NoteWriter("some-model", base_url=llm.url, api_key=KEY, timeout=0.5, max_retries=0)
    return Reader(StandIn(), writer)


@contextmanager
def served(demo: gr.Blocks) -> Iterator[Client]:
    _, url, _ = demo.queue().launch(prevent_thread_lock=True, quiet=True, server_port=None)
    try:
        yield Client(url, verbose=False, analytics_enabled=False)
    finally:
        demo.close()


@pytest.fixture(scope="module")
def page(shared_llm: LlmServer) -> Iterator[gr.Blocks]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("BASE_URL", shared_llm.url), ("API_KEY", KEY)):
            patch.setenv(f"OPENAI_{name}", value)
        patch.setenv("DERMNOTE_LLM", "some-model")
        yield app.build_demo(StandIn())


@pytest.fixture(scope="module")
def client(page: gr.Blocks) -> Iterator[Client]:
    with served(page) as client:
        yield client


@pytest.fixture(scope="module")
def lesion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "marker-file-name.jpg"
    exif = Image.Exif()
    exif[0x010F] = "marker-maker"
    path.write_bytes(as_jpeg(scribble(1, 600), exif=exif))
    return path


def sent_words(server: LlmServer) -> str:
    return "\n".join(each.text for each in server.chats)


@pytest.mark.parametrize("strategy", ASKED)
def test_a_script_gets_text_findings_and_audit_of_every_strategy(client: Client, lesion: Path, strategy: str) -> None:
    note = client.predict(picture=handle_file(lesion), strategy=strategy, api_name="/write_note", **FIELDS)
    assert set(note) == {"text", "strategy", "model", "findings", "audit"}
    assert note["strategy"] == strategy and note["model"] == "some-model"
    assert {"claims", "counts", "contradicted", "version"} <= set(note["audit"])
    for claim in note["audit"]["claims"]:
        start, end = claim["span"]
        assert 0 <= start < end <= len(note["text"])


def test_a_template_note_asks_nobody(client: Client, shared_llm: LlmServer) -> None:
    before = len(shared_llm.requests)
    note = client.predict(label="melanoma", api_name="/write_note")
    assert note["model"] == "template" and note["audit"]["contradicted"] is False
    assert len(shared_llm.requests) == before


def test_a_script_meets_a_fault_as_one_line(client: Client, shared_llm: LlmServer, lesion: Path) -> None:
    shared_llm.script(["401"])
    with pytest.raises(AppError) as met:
        client.predict(picture=handle_file(lesion), strategy="p3", api_name="/write_note")
    said = str(met.value)
    assert "OPENAI_API_KEY" in said and KEY not in said and "\n" not in said and "Traceback" not in said


def test_waiting_for_a_language_model_keeps_no_picture_waiting(
    client: Client, shared_llm: LlmServer, lesion: Path
) -> None:
    come, go_on = threading.Event(), threading.Event()

    def hold(_: dict[str, Any]) -> None:
        come.set()
        go_on.wait(30)

    shared_llm.rule = hold
    try:
        waiting = client.submit(picture=handle_file(lesion), strategy="p3", api_name="/write_note")
        assert come.wait(30)
        assert len(client.predict(picture=handle_file(lesion), api_name="/classify")) == 8
        assert not waiting.done()
    finally:
        go_on.set()
        shared_llm.rule = lambda body: None
    assert waiting.result(30)["strategy"] == "p3"


def test_the_key_is_nowhere_in_the_page(page: gr.Blocks) -> None:
    assert KEY not in json.dumps(page.get_config_file(), default=str)


def test_p3_sends_the_picture_and_no_word_of_the_fields(reader: Reader, llm: LlmServer, lesion: Path) -> None:
    with Image.open(lesion) as picture:
        written = reader.compose(picture.convert("RGB"), "dermoscopy", FIELDS, "p3", demographics=True)
    assert written.note is not None and "marker" not in sent_words(llm) and "61" not in json.dumps(prompts(llm))
    image = Image.open(io.BytesIO(picture_sent(llm)))
    assert image.format == "JPEG" and max(image.size) <= 512 and not image.getexif()


def prompts(server: LlmServer) -> list[str]:
    contents = [message["content"] for each in server.chats for message in each.body["messages"]]
    parts = [part for content in contents for part in ([] if isinstance(content, str) else content)]
    return [each for each in contents if isinstance(each, str)] + [part["text"] for part in parts if "text" in part]


def picture_sent(server: LlmServer) -> bytes:
    [chat] = server.chats
    [url] = [part["image_url"]["url"] for part in chat.body["messages"][-1]["content"] if "image_url" in part]
    return base64.b64decode(url.partition(",")[2])


def test_age_sex_and_place_stay_here_unless_they_are_told(reader: Reader, llm: LlmServer) -> None:
    reader.compose(scribble(2), "cropped", FIELDS, "m+p1", demographics=False)
    assert "marker-description" in sent_words(llm) and "marker-site" not in sent_words(llm)
    reader.compose(scribble(2), "cropped", FIELDS, "m+p1", demographics=True)
    assert "marker-site" in sent_words(llm)


def test_a_wrong_class_is_shown_against_what_was_filled_in(reader: Reader, llm: LlmServer) -> None:
    llm.script([{"name": "says", "text": json.dumps(BENIGN_REPORT)}])
    written = reader.compose(scribble(3), "cropped", FIELDS, "p3", demographics=False)
    assert "contradict the record: diagnosis, malignancy." in written.claims
    assert "dn-claim-contradicted" in written.claims and "diagnosis melanoma" in written.claims
    assert "some-model" in written.origin and "never a diagnosis" in written.origin


def test_an_edited_note_is_checked_anew_and_known_as_edited(reader: Reader, llm: LlmServer) -> None:
    llm.script([{"name": "says", "text": json.dumps(BENIGN_REPORT)}])
    note = reader.compose(scribble(3), "cropped", FIELDS, "p3", demographics=False).note
    assert note is not None
    corrected = note.text.replace("melanocytic nevus, benign", "melanoma, malignant")
    again = reader.check(note, f"{corrected}\n", FIELDS)
    assert again.note is not None and again.note.text == corrected and "Edited by hand" in again.origin
    assert again.note.audit is not None and again.note.audit["contradicted"] is False
    back = reader.check(note, note.text, FIELDS)
    assert "Edited" not in back.origin and "contradict the record" in back.claims
    assert "no text" in reader.check(note, "  ", FIELDS).alert


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("401", "OPENAI_API_KEY"),
        ("403", "OPENAI_API_KEY"),
        ("404", "DERMNOTE_LLM"),
        ("500", "Press again in a minute."),
        ({"name": "busy", "seconds": 2000}, "Press again in a minute."),
        ({"name": "slow", "seconds": 3}, "faster model"),
        ("dropped", "that the server runs"),
        ("page", "OPENAI_BASE_URL"),
        ("quota", "credit"),
        ("wrong schema", "answer cannot be used: "),
        ("refusal", "refuses"),
        ("cut off", "limit"),
        ("filtered", "content filter"),
    ],
    ids=str,
)
def test_every_fault_is_one_line_beside_the_form(reader: Reader, llm: LlmServer, fault: Any, said: str) -> None:
    llm.always(fault)
    written = reader.compose(scribble(4), "cropped", FIELDS, "p3", demographics=False)
    assert written.note is None and written.alert.startswith('<p class="dn-alert" role="alert">')
    assert said in written.alert and len(written.alert) < 400 and "\n" not in written.alert
    for never in (KEY, "Traceback", "Error(", "<html", "--"):
        assert never not in written.alert


def test_without_a_picture_nothing_is_sent(reader: Reader, llm: LlmServer) -> None:
    for strategy in ASKED:
        assert "There is no picture yet." in reader.compose(None, "cropped", FIELDS, strategy, demographics=False).alert
    assert not llm.requests


def test_a_template_note_needs_no_picture_and_takes_no_refused_one_amiss(reader: Reader) -> None:
    written = reader.compose(None, "cropped", FIELDS, "m", demographics=False)
    assert written.note is not None and "melanoma" in written.note.text and "some-model" not in written.origin


def test_an_address_that_is_none_stops_the_app_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "my server")
    with pytest.raises(ConfigError) as met:
        app.build_demo(StandIn())
    assert "OPENAI_BASE_URL" in str(met.value) and "\n" not in str(met.value)
