"""The client over real HTTP: requests, repairs, rejected options, event loops, settings, and other routes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dermnote.errors import ConfigError
from dermnote.llm.client import DEFAULT_MODEL
from dermnote.llm.llm_errors import (
    KeyRefusedError,
    MalformedError,
    NoKeyError,
    RequestRefusedError,
    UnreachableError,
    WriterError,
)
from dermnote.notes.strategies import SYSTEM_MESSAGE
from dermnote.notes.writing import NoteWriter
from tests.llm.note_requests import all_at_once, answer_to, request_for, small_jpeg
from tests.servers.llm_server import running

KEY = "sk-test-0123456789abcdef"


@pytest.fixture(autouse=True)
def no_settings_of_the_machine(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "DERMNOTE_LLM"):
        monkeypatch.delenv(name, raising=False)


def test_body_of_a_request(llm_server):
    request = request_for("m+p1", detail="high")
    reply = answer_to(NoteWriter("note-writer", base_url=llm_server.url), request)
    body = llm_server.chats[0].body
    system, user = body["messages"]
    assert system == {"role": "system", "content": SYSTEM_MESSAGE}
    assert user["content"][0] == {"type": "text", "text": request.text}
    assert user["content"][1]["image_url"]["detail"] == "high"
    assert user["content"][1]["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/")
    form = body["response_format"]["json_schema"]
    assert (form["schema"], form["strict"]) == (request.schema, True)
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("note-writer", 0.2, 300)
    assert reply.usage.requests == 1 and reply.usage.prompt_tokens > 85
    assert reply.served_by == "note-writer-2026-01-01"
    assert json.loads(reply.text).keys() == request.schema["properties"].keys()


def test_a_malformed_answer_is_sent_back_once_with_the_problem(llm_server):
    llm_server.script([{"name": "says", "text": "It is round."}])
    reply = answer_to(NoteWriter("x", base_url=llm_server.url))
    first, second = (each.body["messages"] for each in llm_server.chats)
    assert second[:2] == first
    assert second[2] == {"role": "assistant", "content": "It is round."}
    assert second[3]["role"] == "user" and "holds no JSON object" in second[3]["content"]
    assert reply.usage.requests == 2 and reply.usage.prompt_tokens > 2 * 85


@pytest.mark.parametrize("failure", ["wrong schema", "no choices", {"name": "says", "text": ""}])
def test_two_malformed_answers_are_an_error_that_counts_both(llm_server, failure):
    llm_server.always(failure)
    with pytest.raises(MalformedError) as caught:
        answer_to(NoteWriter("x", base_url=llm_server.url))
    assert len(llm_server.chats) == caught.value.usage.requests == 2
    assert caught.value.usage.completion_tokens > 0


def test_one_client_works_in_several_threads_and_beside_an_event_loop(llm_server):
    writer = NoteWriter("x", base_url=llm_server.url)
    started = threading.active_count()
    with ThreadPoolExecutor(4) as pool:
        notes = list(pool.map(lambda _: writer.write(request_for(), small_jpeg()), range(8)))

    async def in_a_notebook():
        return writer.write(request_for(), small_jpeg())

    assert {note.text for note in notes} == {asyncio.run(in_a_notebook()).text}
    assert threading.active_count() <= started + 12  # the server's threads for connections still open
    assert asyncio.run(writer.ask(request_for(), None)) == asyncio.run(writer.ask(request_for(), None))


def test_settings_come_from_the_environment(llm_server, monkeypatch):
    assert NoteWriter().model == DEFAULT_MODEL
    monkeypatch.setenv("OPENAI_BASE_URL", llm_server.url)
    monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}\n")
    monkeypatch.setenv("DERMNOTE_LLM", "medgemma")
    writer = NoteWriter()
    assert (writer.model, writer.is_set_up, writer.is_local) == ("medgemma", True, True)
    writer.write(request_for(), None)
    body = llm_server.chats[0].body
    assert body["model"] == "medgemma"
    assert [part["type"] for part in body["messages"][1]["content"]] == ["text"]  # no image was given


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
def test_local_is_only_the_loopback_address(url, host, local):
    writer = NoteWriter(base_url=url)
    assert (writer.host, writer.is_local) == (host, local)
    assert writer.is_set_up is (url is not None)
    assert "secret" not in repr(writer)


@pytest.mark.parametrize("url", ["127.0.0.1:8000/v1", "ftp://host/v1", "http://", "http://host:99999999/v1"])
def test_an_invalid_address_is_refused_at_once(url):
    with pytest.raises(ConfigError, match="http://host:port/v1"):
        NoteWriter(base_url=url)


def test_no_request_is_sent_without_a_valid_key(llm_server):
    with pytest.raises(NoKeyError, match="OPENAI_API_KEY"):
        NoteWriter().write(request_for(), None)
    for key in ("sk-test\n0123456789", "sk-tést-0123456789"):
        with pytest.raises(KeyRefusedError) as caught:
            NoteWriter(base_url=llm_server.url, api_key=key).write(request_for(), None)
        assert "0123456789" not in str(caught.value)
    assert llm_server.requests == []


def test_nothing_heavy_is_imported_before_the_first_request():
    code = (
        "import sys; from dermnote import NoteWriter; NoteWriter()\n"
        "heavy = {'openai', 'httpx2', 'torch', 'transformers'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_errors_of_other_routes_are_converted_too(llm_server):
    async def list_batches(writer):
        with writer.openai_errors():
            await writer.client.batches.list()

    with running() as gone:
        url = gone.url
    with pytest.raises(UnreachableError):
        asyncio.run(list_batches(NoteWriter("x", base_url=url, max_retries=0)))
    with pytest.raises(WriterError, match="No such address"):
        asyncio.run(list_batches(NoteWriter("x", base_url=f"{llm_server.url}/v2", max_retries=0)))
    with pytest.raises(KeyRefusedError):
        asyncio.run(list_batches(NoteWriter("x", base_url=llm_server.url, api_key="sk-\nx")))


def options(body):
    """Returns format, temperature and token limit of a request."""
    form = body.get("response_format", {}).get("type")
    return form, "temperature" in body, "max_tokens" if "max_tokens" in body else "max_completion_tokens"


@pytest.mark.parametrize(
    ("refused", "left", "probes"),
    [
        (["json_schema"], ("json_object", True, "max_tokens"), 1),
        (["json_schema", "json_object"], (None, True, "max_tokens"), 2),
        (["temperature"], ("json_schema", False, "max_tokens"), 1),
        (["max_tokens"], ("json_schema", True, "max_completion_tokens"), 1),
        (["json_schema", "json_object", "temperature", "max_tokens"], (None, False, "max_completion_tokens"), 4),
    ],
)
def test_a_rejected_option_is_left_out_from_then_on(llm_server, refused, left, probes):
    llm_server.refuse(*refused)
    writer = NoteWriter("x", base_url=llm_server.url)
    for _ in range(3):
        assert writer.write(request_for("p3"), small_jpeg()).text
    assert len(llm_server.chats) == probes + 3
    assert options(llm_server.chats[-1].body) == left
    assert options(writer.body(request_for(), None)) == left


def test_a_server_without_list_lengths_gets_a_plain_schema(llm_server):
    llm_server.refuse("minItems")
    writer = NoteWriter("x", base_url=llm_server.url)
    answer_to(writer)
    first, second = (each.body["response_format"]["json_schema"] for each in llm_server.chats)
    colours = first["schema"]["properties"].pop("colours")
    plain = second["schema"]["properties"].pop("colours")
    assert (colours.pop("minItems"), colours.pop("maxItems")) == (1, 6)
    assert plain == colours
    answer_to(writer)
    assert len(llm_server.chats) == 3


def test_concurrent_requests_share_the_dialect(llm_server):
    llm_server.refuse("json_schema", "temperature")
    writer = NoteWriter("x", base_url=llm_server.url)
    replies = all_at_once(writer, 16)
    assert not [each for each in replies if isinstance(each, BaseException)]
    before = len(llm_server.chats)
    answer_to(writer)
    assert len(llm_server.chats) == before + 1


def test_an_error_that_persists_changes_no_option(llm_server):
    """A server that quotes the whole request in its complaint names every option."""
    llm_server.script([{"name": "400", "text": "Bad picture in {'response_format', 'temperature', 'max_tokens'}"}] * 5)
    writer = NoteWriter("x", base_url=llm_server.url)
    with pytest.raises(RequestRefusedError, match="Bad picture"):
        answer_to(writer)
    answer_to(writer)
    assert options(llm_server.chats[-1].body) == ("json_schema", True, "max_tokens")


def test_an_error_during_the_repair_counts_the_first_request_too(llm_server):
    llm_server.script(["wrong schema", "401"])
    with pytest.raises(KeyRefusedError) as caught:
        answer_to(NoteWriter("x", base_url=llm_server.url, api_key=KEY))
    assert caught.value.usage.requests == 1 and caught.value.usage.prompt_tokens > 0
