import asyncio
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dermnote.errors import ConfigError
from dermnote.llm.client import DEFAULT_MODEL
from dermnote.llm.llm_errors import BusyError, KeyRefusedError, MalformedError, NoKeyError, Usage
from dermnote.notes.strategies import SYSTEM_MESSAGE
from dermnote.notes.writing import NoteWriter
from tests.llm.note_requests import all_at_once, answer_to, request_for, small_jpeg
from tests.servers.llm_server import LlmServer

KEY = "sk-test-0123456789abcdef"


@pytest.fixture(autouse=True)
def no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "DERMNOTE_LLM"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("strategy", ["m+p1", "m+p2", "p3"])
def test_every_strategy_gets_its_note(llm_server: LlmServer, strategy: str):
    request = request_for(strategy)
    note = NoteWriter("note-writer", base_url=llm_server.url).write(request, small_jpeg())
    assert note.text
    assert (note.strategy, note.model, note.request) == (strategy, "note-writer", request.key)
    (sent,) = llm_server.chats
    assert sent.body == NoteWriter("note-writer", base_url=llm_server.url).body(request, small_jpeg())


def test_what_is_sent(llm_server: LlmServer):
    request = request_for("m+p1", detail="high")
    reply = answer_to(NoteWriter("note-writer", base_url=llm_server.url), request)
    body = llm_server.chats[0].body
    system, user = body["messages"]
    assert system == {"role": "system", "content": SYSTEM_MESSAGE}
    assert user["content"][0] == {"type": "text", "text": request.text}
    assert user["content"][1]["image_url"]["detail"] == "high"
    assert user["content"][1]["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/")
    assert body["response_format"]["json_schema"]["schema"] == request.schema
    assert body["response_format"]["json_schema"]["strict"] is True
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("note-writer", 0.2, 300)
    assert reply.usage.requests == 1
    assert reply.usage.prompt_tokens > 85
    assert reply.served_by == "note-writer-2026-01-01"
    assert json.loads(reply.text).keys() == request.schema["properties"].keys()


def test_a_strategy_without_a_picture_sends_none(llm_server: LlmServer):
    NoteWriter("note-writer", base_url=llm_server.url).write(request_for(), None)
    assert [part["type"] for part in llm_server.chats[0].body["messages"][1]["content"]] == ["text"]


def test_a_malformed_answer_is_sent_back_once_with_what_is_wrong(llm_server: LlmServer):
    llm_server.script([{"name": "says", "text": "It is round."}])
    reply = answer_to(NoteWriter("x", base_url=llm_server.url))
    first, second = (each.body["messages"] for each in llm_server.chats)
    assert second[:2] == first
    assert second[2] == {"role": "assistant", "content": "It is round."}
    assert second[3]["role"] == "user"
    assert "holds no JSON object" in second[3]["content"]
    assert reply.usage.requests == 2
    assert reply.usage.prompt_tokens > 2 * 85


def test_an_empty_answer_is_asked_for_again_in_the_same_words(llm_server: LlmServer):
    llm_server.script([{"name": "says", "text": ""}])
    answer_to(NoteWriter("x", base_url=llm_server.url))
    first, second = (each.body for each in llm_server.chats)
    assert first == second


@pytest.mark.parametrize("fault", ["wrong schema", "no choices", {"name": "says", "text": ""}])
def test_two_malformed_answers_are_an_error_that_counts_both(llm_server: LlmServer, fault: object):
    llm_server.always(fault)
    with pytest.raises(MalformedError) as caught:
        answer_to(NoteWriter("x", base_url=llm_server.url))
    assert len(llm_server.chats) == 2
    assert caught.value.usage.requests == 2
    assert caught.value.usage.completion_tokens > 0


def test_what_goes_wrong_in_the_repair_counts_the_first_request_too(llm_server: LlmServer):
    llm_server.script(["wrong schema", "401"])
    with pytest.raises(KeyRefusedError) as caught:
        answer_to(NoteWriter("x", base_url=llm_server.url, api_key=KEY))
    assert caught.value.usage.requests == 1
    assert caught.value.usage.prompt_tokens > 0


def test_usage_adds_up():
    assert Usage(1, 2, 1) + Usage(10, 20, 3) == Usage(11, 22, 4)


def test_an_answer_in_a_code_fence_needs_no_repair(llm_server: LlmServer):
    llm_server.script(["fenced"])
    answer_to(NoteWriter("x", base_url=llm_server.url))
    assert len(llm_server.chats) == 1


def test_many_ask_at_once(llm_server: LlmServer):
    llm_server.delay = 0.05
    replies = all_at_once(NoteWriter("x", base_url=llm_server.url), 24)
    assert len({reply.text for reply in replies}) == 1  # the same question
    assert len(llm_server.chats) == 24
    assert llm_server.most_at_once > 8


def test_one_writer_writes_in_several_threads_and_beside_an_event_loop(llm_server: LlmServer):
    writer = NoteWriter("x", base_url=llm_server.url)
    started = threading.active_count()
    with ThreadPoolExecutor(4) as pool:
        notes = list(pool.map(lambda _: writer.write(request_for(), small_jpeg()), range(8)))

    async def in_a_notebook() -> object:
        return writer.write(request_for(), small_jpeg())

    assert {note.text for note in notes} == {asyncio.run(in_a_notebook()).text}
    assert threading.active_count() <= started + 12  # the server's threads for connections still open


def test_a_writer_may_be_used_in_one_event_loop_after_the_other(llm_server: LlmServer):
    writer = NoteWriter("x", base_url=llm_server.url)
    assert asyncio.run(writer.ask(request_for(), None)) == asyncio.run(writer.ask(request_for(), None))


def test_settings_come_from_the_environment(llm_server: LlmServer, monkeypatch: pytest.MonkeyPatch):
    assert NoteWriter().model == DEFAULT_MODEL
    monkeypatch.setenv("OPENAI_BASE_URL", llm_server.url)
    monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}\n")
    monkeypatch.setenv("DERMNOTE_LLM", "medgemma")
    writer = NoteWriter()
    assert (writer.model, writer.is_set_up, writer.is_local) == ("medgemma", True, True)
    writer.write(request_for(), None)
    assert llm_server.chats[0].body["model"] == "medgemma"


@pytest.mark.parametrize(
    ("url", "host", "local"),
    [
        (None, "api.openai.com", False),
        ("http://127.0.0.1:8000/v1", "127.0.0.1:8000", True),
        ("http://LOCALHOST:11434/v1/", "localhost:11434", True),
        ("http://[::1]:8000/v1", "[::1]:8000", True),
        ("http://127.0.0.1.example.org/v1", "127.0.0.1.example.org", False),
        ("http://localhost.example.org/v1", "localhost.example.org", False),
        ("http://10.0.0.7:8000/v1", "10.0.0.7:8000", False),
        ("https://name:secret@notes.example.org/v1", "notes.example.org", False),
        ("https://127.0.0.1@notes.example.org/v1", "notes.example.org", False),
    ],
)
def test_local_is_only_what_stays_on_this_machine(url: str | None, host: str, local: bool):
    writer = NoteWriter(base_url=url)
    assert (writer.host, writer.is_local) == (host, local)
    assert writer.is_set_up is (url is not None)
    assert "secret" not in repr(writer)


@pytest.mark.parametrize("url", ["127.0.0.1:8000/v1", "ftp://host/v1", "http://", "http://host:99999999/v1"])
def test_an_address_that_is_none_is_refused_at_once(url: str):
    with pytest.raises(ConfigError, match="http://host:port/v1"):
        NoteWriter(base_url=url)


def test_without_a_key_openai_is_not_asked():
    writer = NoteWriter()
    assert not writer.is_set_up
    with pytest.raises(NoKeyError, match="OPENAI_API_KEY"):
        writer.write(request_for(), None)


@pytest.mark.parametrize("key", ["sk-test\n0123456789", "sk-tést-0123456789"])
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(llm_server: LlmServer, key: str):
    with pytest.raises(KeyRefusedError) as caught:
        NoteWriter(base_url=llm_server.url, api_key=key).write(request_for(), None)
    assert "0123456789" not in str(caught.value)
    assert llm_server.requests == []


def test_nothing_heavy_is_loaded_before_something_is_asked():
    code = (
        "import sys; from dermnote.notes.writing import NoteWriter; NoteWriter()\n"
        "heavy = {'openai', 'httpx2', 'torch', 'transformers'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_server_that_asks_for_more_than_one_s_patience_is_not_waited_for(llm_server: LlmServer):
    llm_server.always({"name": "busy", "seconds": 30})
    with pytest.raises(BusyError):
        NoteWriter(base_url=llm_server.url, patience=5.0).write(request_for("p3"), small_jpeg())
    assert len(llm_server.chats) == 1
