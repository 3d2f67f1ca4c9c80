"""Local server with OpenAI's HTTP API for tests with the real client; it fails in every way that a test asks for.

    python -m tests.servers.llm_server --port 0 --delay 0.2     # prints its base URL
    OPENAI_BASE_URL=http://127.0.0.1:PORT/v1 python ...

In a test: `with running() as server: server.script(["busy", None]); NoteWriter(base_url=server.url)`. GET and DELETE
/requests return the times of the chat completions, and forget them.
"""

from __future__ import annotations

import argparse
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from tests.servers.llm_answers import (
    REFUSED,
    Answer,
    Failure,
    answer_with,
    as_json,
    completion,
    error,
    refused_option,
)
from tests.servers.llm_batches import Batches

Scripted = Failure | str | dict[str, Any] | None
PIECES = 20


@dataclass(frozen=True)
class Recorded:
    """One request, without its key.

    Attributes:
        time: `time.monotonic` of its arrival.
        text: Body as received.
    """

    method: str
    path: str
    time: float
    headers: dict[str, str]
    text: str = field(repr=False)

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.text)


class LlmServer:
    """State of the server; public attributes may be changed while it runs.

    Attributes:
        url: Base URL, "/v1" included.
        delay: Seconds that each chat completion takes.
        rule: Failure for a chat completion's body, where the script has none.
        refused: Options that are rejected (see `REFUSED`).
        batches: Files and batches.
        requests: Requests, oldest first.
        most_at_once: Most concurrent chat completions.
    """

    def __init__(self, delay: float = 0.0) -> None:
        self.url = ""
        self.delay = delay
        self.rule: Callable[[dict[str, Any]], Scripted] = lambda body: None
        self.refused: set[str] = set()
        self.batches = Batches(completion)
        self.requests: list[Recorded] = []
        self.most_at_once = 0
        self.stopping = threading.Event()
        self._script: deque[Failure | None] = deque()
        self._always: Failure | None = None
        self._under_way = 0
        self._lock = threading.Lock()

    def script(self, failures: Iterable[Scripted]) -> None:
        """Set the failures of the next chat completions, one each; None is a good answer."""
        self._script.extend(Failure.read(failure) for failure in failures)

    def always(self, failure: Scripted) -> None:
        """Set the failure of all chat completions without a scripted one."""
        self._always = Failure.read(failure)

    def refuse(self, *options: str) -> None:
        """Reject requests with these options."""
        assert set(options) <= set(REFUSED), f"known: {', '.join(REFUSED)}"
        self.refused = set(options)

    def forget(self) -> None:
        """Reset requests and failures, after the answers under way have been sent."""
        self.rule, self.refused = (lambda body: None), set()
        over, self.stopping = self.stopping, threading.Event()
        over.set()
        while self._under_way:
            time.sleep(0.01)
        with self._lock:
            self.requests.clear()
            self._script.clear()
            self.most_at_once, self.delay, self._always = 0, 0.0, None

    @property
    def chats(self) -> list[Recorded]:
        """Requests for chat completions."""
        return [each for each in self.requests if each.path == "/v1/chat/completions"]

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        """Answer one request."""
        parts = path.strip("/").split("/")
        if parts == ["requests"]:
            return self._recorded(method)
        if parts[0] != "v1":
            return error(404, f"No such address: {method} {path}; chat completions are under /v1.")
        self._record(method, path, headers, body)
        if parts[1:] == ["chat", "completions"] and method == "POST":
            return self._chat(json.loads(body), headers.get("authorization", ""))
        if parts[1:2] in (["files"], ["batches"]):
            return self.batches.answer(method, parts[1:], query, headers.get("content-type", ""), body)
        return error(404, f"No such address: {method} {path}")

    def _recorded(self, method: str) -> Answer:
        times = [each.time for each in self.chats]
        if method == "DELETE":
            with self._lock:
                self.requests.clear()
        return as_json({"times": times})

    def _record(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        shown = {name: value for name, value in headers.items() if name != "authorization"}
        text = body.decode("utf-8", "replace")
        with self._lock:
            self.requests.append(Recorded(method, path, time.monotonic(), shown, text))

    def _chat(self, body: dict[str, Any], authorization: str) -> Answer:
        with self._lock:
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
            scripted = bool(self._script)
            failure = self._script.popleft() if scripted else self._always
        try:
            if refusal := refused_option(body, self.refused):
                return refusal
            failure = failure if scripted or failure else Failure.read(self.rule(body))
            answer = answer_with(failure, completion(body))
            self.stopping.wait(self.delay + (answer.wait if answer.way == "whole" else 0))
            key = authorization.removeprefix("Bearer ").encode()
            return replace(answer, body=answer.body.replace(b"{key}", key))
        finally:
            with self._lock:
                self._under_way -= 1


class Handler(BaseHTTPRequestHandler):
    """One connection; `llm` is the server's state, `open_connections` all sockets in use."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise every answer waits 40 ms for the client's acknowledgement
    wbufsize = -1
    llm: ClassVar[LlmServer]
    open_connections: ClassVar[set[socket.socket]]

    def setup(self) -> None:
        super().setup()
        self.open_connections.add(self.connection)

    def handle(self) -> None:
        with suppress(ConnectionError):  # the client gave up
            super().handle()

    def finish(self) -> None:
        self.open_connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        address = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.llm.answer(self.command, address.path, dict(parse_qsl(address.query)), headers, body)
        if answer.way == "none":
            self._drop()
            return
        self.send_response_only(answer.status)
        for name, value in {"Content-Type": answer.kind, **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.way == "half":
            self.wfile.write(answer.body[: len(answer.body) // 2])
            self.wfile.flush()
            self._drop()
            return
        step = len(answer.body) // PIECES + 1 if answer.way == "drip" else len(answer.body) or 1
        for start in range(0, len(answer.body), step):
            self.wfile.write(answer.body[start : start + step])
            self.wfile.flush()
            if answer.way == "drip":
                self.llm.stopping.wait(answer.wait / PIECES)

    do_POST = do_DELETE = do_GET  # noqa: N815

    def _drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # connections opened at the same time; the standard library allows five


@contextmanager
def running(delay: float = 0.0, *, port: int = 0) -> Iterator[LlmServer]:
    """Serve in threads until the block ends, when open connections are cut; port 0 takes any free one."""
    server = LlmServer(delay)
    handler = type("BoundHandler", (Handler,), {"llm": server, "open_connections": set()})
    with _Listener(("127.0.0.1", port), handler) as listener:
        server.url = f"http://127.0.0.1:{listener.server_address[1]}/v1"
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.stopping.set()
            listener.shutdown()
            for connection in list(handler.open_connections):
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def main() -> None:
    parser = argparse.ArgumentParser(description="A local language model server for tests; everything is in memory.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that each completion takes")
    options = parser.parse_args()
    with running(options.delay, port=options.port) as server:
        print(server.url, flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
