"""A local server that speaks OpenAI's HTTP, so that the real client talks to it; it can go wrong in every way asked.

    python -m tests.servers.llm_server --port 0 --delay 0.2     # prints its base URL
    OPENAI_BASE_URL=http://127.0.0.1:PORT/v1 python ...

In a test: `with running() as server: server.script(["busy", None]); NoteWriter(base_url=server.url)`. Over HTTP the
same by POST /script, e.g. {"next": [{"name": "busy", "seconds": 1}, null], "delay": 0.2}; GET /requests tells what
came.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from http.server import ThreadingHTTPServer
from typing import Any

from tests.servers.llm_answers import completion, user_parts
from tests.servers.llm_batches import Batches
from tests.servers.llm_faults import REFUSED, Answer, Fault, answer_with, as_json, error, refused_option
from tests.servers.llm_http import Handler

Scripted = Fault | str | dict[str, Any] | None


@dataclass(frozen=True)
class Recorded:
    """One request as it came; the key is left out of the headers.

    Attributes:
        time: `time.monotonic` of its arrival.
        text: The body as it came over the wire.
    """

    method: str
    path: str
    time: float
    headers: dict[str, str]
    text: str = field(repr=False)

    @property
    def body(self) -> dict[str, Any]:
        """The body as JSON."""
        return json.loads(self.text)


class LlmServer:
    """The server's state; every public field may be turned while it runs.

    Attributes:
        url: Its base URL, "/v1" included.
        delay: Seconds that each chat completion takes.
        rule: Decides for a chat completion's body what goes wrong, where the script says nothing.
        refused: Options it refuses (see `REFUSED`).
        batches: Files and batches.
        requests: What came, oldest first; requests to the server's own routes are not counted.
        most_at_once: Most chat completions under way in one moment.
    """

    def __init__(self, delay: float = 0.0, *, keep_pictures: bool = True) -> None:
        self.url = ""
        self.delay = delay
        self.rule: Callable[[dict[str, Any]], Scripted] = lambda body: None
        self.refused: set[str] = set()
        self.batches = Batches(completion)
        self.requests: list[Recorded] = []
        self.most_at_once = 0
        self.stopping = threading.Event()
        self._keep_pictures = keep_pictures
        self._script: deque[Fault | None] = deque()
        self._always: Fault | None = None
        self._under_way = 0
        self._lock = threading.Lock()

    def script(self, faults: Iterable[Scripted]) -> None:
        """What happens to the next chat completions, one each; None is a good answer."""
        self._script.extend(Fault.read(fault) for fault in faults)

    def always(self, fault: Scripted) -> None:
        """What happens to every chat completion that the script does not name."""
        self._always = Fault.read(fault)

    def refuse(self, *options: str) -> None:
        """Refuses requests that use these options from now on."""
        assert set(options) <= set(REFUSED), f"known: {', '.join(REFUSED)}"
        self.refused = set(options)

    def forget(self) -> None:
        """Nothing has come, and nothing goes wrong any more; answers that are still on their way go out first."""
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
        """The chat completions that were asked for."""
        return [each for each in self.requests if each.path == "/v1/chat/completions"]

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        """Answers one request."""
        parts = path.strip("/").split("/")
        if parts[0] != "v1":
            return self._answer_about_itself(method, path, query, body)
        self._record(method, path, headers, body)
        if parts[1:] == ["chat", "completions"] and method == "POST":
            return self._chat(json.loads(body), headers.get("authorization", ""))
        if parts[1:] == ["models"]:
            listed = {"id": "note-writer", "object": "model", "created": 0, "owned_by": "tests"}
            return as_json({"object": "list", "data": [listed]})
        if parts[1:2] in (["files"], ["batches"]):
            return self.batches.answer(method, parts[1:], query, headers.get("content-type", ""), body)
        return error(404, f"No such address: {method} {path}")

    def _record(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        shown = {name: value for name, value in headers.items() if name != "authorization"}
        text = body.decode("utf-8", "replace")
        if not self._keep_pictures and path.endswith("/completions"):
            text = _without_pictures(json.loads(body))
        with self._lock:
            self.requests.append(Recorded(method, path, time.monotonic(), shown, text))

    def _chat(self, body: dict[str, Any], authorization: str) -> Answer:
        with self._lock:
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
            scripted = bool(self._script)
            fault = self._script.popleft() if scripted else self._always
        try:
            if refusal := refused_option(body, self.refused):
                return refusal
            fault = fault if scripted or fault else Fault.read(self.rule(body))
            answer = answer_with(fault, completion(body))
            self.stopping.wait(self.delay + (answer.wait if answer.way == "whole" else 0))
            key = authorization.removeprefix("Bearer ").encode()
            return replace(answer, body=answer.body.replace(b"{key}", key))
        finally:
            with self._lock:
                self._under_way -= 1

    def _answer_about_itself(self, method: str, path: str, query: dict[str, str], body: bytes) -> Answer:
        if (method, path) == ("GET", "/requests"):
            rows = [] if query.get("bodies") == "0" else [asdict(each) for each in self.requests]
            told = {"count": len(self.requests), "chats": len(self.chats), "most_at_once": self.most_at_once}
            return as_json({**told, "requests": rows})
        if (method, path) == ("DELETE", "/requests"):
            with self._lock:
                self.requests.clear()
                self.most_at_once = 0
            return as_json({})
        if (method, path) == ("POST", "/script"):
            return self._turn(json.loads(body))
        return error(404, f"No such address: {method} {path}; chat completions are under /v1.")

    def _turn(self, orders: dict[str, Any]) -> Answer:
        """Sets what is named: next, always, refuse, delay, polls, fate."""
        for name, value in orders.items():
            match name:
                case "next":
                    self.script(value)
                case "always":
                    self.always(value)
                case "refuse":
                    self.refuse(*value)
                case "delay":
                    self.delay = float(value)
                case "polls" | "fate":
                    setattr(self.batches, name, value)
                case _:
                    return error(400, f"Unknown order '{name}'.")
        return as_json({})


def _without_pictures(body: dict[str, Any]) -> str:
    """The body with each picture's digest in its place: thousands of requests then fit into memory."""
    for part in user_parts(body):
        if part["type"] == "image_url":
            part["image_url"]["url"] = "sha256:" + hashlib.sha256(part["image_url"]["url"].encode()).hexdigest()
    return json.dumps(body)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # connections that open in one instant; five is the standard library's


@contextmanager
def running(delay: float = 0.0, *, port: int = 0, keep_pictures: bool = True) -> Iterator[LlmServer]:
    """Serves in threads until the block ends, when open connections are cut; port 0 takes any free one."""
    server = LlmServer(delay, keep_pictures=keep_pictures)
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
            handler.cut_connections()


def main() -> None:
    parser = argparse.ArgumentParser(description="A local language model server for tests; everything is in memory.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that each completion takes")
    asked = parser.parse_args()
    with running(asked.delay, port=asked.port, keep_pictures=False) as server:
        print(server.url, flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
