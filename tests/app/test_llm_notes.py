"""Notes by a language model: data sent, results and error lines."""

from __future__ import annotations

import base64
import io
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from standin import StandIn, scribble

from dermnote.app.case_cards import check_note, compose_note
from dermnote.app.llm_quota.destination import all_destinations, button_label, can_write, destination
from dermnote.app.page import build_page
from dermnote.app.service import AppService
from dermnote.notes.strategies import STRATEGIES
from dermnote.notes.writing import NoteWriter
from tests.app.conftest import KEY, new_writer
from tests.servers.llm_server import LlmServer

LLM_STRATEGIES = [name for name, strategy in STRATEGIES.items() if strategy.needs_model]
FIELDS = {
    "label": "melanoma",
    "subtype": "marker-subtype",
    "malignancy": "malignant",
    "description": "marker-description",
    "age": "61",
    "sex": "female",
    "site": "marker-site",
}
BENIGN = {
    "report": "A symmetric lesion with a sharp border.",
    "stated_class": "melanocytic nevus",
    "stated_malignancy": "benign",
}


def sent_text(server: LlmServer) -> str:
    return "\n".join(each.text for each in server.chats)


@pytest.mark.parametrize("strategy", LLM_STRATEGIES)
def test_script_gets_text_findings_and_audit_of_every_strategy(
    llm_client: Client, llm: LlmServer, lesion: Path, strategy: str
) -> None:
    note = llm_client.predict(picture=handle_file(lesion), strategy=strategy, api_name="/write_note", **FIELDS)
    assert set(note) == {"text", "strategy", "model", "findings", "audit"}
    assert note["strategy"] == strategy and note["model"] == "some-model"
    assert {"claims", "counts", "contradicted", "version"} <= set(note["audit"])
    for claim in note["audit"]["claims"]:
        start, end = claim["span"]
        assert 0 <= start < end <= len(note["text"])


def test_script_gets_an_error_as_one_line(llm_client: Client, llm: LlmServer, lesion: Path) -> None:
    llm.script(["401"])
    with pytest.raises(AppError) as error:
        llm_client.predict(picture=handle_file(lesion), strategy="p3", api_name="/write_note")
    line = str(error.value)
    assert "OPENAI_API_KEY" in line and KEY not in line and "\n" not in line and "Traceback" not in line


def test_waiting_for_a_language_model_delays_no_image(llm_client: Client, llm: LlmServer, lesion: Path) -> None:
    arrived, release = threading.Event(), threading.Event()

    def hold(_: dict[str, Any]) -> None:
        arrived.set()
        release.wait(30)

    llm.rule = hold
    try:
        waiting = llm_client.submit(picture=handle_file(lesion), strategy="p3", api_name="/write_note")
        assert arrived.wait(30)
        assert len(llm_client.predict(picture=handle_file(lesion), api_name="/classify")) == 8
        assert not waiting.done()
    finally:
        release.set()
    assert waiting.result(30)["strategy"] == "p3"


def test_page_does_not_contain_the_key(shared_llm: LlmServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", shared_llm.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    config = json.dumps(build_page(StandIn()).get_config_file(), default=str)  # type: ignore[arg-type]
    assert KEY not in config and "and compare" in config


def test_p3_sends_the_image_small_and_without_exif_and_no_field(
    llm_service: AppService, llm: LlmServer, lesion: Path
) -> None:
    with Image.open(lesion) as image:
        view = compose_note(llm_service, image.convert("RGB"), "dermoscopy", FIELDS, "p3", demographics=True)
    assert view.note is not None and "marker" not in sent_text(llm)
    [chat] = llm.chats
    parts = chat.body["messages"][-1]["content"]
    assert "61" not in json.dumps([part for part in parts if "image_url" not in part])
    [url] = [part["image_url"]["url"] for part in parts if "image_url" in part]
    sent = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert sent.format == "JPEG" and max(sent.size) <= 512 and not sent.getexif()


def test_age_sex_and_site_are_sent_only_on_request(llm_service: AppService, llm: LlmServer) -> None:
    compose_note(llm_service, scribble(2), "cropped", FIELDS, "m+p1", demographics=False)
    assert "marker-description" in sent_text(llm) and "marker-site" not in sent_text(llm)
    compose_note(llm_service, scribble(2), "cropped", FIELDS, "m+p1", demographics=True)
    assert "marker-site" in sent_text(llm)


def test_template_note_sends_nothing_and_ignores_a_missing_image(llm_service: AppService, llm: LlmServer) -> None:
    view = compose_note(llm_service, None, "cropped", FIELDS, "m", demographics=False)
    assert view.note is not None and "melanoma" in view.note.text and "some-model" not in view.origin
    for strategy in LLM_STRATEGIES:
        view = compose_note(llm_service, None, "cropped", FIELDS, strategy, demographics=False)
        assert "There is no picture yet." in view.alert
    assert not llm.requests


def test_edited_note_is_audited_again_and_marked_as_edited(llm_service: AppService, llm: LlmServer) -> None:
    llm.script([{"name": "says", "text": json.dumps(BENIGN)}])
    view = compose_note(llm_service, scribble(3), "cropped", FIELDS, "p3", demographics=False)
    assert "contradict the record: diagnosis, malignancy." in view.claims and "diagnosis melanoma" in view.claims
    assert "some-model" in view.origin and "never a diagnosis" in view.origin
    note = view.note
    assert note is not None
    corrected = note.text.replace("melanocytic nevus, benign", "melanoma, malignant")
    again = check_note(llm_service, note, f"{corrected}\n", FIELDS)
    assert again.note is not None and again.note.text == corrected and "Edited by hand" in again.origin
    assert again.note.audit is not None and again.note.audit["contradicted"] is False
    back = check_note(llm_service, note, note.text, FIELDS)
    assert "Edited" not in back.origin and "contradict the record" in back.claims
    assert "no text" in check_note(llm_service, note, "  ", FIELDS).alert


@pytest.mark.parametrize(
    ("answer", "message"),
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
def test_every_error_is_one_line_beside_the_form(llm: LlmServer, answer: Any, message: str) -> None:
    llm.always(answer)
    service = AppService(StandIn(), new_writer(llm, timeout=0.5))  # type: ignore[arg-type]
    view = compose_note(service, scribble(4), "cropped", FIELDS, "p3", demographics=False)
    assert view.note is None and view.alert.startswith('<p class="dn-alert" role="alert">')
    assert message in view.alert and len(view.alert) < 400 and "\n" not in view.alert
    for never in (KEY, "Traceback", "Error(", "<html", "--"):
        assert never not in view.alert


# Lines on the recipient.


def test_recipient_is_named_before_anything_is_sent() -> None:
    writer = NoteWriter("some-model", base_url="http://127.0.0.1:8000/v1", api_key=KEY)
    line = destination("m+p1", writer, "dermoscopy", demographics=False)
    assert "the picture, cropped to the lesion and the diagnosis, subtype, malignancy and description above" in line
    assert f"<strong>{writer.host}</strong> (model some-model). Age, sex and place stay here." in line
    whole = destination("m+p2", writer, "clinical", demographics=True)
    assert "Sends the whole picture and" in whole and "stay here" not in whole
    alone = destination("p3", writer, "clinical", demographics=True)
    assert "Sends the whole picture alone" in alone and "only to check the note afterwards" in alone
    assert "in two requests" in destination("mix", writer, "cropped", demographics=False)
    assert "Nothing is sent" in destination("m", writer, "cropped", demographics=False)
    every = all_destinations(LLM_STRATEGIES, writer)
    assert "3 requests to 127.0.0.1:8000 (model some-model), for M+P1, M+P2 and P3" in every
    for strategy in LLM_STRATEGIES:
        assert can_write(strategy, writer)
        assert button_label(strategy, writer) == f"Send to {writer.host} and write the note"
    assert button_label("m", writer) == "Write the note" and KEY not in line
    nasty = NoteWriter("<img src=x>", base_url="http://127.0.0.1:8000/v1")
    assert "<img" not in destination("p3", nasty, "cropped", demographics=False)


def test_without_a_language_model_the_button_is_inactive_and_the_line_says_why(no_writer: NoteWriter) -> None:
    lines = [destination(strategy, no_writer, "dermoscopy", demographics=False) for strategy in LLM_STRATEGIES]
    for line in [*lines, all_destinations(LLM_STRATEGIES, no_writer)]:
        assert "No language model is set up here: start the app with OPENAI_API_KEY" in line and line.count("<p") == 1
    assert not any(can_write(strategy, no_writer) for strategy in LLM_STRATEGIES) and can_write("m", no_writer)
    assert button_label("p3", no_writer) == "Write the note"
