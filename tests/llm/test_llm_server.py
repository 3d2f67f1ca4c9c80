"""The local language model server in another process, where its script and its records are had over HTTP."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from dermnote.llm.llm_errors import KeyRefusedError
from dermnote.notes.writing import NoteWriter
from tests.conftest import REPOSITORY
from tests.llm.note_requests import all_at_once, answer_to, small_jpeg
from tests.servers.llm_faults import FAULTS, Fault
from tests.servers.llm_server import LlmServer


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """The base URL of a server in a process of its own."""
    command = [sys.executable, "-m", "tests.servers.llm_server", "--port", "0", "--delay", "0.01"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.kill()


def call(url: str, path: str, orders: dict[str, Any] | None = None, method: str | None = None) -> Any:
    data = None if orders is None else json.dumps(orders).encode()
    request = urllib.request.Request(url.removesuffix("/v1") + path, data, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def test_a_server_in_another_process_follows_its_script_and_tells_what_came(elsewhere: str):
    writer = NoteWriter("x", base_url=elsewhere, api_key="sk-secret-0123456789")
    call(elsewhere, "/script", {"next": [{"name": "busy", "seconds": 0.01}, None, "401"], "delay": 0})
    answer_to(writer)
    with pytest.raises(KeyRefusedError):
        answer_to(writer)
    seen = call(elsewhere, "/requests")
    assert (seen["count"], seen["chats"]) == (3, 3)
    assert "secret" not in json.dumps(seen)
    sent = json.loads(seen["requests"][0]["text"])
    assert sent["messages"][1]["content"][1]["image_url"]["url"].startswith("sha256:")  # not the picture itself
    assert call(elsewhere, "/requests?bodies=0")["requests"] == []
    call(elsewhere, "/requests", method="DELETE")
    assert call(elsewhere, "/requests")["count"] == 0


def test_the_same_request_has_the_same_answer_in_every_process(elsewhere: str, llm_server: LlmServer):
    here, there = (answer_to(NoteWriter("x", base_url=url)) for url in (llm_server.url, elsewhere))
    assert here == there


def test_many_connections_open_in_one_instant(elsewhere: str):
    call(elsewhere, "/script", {"delay": 0.1})
    assert len({reply.text for reply in all_at_once(NoteWriter("x", base_url=elsewhere, max_retries=0), 64)}) == 1
    assert call(elsewhere, "/requests?bodies=0")["most_at_once"] > 32


def test_a_rule_decides_by_the_request(llm_server: LlmServer):
    llm_server.rule = lambda body: "fenced" if len(llm_server.chats) > 1 else "wrong schema"
    assert answer_to(NoteWriter("x", base_url=llm_server.url)).usage.requests == 2


def test_a_fault_that_nobody_knows_is_named():
    with pytest.raises(ValueError, match="No fault 'bussy'"):
        Fault.read("bussy")
    assert all(Fault.read({"name": name}) for name in [*FAULTS, "418"])


def test_what_was_sent_is_kept_as_it_was_in_this_process(llm_server: LlmServer):
    answer_to(NoteWriter("x", base_url=llm_server.url))
    url = llm_server.chats[0].body["messages"][1]["content"][1]["image_url"]["url"]
    assert len(url) > len(small_jpeg())
