"""Servers that support fewer options than OpenAI's: rejected options are left out, and not tried again."""

import pytest

from dermnote.llm.endpoint import Dialect
from dermnote.llm.llm_errors import RequestRefusedError
from dermnote.notes.writing import NoteWriter
from tests.llm.note_requests import all_at_once, answer_to, request_for, small_jpeg


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


def test_a_server_that_implements_no_format(llm_server):
    llm_server.rule = lambda body: "501" if "response_format" in body else None
    answer_to(NoteWriter("x", base_url=llm_server.url))
    assert [options(each.body)[0] for each in llm_server.chats] == ["json_schema", "json_object", None]


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


def test_openai_gets_the_newer_token_limit():
    assert options(NoteWriter(api_key="k").body(request_for(), None)) == ("json_schema", True, "max_completion_tokens")


def test_dialects_are_intersected():
    one, other = Dialect("json_object", True, "max_tokens"), Dialect("json_schema", False, "max_completion_tokens")
    assert one.intersection(other) == other.intersection(one) == Dialect("json_object", False, "max_completion_tokens")


def test_a_message_without_an_option_changes_nothing():
    assert Dialect().without("Invalid picture.") is None
    assert Dialect("plain_schema").without("'minItems' is not permitted.") is None
    assert Dialect("none", False, "max_completion_tokens").without("response_format temperature max_tokens") is None
