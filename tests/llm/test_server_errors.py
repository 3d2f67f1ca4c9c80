"""Failures of a server over real HTTP: type of the error, its message, and the number of tries."""

import logging
from dataclasses import dataclass
from typing import Any

import pytest

from dermnote.llm import llm_errors as errors
from dermnote.llm import pacing
from dermnote.notes.writing import NoteWriter
from tests.llm.note_requests import answer_to
from tests.servers.llm_answers import PAGE
from tests.servers.llm_server import running

KEY = "sk-test-0123456789abcdef"
PAGE_REFUSAL = {"name": "refusal", "text": f"\x1b[2J{PAGE * 20}"}


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pacing, "FIRST_BACKOFF", 0.01)
    monkeypatch.setattr(pacing, "FIRST_SPACING", 0.01)


@dataclass(frozen=True)
class Case:
    failure: Any
    error: type[errors.WriterError]
    tries: int = 1
    says: str = ""
    key: str = KEY


def status(number: int, text: str = "", code: str = "") -> dict[str, str]:
    return {"name": str(number), "text": text, "code": code}


CASES = {
    "401": Case("401", errors.KeyRefusedError, says="Check OPENAI_API_KEY"),
    "401 without a key": Case("401", errors.NoKeyError, says="Set OPENAI_API_KEY", key=""),
    "400 for a bad key": Case(status(400, "API key not valid."), errors.KeyRefusedError, says="Check OPENAI_API_KEY"),
    "402": Case("402", errors.QuotaError, says="credit"),
    "403": Case("403", errors.KeyRefusedError, says="may not use 'x'"),
    "404": Case(status(404, "model 'x' not found"), errors.UnknownModelError, says="--model"),
    "404 page": Case({"name": "page", "code": "404"}, errors.UnknownModelError, says="--base-url"),
    "405": Case("405", errors.NotAnApiError, says="/v1"),
    "400": Case("400", errors.RequestRefusedError),
    "413": Case("413", errors.RequestRefusedError, says="--detail low"),
    "context": Case(status(400, "maximum context length is 128"), errors.RequestRefusedError, says="size"),
    "no sight, vLLM": Case(status(400, "At most 0 image(s) may be provided"), errors.NoSightError, says="pictures"),
    "no sight, llama.cpp": Case(status(500, "image input is not supported - hint: ..."), errors.NoSightError),
    "no sight, Ollama": Case(status(500, "this model is missing data required for image input"), errors.NoSightError),
    "no sight, OpenAI": Case(status(400, "image_url is only supported by certain models."), errors.NoSightError),
    "llama.cpp's broken answer": Case(
        status(500, "The model produced output that does not match the expected format"), errors.MalformedError, 2
    ),
    "one bad picture": Case(status(400, "You uploaded an unsupported image."), errors.RequestRefusedError),
    "422": Case("422", errors.RequestRefusedError),
    "501": Case("501", errors.RequestRefusedError, 3),  # without schema, then without format
    "content filter 400": Case(status(400, "Filtered.", "content_filter"), errors.FilteredError),
    "quota": Case("quota", errors.QuotaError, says="credit"),
    "busy": Case({"name": "busy", "seconds": 0.01}, errors.BusyError, 3, "--concurrency"),
    "busy, silent": Case("busy, no word how long", errors.BusyError, 3),
    "busy for an hour": Case({"name": "busy", "seconds": 3600}, errors.BusyError, 1),
    "408": Case("408", errors.SlowError, 3),
    "409": Case("409", errors.ServerFaultError, 3),
    "500": Case("500", errors.ServerFaultError, 3),
    "502 page": Case({"name": "page", "code": "502"}, errors.ServerFaultError, 3, "502: a web page"),
    "503": Case({"name": "503", "seconds": 0.01}, errors.ServerFaultError, 3),
    "529": Case("529", errors.ServerFaultError, 3),
    "dropped": Case("dropped", errors.UnreachableError, 3, "OPENAI_BASE_URL"),
    "torn": Case("torn", errors.UnreachableError, 3),
    "slow": Case({"name": "slow", "seconds": 30}, errors.SlowError, 3, "--timeout"),
    "drip": Case({"name": "drip", "seconds": 4}, errors.SlowError, 3, "0.3 s"),  # never silent for as long as that
    "page": Case("page", errors.NotAnApiError, says="/v1"),
    "no json": Case("no json", errors.NotAnApiError),
    "redirect": Case({"name": "redirect", "text": "http://127.0.0.1:9/v1"}, errors.NotAnApiError, says="307"),
    "no completion": Case({"name": "error in 200", "code": "429"}, errors.BusyError, 1),
    "refusal": Case("refusal", errors.RefusalError, says="can't help"),
    "cut off": Case("cut off", errors.CutOffError, says="300 tokens"),
    "filtered": Case("filtered", errors.FilteredError, says="content filter"),
    "malformed": Case({"name": "says", "text": "It is round."}, errors.MalformedError, 2, "no JSON object"),
    "wrong schema": Case("wrong schema", errors.MalformedError, 2, "lacks the key"),
    "no choices": Case("no choices", errors.MalformedError, 2, "empty"),
}


COUNTED = ("refusal", "cut off", "filtered", "malformed", "wrong schema", "no choices")


@pytest.mark.parametrize("name", CASES)
def test_each_failure_has_its_error_hint_and_number_of_tries(llm_server, name):
    case = CASES[name]
    llm_server.always(case.failure)
    timeout = 0.3 if name in ("slow", "drip") else 20.0
    writer = NoteWriter("x", base_url=llm_server.url, api_key=case.key, timeout=timeout, max_retries=2)
    with pytest.raises(errors.WriterError) as caught:
        answer_to(writer)
    error = caught.value
    assert type(error) is case.error
    assert len(llm_server.chats) == case.tries
    assert case.says in str(error)
    assert error.hint
    assert error.usage.requests == (case.tries if name in COUNTED else 0)
    assert "\n" not in str(error)
    assert len(error.message) < 300


LOST = ["dropped", "torn", "504", {"name": "slow", "seconds": 9}]


@pytest.mark.parametrize(("failure", "lost"), [*((each, True) for each in LOST), ("500", False), ("busy", False)])
def test_a_lost_answer_that_may_be_billed_is_marked(llm_server, failure, lost):
    llm_server.always(failure)
    writer = NoteWriter("x", base_url=llm_server.url, timeout=0.5, max_retries=0)
    with pytest.raises(errors.WriterError) as caught:
        answer_to(writer)
    assert caught.value.answer_lost is lost


def test_a_missing_server_bills_nothing():
    with pytest.raises(errors.UnreachableError, match=r"could not be reached.*\(.*connect.*\)") as caught:
        answer_to(NoteWriter("x", base_url="http://127.0.0.1:9/v1", max_retries=0))
    assert caught.value.answer_lost is False


@pytest.mark.parametrize("passing", ["busy", "busy, no word how long", "500", "503", "dropped", "torn", "408", "409"])
def test_a_temporary_failure_costs_no_note(llm_server, passing):
    llm_server.script([{"name": passing, "seconds": 0.01}] * 3)
    reply = answer_to(NoteWriter("x", base_url=llm_server.url, timeout=20))
    assert reply.usage.requests == 1
    assert len(llm_server.chats) == 4


def test_a_wrong_path_is_named(llm_server):
    with pytest.raises(errors.UnknownModelError, match="chat completions are under /v1"):
        answer_to(NoteWriter("x", base_url=llm_server.url.removesuffix("/v1")))


def test_a_redirect_is_not_followed(llm_server):
    with running() as elsewhere:
        llm_server.always({"name": "redirect", "text": f"{elsewhere.url}/chat/completions"})
        with pytest.raises(errors.NotAnApiError):
            answer_to(NoteWriter("x", base_url=llm_server.url))
        assert elsewhere.requests == []


def test_a_local_server_is_reached_without_a_proxy(llm_server, monkeypatch):
    with running() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        answer_to(NoteWriter("x", base_url=llm_server.url))
        assert len(llm_server.chats) == 1


@pytest.mark.parametrize(
    "words",
    [
        "Incorrect API key provided: {key}.",
        "Incorrect API key provided: sk-tes**********cdef.",
        "Header was 'Authorization: Bearer {key}'",
    ],
)
@pytest.mark.parametrize("number", [400, 401, 429, 500])
def test_a_key_is_never_shown_even_by_a_server_that_repeats_it(llm_server, words, number, caplog):
    caplog.set_level(logging.DEBUG)
    llm_server.always(status(number, words))
    writer = NoteWriter("x", base_url=llm_server.url, api_key=KEY, max_retries=1)
    with pytest.raises(errors.WriterError) as caught:
        answer_to(writer)
    shown = f"{caught.value} {caught.value!r} {vars(caught.value)} {writer!r} {vars(writer)} {caplog.text}"
    assert KEY not in shown and "cdef" not in shown
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


@pytest.mark.parametrize("failure", [status(400, "\x1b[31m bad\r\n\u202e" + "words " * 1000), PAGE_REFUSAL])
def test_a_servers_message_is_one_short_printable_line(llm_server, failure):
    llm_server.always(failure)
    with pytest.raises((errors.RequestRefusedError, errors.RefusalError)) as caught:
        answer_to(NoteWriter("x", base_url=llm_server.url))
    assert str(caught.value).isprintable() and len(caught.value.message) < 260


def test_a_key_of_ordinary_words_is_not_shown_either(llm_server):
    llm_server.always(status(400, "No account for {key}."))
    with pytest.raises(errors.WriterError, match=r"No account for \[key\]\."):
        answer_to(NoteWriter("x", base_url=llm_server.url, api_key="correct horse"))
