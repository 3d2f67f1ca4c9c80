"""How the local language model server delivers its answers over a socket: whole, in pieces, or not at all."""

from __future__ import annotations

import socket
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from tests.servers.llm_faults import Answer

PIECES = 20


class Handler(BaseHTTPRequestHandler):
    """One connection; `llm` is the server's state, `open_connections` all sockets in use."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise every answer waits 40 ms for the client's acknowledgement
    wbufsize = -1
    llm: ClassVar[Any]
    open_connections: ClassVar[set[socket.socket]]

    def setup(self) -> None:
        super().setup()
        self.open_connections.add(self.connection)

    def handle(self) -> None:
        with suppress(ConnectionError):  # a client that gave up waiting
            super().handle()

    def finish(self) -> None:
        self.open_connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    @classmethod
    def cut_connections(cls) -> None:
        for each in list(cls.open_connections):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_DELETE = do_GET  # noqa: N815

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        address = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.llm.answer(self.command, address.path, dict(parse_qsl(address.query)), headers, body)
        self._deliver(answer)

    def _deliver(self, answer: Answer) -> None:
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
        elif answer.way == "drip":
            self._drip(answer)
        else:
            self.wfile.write(answer.body)
            self.wfile.flush()

    def _drip(self, answer: Answer) -> None:
        step = len(answer.body) // PIECES + 1
        for start in range(0, len(answer.body), step):
            self.wfile.write(answer.body[start : start + step])
            self.wfile.flush()
            self.llm.stopping.wait(answer.wait / PIECES)

    def _drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing: a test's output is the test's."""
