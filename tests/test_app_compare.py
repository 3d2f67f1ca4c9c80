"""One case under every strategy: who is asked what, what comes of each, and how it is shown."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from standin import StandIn, as_jpeg, scribble

import app
from dermnote.app import input_checks
from dermnote.app.compare import strategy_runs
from dermnote.app.compare.comparison import ASKED, Comparison
from dermnote.app.compare.strategy_card import sees, strategy_card
from dermnote.app.compare.strategy_runs import SIDE_BY_SIDE, Comparing, Outcome
from dermnote.app.compare.strategy_table import status_line, summary_card
from dermnote.app.llm_quota.destination import all_destinations
from dermnote.app.service import Answers
from dermnote.errors import NotesError, PictureError
from dermnote.metadata import LesionMetadata
from dermnote.notes.schema import Note
from dermnote.notes.strategies import STRATEGIES
from dermnote.notes.writing import NoteWriter
from tests.servers.llm_server import LlmServer

KEY = "sk-the-owners-own-key"
URL = "http://127.0.0.1:8000/v1"
NASTY = '"><img src=x onerror="alert(1)">'
FIELDS = {"label": "melanoma", "malignancy": "malignant", "age": "61", "sex": "female", "site": "marker-site"}
RECORD = LesionMetadata(label="melanoma", malignancy="malignant", age=61.0)
WRONG = {
    "report": "A symmetric lesion of a 30-year-old with a sharp border.",
    "stated_class": "melanocytic nevus",
    "stated_malignancy": "benign",
}


def strategy_of(body: dict[str, Any]) -> str:
    """Which strategy a request is of, by what it asks for."""
    words = json.dumps(body)
    return "p3" if "stated_class" in words else "m+p2" if "lesion_type" in words else "m+p1"


@pytest.fixture(scope="module")
def client(shared_llm: LlmServer) -> Iterator[Client]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", shared_llm.url)
        patch.setenv("OPENAI_API_KEY", KEY)
        patch.setenv("DERMNOTE_LLM", "some-model")
        demo = app.build_demo(StandIn())
    _, url, _ = demo.queue().launch(prevent_thread_lock=True, quiet=True, server_port=None)
    try:
        yield Client(url, verbose=False, analytics_enabled=False)
    finally:
        demo.close()


@pytest.fixture(scope="module")
def lesion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "lesion.jpg"
    path.write_bytes(as_jpeg(scribble(1, 300)))
    return path


def comparing_with(llm: LlmServer) -> Comparing:
    writer = NoteWriter("some-model", base_url=llm.url, api_key=KEY, timeout=20, max_retries=0)
    return Comparing(Answers(StandIn(), writer))


def come(stream: Iterator[Outcome | None]) -> list[Outcome]:
    return [each for each in stream if each is not None]


# The endpoint.


def test_unless_strategies_are_named_nothing_leaves_the_app(client: Client, llm: LlmServer, lesion: Path) -> None:
    [found] = client.predict(picture=handle_file(lesion), api_name="/compare", **FIELDS)
    assert found["strategy"] == "m" and "melanoma" in found["text"] and found["error"] is None
    assert found["audit"]["contradicted"] is False and not llm.requests


def test_a_script_gets_one_entry_a_strategy_in_its_own_order(client: Client, llm: LlmServer, lesion: Path) -> None:
    wanted = ["mix", "p3", "m", "m+p2", "m+p1"]
    found = client.predict(picture=handle_file(lesion), strategies=wanted, api_name="/compare", **FIELDS)
    assert [each["strategy"] for each in found] == wanted
    for each in found:
        assert set(each) == {"strategy", "text", "model", "findings", "audit", "error"} and each["error"] is None
        assert {"claims", "counts", "contradicted"} <= set(each["audit"])
    assert sorted(strategy_of(each.body) for each in llm.chats) == ["m+p1", "m+p2", "p3"]  # the mix asks for nothing
    words = "\n".join(each.text for each in llm.chats)
    assert "marker-site" not in words and KEY not in words


def test_one_that_fails_is_one_line_in_its_own_entry_and_the_others_stay(
    client: Client, llm: LlmServer, lesion: Path
) -> None:
    llm.rule = lambda body: "401" if strategy_of(body) == "m+p2" else None
    names = list(STRATEGIES)
    found = client.predict(picture=handle_file(lesion), strategies=names, api_name="/compare", **FIELDS)
    errors = {each["strategy"]: each["error"] for each in found if each["error"]}
    assert set(errors) == {"m+p2", "mix"} and "OPENAI_API_KEY" in errors["m+p2"]
    assert errors["mix"].startswith("There is no note of M+P2 to join: ")
    for said in errors.values():
        assert KEY not in said and "\n" not in said and "Traceback" not in said


def test_what_cannot_be_meant_is_refused_before_anything_is_sent(client: Client, llm: LlmServer, lesion: Path) -> None:
    for wrong in ({"strategies": ["p3"]}, {"picture": handle_file(lesion), "age": "old", "strategies": ["p3"]}):
        with pytest.raises(AppError) as met:
            client.predict(api_name="/compare", **wrong)
        assert "Traceback" not in str(met.value)
    with pytest.raises(NotesError, match="Unknown note strategy"):
        comparing_with(llm).compare(scribble(1), strategies=["m", "best"])
    with pytest.raises(PictureError, match="no picture"):
        comparing_with(llm).compare(None, strategies=["p3"], label="melanoma")
    assert not llm.requests


def test_without_a_record_the_picture_alone_is_asked_about(llm: LlmServer) -> None:
    found = {each["strategy"]: each for each in comparing_with(llm).compare(scribble(1), strategies=list(STRATEGIES))}
    assert found["p3"]["text"] and [strategy_of(each.body) for each in llm.chats] == ["p3"]
    for name in ("m", "m+p1", "m+p2", "mix"):
        assert found[name]["text"] is None and "holds no diagnosis" in found[name]["error"]


def test_without_an_endpoint_the_template_is_there_and_the_others_say_why_not() -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "DERMNOTE_LLM"):
            patch.delenv(name, raising=False)
        unset = NoteWriter()
    found = Comparing(Answers(StandIn(), unset)).compare(scribble(1), label="melanoma", strategies=list(STRATEGIES))
    assert "melanoma" in found[0]["text"]
    assert all("No language model is set up here" in each["error"] for each in found[1:])
    said = all_destinations(ASKED, unset)
    assert said.count("<p") == 1 and "start the app with OPENAI_API_KEY" in said
    for name in ASKED:
        assert "no language model is set up here" in strategy_card(name, Comparison(), unset)


def test_the_endpoint_is_documented_for_tools() -> None:
    told = Comparing.compare.__doc__ or ""
    first, rest = told.split("Args:")
    assert "never a diagnosis" in first and "nothing leaves" in first and "send the picture to the language" in first
    assert "\n" + " " * 16 not in rest.split("Returns:")[0]  # of each argument, tools are told one line
    [endpoint] = [
        each for name, each in app.build_demo(StandIn()).get_api_info()["named_endpoints"].items() if name == "/compare"
    ]
    names = [each["parameter_name"] for each in endpoint["parameters"]]
    assert names == ["picture", "modality", *input_checks.FIELDS, "strategies"]
    assert endpoint["parameters"][-1]["parameter_default"] == ["m"]


# The asking.


def test_answers_are_handed_on_as_they_come_and_requests_go_side_by_side(llm: LlmServer) -> None:
    together, late = threading.Barrier(SIDE_BY_SIDE, timeout=20), threading.Event()

    def rule(body: dict[str, Any]) -> None:
        together.wait()  # all three are under way at once, or this breaks
        if strategy_of(body) == "m+p1":
            late.wait(20)

    llm.rule = rule
    order = []
    for outcome in comparing_with(llm).outcomes(scribble(1), "cropped", RECORD, list(STRATEGIES)):
        if outcome is not None:
            order.append(outcome.strategy)
        if {"m", "m+p2", "p3"} <= set(order):
            late.set()
    assert set(order[:3]) == {"m", "m+p2", "p3"} and order[3:] == ["m+p1", "mix"]
    assert llm.most_at_once <= SIDE_BY_SIDE


def test_who_stops_waiting_sends_nothing_further(llm: LlmServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strategy_runs, "SIDE_BY_SIDE", 1)
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: dict[str, Any]) -> None:
        begun.set()
        go_on.wait(20)

    llm.rule, before = hold, set(threading.enumerate())
    stream = comparing_with(llm).outcomes(scribble(1), "cropped", RECORD, list(ASKED))
    assert next(stream) is None  # time passed without an answer
    assert begun.wait(20)
    stream.close()
    go_on.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert len(llm.chats) == 1


def test_a_mix_alone_asks_for_its_parts_and_shows_only_itself(llm: LlmServer) -> None:
    found = come(comparing_with(llm).outcomes(scribble(1), "cropped", RECORD, ["mix", "mix"]))
    assert [each.strategy for each in found] == ["mix"] and len(llm.chats) == 2


# The cards.


def noted(strategy: str, text: str = "A nevus.", *claims: dict[str, Any], record: LesionMetadata = RECORD) -> Outcome:
    return Outcome(strategy, record, Note(text, strategy, "some-model", "abcd1234", audit={"claims": list(claims)}))


def claim(verdict: str, kind: str = "diagnosis") -> dict[str, Any]:
    return {"kind": kind, "value": "nevus", "span": [2, 7], "polarity": "asserted", "verdict": verdict}


@pytest.fixture
def writer() -> NoteWriter:
    return NoteWriter("some-model", base_url=URL, api_key=KEY)


def test_each_card_says_what_its_strategy_sees() -> None:
    assert [sees(STRATEGIES[name]) for name in ("m", "m+p1", "m+p2", "p3", "mix")] == [
        "Sees the record, no picture; fills a template.",
        "Sees the record and the picture; chooses from closed lists.",
        "Sees the record and the picture; writes freely on 4 points.",
        "Sees the picture, no record; writes freely, and names a class of its own.",
        "Sees nothing new: of M+P1 and M+P2 it keeps what both say.",
    ]


def test_a_wrong_note_shows_its_claims_and_counts_them_in_words_and_as_a_bar(llm: LlmServer) -> None:
    llm.rule = lambda body: {"name": "says", "text": json.dumps(WRONG)}
    asking = comparing_with(llm)
    [found] = come(asking.outcomes(scribble(1), "cropped", RECORD, ["p3"]))
    comparison = Comparison(RECORD).having(found)
    card = strategy_card("p3", comparison, asking.answers.writer)
    assert "3 claims contradict the record: age, diagnosis, malignancy." in card
    assert re.search(r"<b>3</b> contradicted.*<b>0</b> unsupported.*<b>2</b> not checkable", card)
    assert 'dn-part-contradicted" style="flex-grow:3"' in card and "dn-part-unsupported" not in card
    assert "Written by some-model." in card and "never a diagnosis" in card
    row = summary_card(comparison).split("<tr>")[5]
    assert "P3" in row and "3</span>" in row and f"<td>{len((found.note or Note('', '')).text.split())}</td>" in row


def test_the_table_has_a_row_for_every_strategy_whatever_came_of_it() -> None:
    shown = (
        Comparison(RECORD, waiting=frozenset({"p3"})).having(noted("m")).having(Outcome("m+p1", RECORD, error="No."))
    )
    rows = [unescape(re.sub("<[^>]*>", " ", row)).split() for row in summary_card(shown).split("<tr>")[2:]]
    assert rows[0] == ["M", "2", "0", "0", "0"] and rows[1][:3] == ["M+P1", "no", "note,"]
    assert rows[2] == ["M+P2", "not", "written"] and rows[3] == ["P3", "waiting"]


def test_words_from_outside_are_escaped(writer: NoteWriter) -> None:
    record = LesionMetadata(label=NASTY, site=NASTY)
    audit = {"claims": [{**claim("contradicted"), "value": NASTY}]}
    nasty = Outcome("p3", record, Note(NASTY, "p3", NASTY, NASTY, audit=audit))
    for outcome in (nasty, Outcome("p3", record, error=NASTY)):
        comparison = Comparison(record).having(outcome)
        page = strategy_card("p3", comparison, writer) + summary_card(comparison) + status_line(comparison)
        assert "<img" not in page and 'onerror="' not in page


def test_a_card_not_asked_yet_says_what_it_would_send_where(writer: NoteWriter) -> None:
    alone, told = (strategy_card(name, Comparison(modality="clinical"), writer) for name in ("p3", "m+p1"))
    assert "Sends the whole picture alone to <strong>127.0.0.1:8000</strong>" in alone
    assert "the whole picture and the diagnosis" in told and "stay here" in told
    assert "Sends nothing of its own" in strategy_card("mix", Comparison(), writer)
    assert "3 requests to 127.0.0.1:8000 (model some-model), for M+P1, M+P2 and P3" in all_destinations(ASKED, writer)


def test_notes_of_a_record_that_was_changed_since_are_said_to_be() -> None:
    shown = Comparison(RECORD).having(noted("p3")).having(noted("m"))
    assert "changed" not in status_line(shown)
    later = Comparison(LesionMetadata(label="melanocytic nevus"), outcomes=shown.outcomes)
    assert "changed since P3 was asked for" in status_line(later)


def test_the_download_holds_every_note_with_what_it_was_held_against() -> None:
    shown = Comparison(LesionMetadata()).having(noted("p3", "A nevus.", claim("contradicted")))
    kept = re.search(r'data-record="([^"]*)"', summary_card(shown))
    assert kept is not None
    saved = json.loads(unescape(kept[1]))
    [entry] = saved["notes"]
    assert entry["text"] == "A nevus." and entry["record"] == RECORD.to_mapping()
    assert entry["audit"]["claims"][0]["verdict"] == "contradicted" and "never a diagnosis" in saved["caution"]


def test_the_key_is_nowhere_in_the_page(shared_llm: LlmServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", shared_llm.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    demo: gr.Blocks = app.build_demo(StandIn())
    config = json.dumps(demo.get_config_file(), default=str)
    assert KEY not in config and "and compare" in config
