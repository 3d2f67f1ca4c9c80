"""Local server with the HTTP API of the Hugging Face Hub, for the real `huggingface_hub` client.

Large files are on another host name (localhost), as on the real Hub: a client must not send its token there.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import uvicorn
import yaml
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.servers.hub_store import LARGE, Blob, RefusalError, Repo, Store

WRITE_TOKEN, READ_TOKEN, OTHER_TOKEN = "hf_write", "hf_read", "hf_other"
TOKENS = {
    WRITE_TOKEN: ("writer", True, ("writer", "org")),
    READ_TOKEN: ("reader", False, ("reader", "org")),
    OTHER_TOKEN: ("other", True, ("other",)),
}


ID = r"(?P<name>[^/]+/[^/]+)"
KIND = r"/api/(?P<kind>models|datasets|spaces)/" + ID
PAGE = r"/(?:(?P<kind>datasets|spaces)/)?" + ID


@dataclass
class Call:
    """A request: parts of its URL, its token and its body."""

    store: Store
    kind: str
    name: str
    revision: str
    path: str
    token: str | None
    body: bytes
    host: str

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"{}")

    def repo(self, write: bool = False) -> Repo:
        return self.store.repo(self.kind, self.name, self.token, write=write)


def create(call: Call) -> Response:
    options = call.json
    kind = options.get("type", "model") + "s"
    user = call.store.user(call.token)
    name = f"{options.get('organization') or (user[0] if user else '')}/{options['name']}"
    url = f"http://{call.host}/{'' if kind == 'models' else kind + '/'}{name}"
    private = options.get("visibility") == "private" or options.get("private") is True
    try:
        call.store.create(kind, name, private, call.token)
    except RefusalError as refusal:
        refusal.body = {"error": refusal.message, "url": url}
        raise
    return JSONResponse({"url": url, "name": name})


def validate_yaml(call: Call) -> Response:
    """Check a card as the Hub does."""
    front = re.match(r"---\n(.*?)\n---\n", call.json["content"], re.S)
    try:
        data = yaml.safe_load(front[1]) if front else {}
        errors = _metadata_errors(data) if isinstance(data, dict) else ["front matter is not a mapping"]
    except yaml.YAMLError as error:
        errors = [f"invalid YAML: {error}"]
    except (KeyError, TypeError, AssertionError):
        errors = ['"model-index" is not valid']
    body = {"errors": [{"message": error} for error in errors], "warnings": []}
    return JSONResponse(body, 400 if errors else 200)


def _metadata_errors(data: dict[str, Any]) -> list[str]:
    strings = [key for key in ("license", "pipeline_tag", "library_name") if not isinstance(data.get(key, ""), str)]
    lists = [key for key in ("tags", "datasets") if not all(isinstance(each, str) for each in data.get(key, []))]
    for result in [result for model in data.get("model-index", []) for result in model["results"]]:
        assert result["task"]["type"] and result["dataset"]["type"] and result["dataset"]["name"]
        assert all("type" in metric and metric["value"] is not None for metric in result["metrics"])
    return [f'"{key}" must be a string' for key in strings] + [f'"{key}" must be a list of strings' for key in lists]


def preupload(call: Call) -> Response:
    files = call.repo(write=True).resolve(call.revision).files
    answer = []
    for item in call.json["files"]:
        large = item["size"] >= LARGE or b"\0" in base64.b64decode(item["sample"])
        existing = files.get(item["path"])
        entry = {"path": item["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
        answer.append({**entry, **({"oid": existing.etag} if existing else {})})
    return JSONResponse({"files": answer})


def lfs_batch(call: Call) -> Response:
    call.repo(write=True)
    objects = []
    for item in call.json["objects"]:
        actions = {
            "upload": {"href": f"http://{call.host}/large/{item['oid']}"},
            "verify": {"href": f"http://{call.host}/verify"},
        }
        objects.append({**item, **({} if item["oid"] in call.store.large else {"actions": actions})})
    return JSONResponse({"transfer": "basic", "objects": objects})


def put_large(call: Call) -> Response:
    if hashlib.sha256(call.body).hexdigest() != call.path:
        raise RefusalError(400, message="The bytes do not match the oid")
    call.store.large[call.path] = call.body
    return Response()


def get_large(call: Call) -> Response:
    return Response(call.store.large[call.path], media_type="application/octet-stream")


def verify(call: Call) -> Response:
    complete = len(call.store.large.get(call.json["oid"], b"")) == call.json["size"]
    return JSONResponse({}, 200 if complete else 404)


def commit(call: Call) -> Response:
    repo = call.repo(write=True)
    made = call.store.apply(repo, call.revision, [json.loads(line) for line in call.body.splitlines() if line.strip()])
    return JSONResponse(
        {"success": True, "commitOid": made.sha, "commitUrl": f"http://{call.host}/{call.name}/commit/{made.sha}"}
    )


def info(call: Call) -> Response:
    repo = call.repo()
    at = repo.resolve(call.revision or "main")
    siblings = [{"rfilename": path} for path in sorted(at.files)]
    entry = {"id": call.name, "sha": at.sha, "private": repo.private, "siblings": siblings, "tags": []}
    return JSONResponse({**entry, "lastModified": at.date})


def tree(call: Call) -> Response:
    def entry(path: str, blob: Blob) -> dict[str, Any]:
        lfs = {"lfs": {"oid": blob.sha256, "size": len(blob.data), "pointerSize": 130}} if blob.lfs else {}
        return {"type": "file", "path": path, "size": len(blob.data), "oid": blob.oid, **lfs}

    return JSONResponse([entry(*item) for item in sorted(call.repo().resolve(call.revision).files.items())])


def branch(call: Call) -> Response:
    repo = call.repo(write=True)
    if call.revision in repo.branches:
        raise RefusalError(409, message="Reference already exists")
    repo.branches[call.revision] = repo.resolve(call.json.get("startingPoint", "main")).sha
    return JSONResponse({})


def resolve(call: Call) -> Response:
    at = call.repo().resolve(call.revision)
    blob = at.files.get(call.path)
    headers = {"X-Repo-Commit": at.sha}
    if blob is None:
        raise RefusalError(404, "EntryNotFound", "Entry not found")
    if not blob.lfs:
        return Response(blob.data, headers={**headers, "ETag": f'"{blob.etag}"'}, media_type="application/octet-stream")
    other_host = call.host.replace("127.0.0.1", "localhost")
    linked = {"X-Linked-ETag": f'"{blob.sha256}"', "X-Linked-Size": str(len(blob.data))}
    return Response(None, 302, {**headers, **linked, "Location": f"http://{other_host}/large/{blob.sha256}"})


def variables(call: Call) -> Response:
    key, value = call.json["key"], call.json["value"]
    call.repo(write=True).variables[key] = value
    return JSONResponse({key: {"value": value}})


ROUTES: list[tuple[str, str, Callable[[Call], Response]]] = [
    ("POST", r"/api/repos/create", create),
    ("POST", r"/api/validate-yaml", validate_yaml),
    ("POST", KIND + r"/preupload/(?P<revision>[^/]+)", preupload),
    ("POST", KIND + r"/commit/(?P<revision>[^/]+)", commit),
    ("GET", KIND + r"(?:/revision/(?P<revision>[^/]+))?", info),
    ("GET", KIND + r"/tree/(?P<revision>[^/]+)/?", tree),
    ("POST", KIND + r"/branch/(?P<revision>[^/]+)", branch),
    ("POST", PAGE + r"\.git/info/lfs/objects/batch", lfs_batch),
    ("PUT", r"/large/(?P<path>[0-9a-f]{64})", put_large),
    ("GET", r"/large/(?P<path>[0-9a-f]{64})", get_large),
    ("POST", r"/verify", verify),
    ("POST", KIND + r"/variables", variables),
    ("GET", PAGE + r"/resolve/(?P<revision>[^/]+)/(?P<path>.+)", resolve),
]


@dataclass(frozen=True)
class Hub:
    """A running server: its address and its data."""

    url: str
    store: Store


@contextmanager
def running_hub() -> Iterator[Hub]:
    """Serve in a thread, at a free port, until the block ends."""
    store = Store(tokens=dict(TOKENS))
    server = uvicorn.Server(uvicorn.Config(application(store), "127.0.0.1", 0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("The test Hub could not start.")
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
