"""Local server with the HTTP API of the Hugging Face Hub, for the real `huggingface_hub` client.

    python -m tests.servers.hub_server --port 8777
    HF_ENDPOINT=http://127.0.0.1:8777 HF_HUB_DISABLE_XET=1 HF_TOKEN=hf_write python ...

Large files are on another host name (localhost), as on the real Hub: a client must not send its token there.
"""

from __future__ import annotations

import argparse
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import uvicorn
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.servers.hub_api import ROUTES, Call
from tests.servers.hub_store import RefusalError, Store

WRITE_TOKEN, READ_TOKEN, STRANGER_TOKEN = "hf_write", "hf_read", "hf_stranger"
TOKENS = {
    WRITE_TOKEN: ("writer", True, ("writer", "org")),
    READ_TOKEN: ("reader", False, ("reader", "org")),
    STRANGER_TOKEN: ("stranger", True, ("stranger",)),
}


@dataclass(frozen=True)
class Hub:
    """A running server: its address and its data."""

    url: str
    store: Store


@contextmanager
def running_hub(port: int = 0) -> Iterator[Hub]:
    """Serve in a thread until the block ends; port 0 takes any free one."""
    store = Store(tokens=dict(TOKENS))
    server = uvicorn.Server(uvicorn.Config(application(store), "127.0.0.1", port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError(f"The test Hub could not listen on port {port}.")
        time.sleep(0.01)
    listening = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Hub(f"http://127.0.0.1:{listening}", store)
    finally:
        server.should_exit = True
        thread.join(timeout=5)


def application(store: Store) -> Any:
    """Return the ASGI application of a store."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        response = await run_in_threadpool(answer, store, request, await request.body())
        await response(scope, receive, send)

    return app


def answer(store: Store, request: Request, body: bytes) -> Response:
    """Dispatch by the raw path (a revision may have an escaped slash); refusals have the Hub's headers."""
    path = request.scope["raw_path"].decode()
    method = "GET" if request.method == "HEAD" else request.method
    store.log.append((request.method, path))
    given = request.headers.get("authorization")
    if path.startswith("/large/") and method == "GET" and given:
        store.leaks.append(path)
    try:
        if status := store.next_error(path):
            raise RefusalError(status, message="A scripted error")
        for expected, pattern, action in ROUTES:
            if expected == method and (found := re.fullmatch(pattern, path)):
                parts = {name: unquote(value) for name, value in found.groupdict().items() if value}
                names = {"kind": "models", "name": "", "revision": "", "path": "", **parts}
                token = given.removeprefix("Bearer ") if given else None
                return action(Call(store, token=token, body=body, host=request.headers["host"], **names))
        raise RefusalError(404, message=f"No such address: {method} {path}")
    except RefusalError as refusal:
        headers = {"X-Error-Message": refusal.message, **({"X-Error-Code": refusal.code} if refusal.code else {})}
        return JSONResponse(refusal.body or {"error": refusal.message}, refusal.status, headers)


def main() -> None:
    parser = argparse.ArgumentParser(description="A local Hub for tests; all data is in memory.")
    parser.add_argument("--port", type=int, default=8777)
    with running_hub(parser.parse_args().port) as hub:
        print(f"HF_ENDPOINT={hub.url} HF_HUB_DISABLE_XET=1; tokens: {', '.join(TOKENS)}", flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
