"""Access to a protected app, and malformed requests, which get no file, trace or path."""

from __future__ import annotations

import base64
import json
import re
import select
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from standin import as_jpeg, scribble
from test_app_clients import ask_agent

from dermnote.app.serving.middleware import MAX_CALL
from tests.benchmarks.app_server import AppServer
from tests.places import REPOSITORY

NAME, PASSWORD = "ann", "open,sesame:1"
BASIC = "Basic " + base64.b64encode(f"{NAME}:{PASSWORD}".encode()).decode()
GB = 1_000_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    work = tmp_path_factory.mktemp("guarded")
    server = AppServer(work, DERMNOTE_AUTH=f"{NAME}:{PASSWORD}", PYTHONUNBUFFERED="1")
    server.start()
    yield server
    server.kill()
    assert PASSWORD not in server.log()


@pytest.fixture(scope="module")
def anonymous(server: AppServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def known(server: AppServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30, auth=(NAME, PASSWORD)) as client:
        yield client


@pytest.fixture(scope="module")
def uploaded(known: httpx.Client) -> str:
    """Path of an uploaded image, as Gradio returns it."""
    sent = {"files": ("lesion.jpg", as_jpeg(scribble(1)), "image/jpeg")}
    [path] = known.post("/gradio_api/upload", files=sent).raise_for_status().json()
    return str(path)


def test_without_a_login_only_its_page_is_open(anonymous: httpx.Client, known: httpx.Client, uploaded: str) -> None:
    page = anonymous.get("/").raise_for_status().text
    assert "auth_required" in page and "dn-header" not in page and "dn-header" in known.get("/").text
    paths = ["/config", "/gradio_api/info", "/gradio_api/openapi.json", f"/gradio_api/file={uploaded}", "/monitoring"]
    paths += ["/gradio_api/heartbeat/abc", "/gradio_api/queue/data?session_hash=abc", "/gradio_api/mcp/schema", "/docs"]
    for path in paths:
        answer = anonymous.get(path)
        assert (answer.status_code, answer.json()) == (401, {"detail": "Log in first."}), path
    sends: dict[str, dict[str, Any]] = {
        "/gradio_api/upload": {"files": {"files": ("x.jpg", b"x", "image/jpeg")}},
        "/gradio_api/call/find_images": {"json": {"data": ["a dark spot", 1, [], [], []]}},
        "/gradio_api/run/find_images": {"json": {"data": ["a dark spot", 1, [], [], []]}},
        "/gradio_api/queue/join": {"json": {"data": [], "fn_index": 0, "session_hash": "x"}},
        "/gradio_api/cancel": {"json": {"session_hash": "x", "fn_index": 0, "event_id": "x"}},
        "/gradio_api/mcp/": {"json": {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}},
        "/gradio_api/component_server": {"json": {}},
    }
    for path, sent in sends.items():
        assert anonymous.post(path, **sent).status_code == 401, path


def test_wrong_password_is_refused_and_a_login_lasts_until_logout(server: AppServer, anonymous: httpx.Client) -> None:
    refused = anonymous.post("/login", data={"username": NAME, "password": "open,sesame:2"})
    assert refused.status_code == 400 and not refused.cookies
    assert anonymous.get("/config", auth=(NAME, "open,sesame:2")).status_code == 401
    assert anonymous.get("/config", headers={"cookie": "access-token-unsecure-x=None"}).status_code == 401
    with httpx.Client(base_url=server.url, timeout=30) as client:
        client.post("/login", data={"username": NAME, "password": PASSWORD}).raise_for_status()
        assert client.get("/config").is_success
        client.get("/logout")
        assert client.get("/config").status_code == 401


def test_script_and_agent_log_in(server: AppServer, tmp_path: Path) -> None:
    image = tmp_path / "lesion.jpg"
    image.write_bytes(as_jpeg(scribble(1)))
    script = Client(server.url, auth=(NAME, PASSWORD), verbose=False, analytics_enabled=False)
    assert len(script.predict(handle_file(image), api_name="/classify")) == 8
    answer = ask_agent(server.url, lambda it: it.call_tool("find_images", {"text": "a spot"}), authorization=BASIC)
    assert not answer.isError and "thumbnail" in answer.content[0].text


def test_files_outside_the_uploads_are_refused(known: httpx.Client, uploaded: str) -> None:
    assert known.get(f"/gradio_api/file={uploaded}").headers["content-type"] == "image/jpeg"
    folder, up = Path(uploaded).parent, "/..".join([uploaded, *[""] * 12])
    names = ["app.py", str(REPOSITORY / "app.py"), str(folder), str(folder.parent), "/etc/passwd", "/proc/self/environ"]
    names += [f"{up}/etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "file:///etc/passwd", "/etc/pass%00wd", "C:\\x"]
    for name in [*names, "\\\\h\\s", "http://127.0.0.1/", "https://localhost/x.jpg"]:
        target = httpx.URL(str(known.base_url)).copy_with(raw_path=f"/gradio_api/file={name}".encode())
        answer = known.get(target)
        assert answer.status_code in (403, 404), name
        assert "root:" not in answer.text and "lesion.jpg" not in answer.text.replace(name, ""), name


def test_dashboard_history_and_proxy_are_off(known: httpx.Client) -> None:
    for path in ("/monitoring", "/monitoring/summary", "/gradio_api/runs", "/gradio_api/vibe-code/"):
        assert known.get(path).status_code in (403, 404), path
    assert known.get("/gradio_api/proxy=http://127.0.0.1/").status_code == 400


def ask(client: httpx.Client, endpoint: str, body: Any) -> str:
    """Return the answer of an endpoint to any body."""
    content = body if isinstance(body, str) else json.dumps(body)
    headers = {"content-type": "application/json"}
    sent = client.post(f"/gradio_api/call/{endpoint}", content=content, headers=headers)
    if not sent.is_success:
        return f"{sent.status_code} {sent.text}"
    return client.get(f"/gradio_api/call/{endpoint}/{sent.json()['event_id']}").text


def file(**fields: Any) -> dict[str, Any]:
    return {**fields, "meta": {"_type": "gradio.FileData"}}


MALFORMED: list[tuple[str, Any]] = [
    ("classify", "{"),
    ("classify", "[]"),
    ("classify", {"data": []}),
    ("classify", {"data": [5, "dermoscopy"]}),
    ("classify", {"data": ["/etc/passwd", "dermoscopy"]}),
    ("classify", {"data": [{"path": "/etc/passwd"}, "dermoscopy"]}),  # Gradio does not check a file without `meta`
    ("classify", {"data": [file(path="/etc/passwd"), "dermoscopy"]}),
    ("classify", {"data": [file(path="http://127.0.0.1:1/x.jpg"), "dermoscopy"]}),
    ("classify", {"data": [{"url": "file:///etc/passwd"}, "dermoscopy"]}),
    ("classify", {"data": [{"url": "data:image/png;base64,AAAA"}, "dermoscopy"]}),
    ("classify", {"data": [None, {"a": 1}]}),
    ("find_images", {"data": ["a", "x"]}),
    ("find_images", '{"data": ["a", NaN]}'),
    ("find_images", {"data": ["a", 1e308]}),
    ("write_note", {"data": [None, "dermoscopy", ["x"], {}, 5, None, {"a": 1}, "x", "y", "zz", "maybe"]}),
    ("nothing", {"data": []}),
    ("v2/classify", {"zzz": 1}),
    ("_read", {"data": []}),
]


@pytest.mark.parametrize(("endpoint", "body"), MALFORMED, ids=str)
def test_malformed_request_is_refused_without_trace_or_path(known: httpx.Client, endpoint: str, body: Any) -> None:
    reply = ask(known, endpoint, body)
    assert "event: complete" not in reply and len(reply) < 600
    for never in ("Traceback", 'File "', "site-packages", str(REPOSITORY), "/tmp", "root:", "dermnote-uploads"):
        assert never not in reply, reply


def test_unknown_endpoint_and_unknown_event(known: httpx.Client) -> None:
    assert ask(known, "nothing", {"data": []}).startswith("404")
    assert known.get("/gradio_api/call/classify/no-such-answer").text.startswith("event: error")
    joined = known.post("/gradio_api/queue/join", json={"data": [], "fn_index": 10**9, "session_hash": "x"})
    assert joined.status_code == 500 and joined.json()["detail"].startswith("This request cannot be answered.")


def test_upload_stays_in_its_folder_for_any_name(known: httpx.Client, server: AppServer) -> None:
    sent = {"files": ("../../../escaped.jpg", b"no picture", "image/jpeg")}
    [path] = known.post("/gradio_api/upload", files=sent).raise_for_status().json()
    assert Path(path).resolve().is_relative_to(server.uploads.resolve())
    page = known.post("/gradio_api/upload", files={"files": ("x.html", b"<script>1</script>", "text/html")}).json()[0]
    shown = known.get(f"/gradio_api/file={page}")
    assert shown.headers["content-disposition"].startswith("attachment") and "html" not in shown.headers["content-type"]
    too_long = {"files": ("long.jpg", bytes(21 * 1024**2), "image/jpeg")}
    assert known.post("/gradio_api/upload", files=too_long).status_code == 413


@pytest.mark.parametrize("path", ["/gradio_api/upload", "/gradio_api/call/classify", "/gradio_api/mcp/", "/login"])
@pytest.mark.parametrize("size", [f"Content-Length: {GB}", "Transfer-Encoding: chunked"], ids=["announced", "pieces"])
def test_endless_request_is_cut_off(server: AppServer, known: httpx.Client, path: str, size: str) -> None:
    kind = "multipart/form-data; boundary=x" if "upload" in path else "application/json"
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", f"Authorization: {BASIC}", "Accept: */*"]
    before = server.memory_mb()
    reply = flood(server.port, "\r\n".join([*lines, f"Content-Type: {kind}", size, "", ""]), "chunked" in size)
    assert re.match(rb"HTTP/1.1 4\d\d", reply), reply
    assert b" 413 " in reply or "chunked" in size
    assert server.memory_mb() - before < 2.5 * MAX_CALL / 1024**2
    assert known.get("/config").is_success


def flood(port: int, head: str, in_pieces: bool) -> bytes:
    """Send until there is an answer, at most twice the limit of a call."""
    piece = b"1" * 1_000_000
    piece = f"{len(piece):x}\r\n".encode() + piece + b"\r\n" if in_pieces else piece
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        line.sendall(head.encode())
        for _ in range(2 * MAX_CALL // len(piece)):
            if select.select([line], [], [], 0.005)[0]:
                break
            line.sendall(piece)
        return line.recv(100)


def test_app_answers_after_a_crash(server: AppServer, known: httpx.Client, uploaded: str) -> None:
    """Runs last: it ends the app."""
    server.kill()
    assert Path(uploaded) in server.kept_files()
    server.start()
    assert "event: complete" in ask(known, "classify", {"data": [file(path=uploaded), "dermoscopy"]})
