"""Comparison of the strategies on one case: requests, results and cards."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from standin import scribble

from dermnote.app.compare import strategy_notes
from dermnote.app.compare.comparison import LLM_STRATEGIES, CaseComparison
from dermnote.app.compare.strategy_cards import describe_strategy, status_line, strategy_card, summary_card
from dermnote.app.compare.strategy_notes import PARALLEL, StrategyNote, compare_strategies
from dermnote.app.endpoints import Endpoints
from dermnote.app.service import AppService
from dermnote.errors import ImageError, NotesError
from dermnote.metadata import LesionMetadata
from dermnote.notes.schema import Note
from dermnote.notes.strategies import STRATEGIES
from dermnote.notes.writing import NoteWriter
from tests.app.conftest import KEY
from tests.servers.llm_server import LlmServer

NASTY = '"><img src=x onerror="alert(1)">'
FIELDS = {"label": "melanoma", "malignancy": "malignant", "age": "61", "sex": "female", "site": "marker-site"}
RECORD = LesionMetadata(label="melanoma", malignancy="malignant", age=61.0)
WRONG = {
    "report": "A symmetric lesion of a 30-year-old with a sharp border.",
    "stated_class": "melanocytic nevus",
    "stated_malignancy": "benign",
}


def strategy_of(body: dict[str, Any]) -> str:
    """The strategy of a request, from its schema."""
    text = json.dumps(body)
    return "p3" if "stated_class" in text else "m+p2" if "lesion_type" in text else "m+p1"


def arrived(notes: Iterator[StrategyNote | None]) -> list[StrategyNote]:
    return [each for each in notes if each is not None]


# The endpoint.


def test_without_strategies_nothing_leaves_the_app(llm_client: Client, llm: LlmServer, lesion: Path) -> None:
    [found] = llm_client.predict(picture=handle_file(lesion), api_name="/compare", **FIELDS)
    assert found["strategy"] == "m" and "melanoma" in found["text"] and found["error"] is None
    assert found["audit"]["contradicted"] is False and not llm.requests


def test_script_gets_one_entry_per_strategy_in_its_own_order(llm_client: Client, llm: LlmServer, lesion: Path) -> None:
    wanted = ["mix", "p3", "m", "m+p2", "m+p1"]
    found = llm_client.predict(picture=handle_file(lesion), strategies=wanted, api_name="/compare", **FIELDS)
    assert [each["strategy"] for each in found] == wanted
    for each in found:
        assert set(each) == {"strategy", "text", "model", "findings", "audit", "error"} and each["error"] is None
        assert {"claims", "counts", "contradicted"} <= set(each["audit"])
    assert sorted(strategy_of(each.body) for each in llm.chats) == ["m+p1", "m+p2", "p3"]  # the mix sends nothing
    text = "\n".join(each.text for each in llm.chats)
    assert "marker-site" not in text and KEY not in text


def test_failed_strategy_is_one_line_in_its_own_entry(llm_service: AppService, llm: LlmServer) -> None:
    llm.rule = lambda body: "401" if strategy_of(body) == "m+p2" else None
    found = Endpoints(llm_service).compare(scribble(1), strategies=list(STRATEGIES), **FIELDS)
    errors = {each["strategy"]: each["error"] for each in found if each["error"]}
    assert set(errors) == {"m+p2", "mix"} and "OPENAI_API_KEY" in errors["m+p2"]
    assert errors["mix"].startswith("There is no note of M+P2 to join: ")
    for line in errors.values():
        assert KEY not in line and "\n" not in line and "Traceback" not in line


def test_invalid_input_is_refused_before_anything_is_sent(
    llm_client: Client, llm_service: AppService, llm: LlmServer, lesion: Path
) -> None:
    for wrong in ({"strategies": ["p3"]}, {"picture": handle_file(lesion), "age": "old", "strategies": ["p3"]}):
        with pytest.raises(AppError) as error:
            llm_client.predict(api_name="/compare", **wrong)
        assert "Traceback" not in str(error.value)
    with pytest.raises(NotesError, match="Unknown note strategy"):
        Endpoints(llm_service).compare(scribble(1), strategies=["m", "best"])
    with pytest.raises(ImageError, match="no picture"):
        Endpoints(llm_service).compare(None, strategies=["p3"], label="melanoma")
    assert not llm.requests


def test_without_a_record_only_p3_is_requested(llm_service: AppService, llm: LlmServer) -> None:
    results = Endpoints(llm_service).compare(scribble(1), strategies=list(STRATEGIES))
    found = {each["strategy"]: each for each in results}
    assert found["p3"]["text"] and [strategy_of(each.body) for each in llm.chats] == ["p3"]
    for name in ("m", "m+p1", "m+p2", "mix"):
        assert found[name]["text"] is None and "holds no diagnosis" in found[name]["error"]


# The requests.


def test_notes_are_yielded_as_they_arrive_and_requests_are_parallel(llm_service: AppService, llm: LlmServer) -> None:
    together, late = threading.Barrier(PARALLEL, timeout=20), threading.Event()

    def rule(body: dict[str, Any]) -> None:
        together.wait()  # all three are under way at once, or this fails
        if strategy_of(body) == "m+p1":
            late.wait(20)

    llm.rule = rule
    order = []
    for note in compare_strategies(llm_service, scribble(1), "cropped", RECORD, list(STRATEGIES)):
        if note is not None:
            order.append(note.strategy)
        if {"m", "m+p2", "p3"} <= set(order):
            late.set()
    assert set(order[:3]) == {"m", "m+p2", "p3"} and order[3:] == ["m+p1", "mix"]
    assert llm.most_at_once <= PARALLEL


def test_closing_sends_nothing_further(
    llm_service: AppService, llm: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strategy_notes, "PARALLEL", 1)
    begun, release = threading.Event(), threading.Event()

    def hold(_: dict[str, Any]) -> None:
        begun.set()
        release.wait(20)

    llm.rule, before = hold, set(threading.enumerate())
    notes = compare_strategies(llm_service, scribble(1), "cropped", RECORD, LLM_STRATEGIES)
    assert next(notes) is None  # time passed without an answer
    assert begun.wait(20)
    notes.close()
    release.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert len(llm.chats) == 1


def test_mix_alone_requests_its_parts_and_yields_only_itself(llm_service: AppService, llm: LlmServer) -> None:
    found = arrived(compare_strategies(llm_service, scribble(1), "cropped", RECORD, ["mix", "mix"]))
    assert [each.strategy for each in found] == ["mix"] and len(llm.chats) == 2


# The cards.


def noted(strategy: str, *claims: dict[str, Any]) -> StrategyNote:
    note = Note("A nevus.", strategy, "some-model", "abcd1234", audit={"claims": list(claims)})
    return StrategyNote(strategy, RECORD, note)


def claim(verdict: str, value: str = "nevus") -> dict[str, Any]:
    return {"kind": "diagnosis", "value": value, "span": [2, 7], "polarity": "asserted", "verdict": verdict}


@pytest.fixture
def writer() -> NoteWriter:
    return NoteWriter("some-model", base_url="http://127.0.0.1:8000/v1", api_key=KEY)


def test_each_card_states_the_inputs_of_its_strategy(writer: NoteWriter, no_writer: NoteWriter) -> None:
    assert [describe_strategy(STRATEGIES[name]) for name in ("m", "m+p1", "m+p2", "p3", "mix")] == [
        "Sees the record, no picture; fills a template.",
        "Sees the record and the picture; chooses from closed lists.",
        "Sees the record and the picture; writes freely on 4 points.",
        "Sees the picture, no record; writes freely, and names a class of its own.",
        "Sees nothing new: of M+P1 and M+P2 it keeps what both say.",
    ]
    alone, record = (strategy_card(name, CaseComparison(modality="clinical"), writer) for name in ("p3", "m+p1"))
    assert "Sends the whole picture alone to <strong>127.0.0.1:8000</strong>" in alone
    assert "the whole picture and the diagnosis" in record and "stay here" in record
    assert "Sends nothing of its own" in strategy_card("mix", CaseComparison(), writer)
    assert "no language model is set up here" in strategy_card("p3", CaseComparison(), no_writer)


def test_wrong_note_shows_its_claims_and_counts_them(llm_service: AppService, llm: LlmServer) -> None:
    llm.rule = lambda body: {"name": "says", "text": json.dumps(WRONG)}
    [found] = arrived(compare_strategies(llm_service, scribble(1), "cropped", RECORD, ["p3"]))
    comparison = CaseComparison(RECORD).with_note(found)
    card = strategy_card("p3", comparison, llm_service.writer)
    assert "3 claims contradict the record: age, diagnosis, malignancy." in card
    assert re.search(r"<b>3</b> contradicted.*<b>0</b> unsupported.*<b>2</b> not checkable", card)
    assert 'dn-part-contradicted" style="flex-grow:3"' in card and "dn-part-unsupported" not in card
    assert "Written by some-model." in card and "never a diagnosis" in card
    row = summary_card(comparison).split("<tr>")[5]
    assert found.note is not None and "P3" in row and "3</span>" in row
    assert f"<td>{len(found.note.text.split())}</td>" in row


def test_table_has_a_row_for_every_strategy() -> None:
    waiting = CaseComparison(RECORD, waiting=frozenset({"p3"}))
    shown = waiting.with_note(noted("m")).with_note(StrategyNote("m+p1", RECORD, error="No."))
    rows = [unescape(re.sub("<[^>]*>", " ", row)).split() for row in summary_card(shown).split("<tr>")[2:]]
    assert rows[0] == ["M", "2", "0", "0", "0"] and rows[1][:3] == ["M+P1", "no", "note,"]
    assert rows[2] == ["M+P2", "not", "written"] and rows[3] == ["P3", "waiting"]


def test_text_is_escaped(writer: NoteWriter) -> None:
    record = LesionMetadata(label=NASTY, site=NASTY)
    note = Note(NASTY, "p3", NASTY, NASTY, audit={"claims": [claim("contradicted", NASTY)]})
    for result in (StrategyNote("p3", record, note), StrategyNote("p3", record, error=NASTY)):
        comparison = CaseComparison(record).with_note(result)
        page = strategy_card("p3", comparison, writer) + summary_card(comparison) + status_line(comparison)
        assert "<img" not in page and 'onerror="' not in page


def test_notes_of_a_changed_record_are_marked_and_downloaded_with_their_own() -> None:
    shown = CaseComparison(RECORD).with_note(noted("p3", claim("contradicted")))
    assert "changed" not in status_line(shown)
    later = CaseComparison(LesionMetadata(label="melanocytic nevus"), notes=shown.notes)
    assert "changed since P3 was requested" in status_line(later)
    data = re.search(r'data-record="([^"]*)"', summary_card(later))
    assert data is not None
    saved = json.loads(unescape(data[1]))
    [entry] = saved["notes"]
    assert entry["text"] == "A nevus." and entry["record"] == RECORD.to_mapping()
    assert entry["audit"]["claims"][0]["verdict"] == "contradicted" and "never a diagnosis" in saved["caution"]
