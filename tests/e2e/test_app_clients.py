"""The app for scripts and agents: the Gradio client, plain HTTP, and an MCP client."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from PIL import Image
from standin import StandIn, as_jpeg, launched, scribble

from dermnote.app import launch
from dermnote.app.gradio_patches import BUSY
from tests.places import REPOSITORY

PLACE = "MARKER-PLACE"


@pytest.fixture
def url(stand_in_url: str) -> str:
    return stand_in_url


def new_client(url: str) -> Client:
    return Client(url, verbose=False, analytics_enabled=False)


@pytest.fixture(scope="module")
def lesion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A JPEG with EXIF."""
    path = tmp_path_factory.mktemp("pictures") / "lesion.jpg"
    exif = Image.Exif()
    exif[0x010F] = PLACE
    path.write_bytes(as_jpeg(scribble(1, 400), exif=exif))
    return path


def test_script_calls_public_endpoints_only(url: str, lesion: Path) -> None:
    client, image = new_client(url), handle_file(lesion)
    assert len(client.predict(picture=image, api_name="/classify")) == 8
    for name in ("/find_notes", "/find_similar"):
        assert len(client.predict(picture=image, modality="cropped", k=3, api_name=name)) == 3
    found = client.predict(text="a spot", k=9, label=["melanoma"], api_name="/find_images")
    assert found and {each["label"] for each in found} == {"melanoma"}
    assert client.predict(picture=image, label="melanoma", api_name="/explain")["of"] == "melanoma"
    assert "melanoma" in client.predict(label="melanoma", strategies=["m"], api_name="/compare")[0]["text"]
    note = client.predict(label="melanoma", age="61", demographics=True, api_name="/write_note")
    assert "melanoma" in note["text"] and "61-year-old" in note["text"]
    with pytest.raises(AppError, match="characters"):
        client.predict(text="a" * 3000, api_name="/find_images")
    for private in ("/_read", "/_compose", "/_search"):
        with pytest.raises(ValueError, match="api_name"):
            client.predict(api_name=private)


def test_script_in_the_readme_runs(url: str, lesion: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    [script] = [block for block in blocks if "gradio_client" in block]
    script = script.replace("http://127.0.0.1:7860", url).replace("lesion.jpg", str(lesion))
    exec(compile(script, "README.md", "exec"), {})  # our own code


def ask_agent(url: str, question: Callable[[ClientSession], Awaitable[Any]], **headers: str) -> Any:
    """Return an MCP client's answer."""

    async def session() -> Any:
        address = f"{url}/gradio_api/mcp/"
        async with streamablehttp_client(address, headers) as streams, ClientSession(*streams[:2]) as session:
            await session.initialize()
            return await question(session)

    with ThreadPoolExecutor() as pool:  # this thread may have a loop running: Playwright's
        return pool.submit(lambda: asyncio.run(session())).result()


def test_every_endpoint_is_a_documented_tool(url: str) -> None:
    tools = ask_agent(url, lambda session: session.list_tools()).tools
    endpoints = httpx.get(f"{url}/gradio_api/info").json()["named_endpoints"]
    assert {f"/{tool.name}" for tool in tools} == set(endpoints) >= {"/classify", "/find_notes", "/write_note"}
    for tool in tools:
        assert "Research use only, never a diagnosis" in tool.description, tool.name
        for name, schema in tool.inputSchema["properties"].items():
            assert schema.get("description") or schema.get("type"), (tool.name, name)


def test_agents_image_is_read_and_stripped_of_metadata(url: str, lesion: Path, uploads_folder: str) -> None:
    answer = ask_agent(url, lambda session: session.call_tool("find_images", {"text": "a dark spot", "k": 1}))
    assert not answer.isError and "data:image/jpeg;base64," in answer.content[0].text
    data = base64.b64encode(lesion.read_bytes()).decode()
    call = {"picture": f"data:image/jpeg;base64,{data}", "modality": "dermoscopy"}
    answer = ask_agent(url, lambda session: session.call_tool("classify", call))
    assert not answer.isError and "melanoma" in answer.content[0].text
    kept = [path for path in Path(uploads_folder).rglob("*.jp*g") if path != lesion]
    assert kept and all(PLACE.encode() not in path.read_bytes() for path in kept)


@pytest.mark.parametrize(
    ("picture", "message"),
    [("data:image/jpeg;base64,AAAA", "not a picture"), ("/etc/passwd", "Invalid file data"), ("x", "Invalid file")],
)
def test_agent_gets_an_error_as_one_line(url: str, picture: str, message: str) -> None:
    answer = ask_agent(url, lambda session: session.call_tool("classify", {"picture": picture}))
    text = answer.content[0].text
    assert answer.isError and message in text and "Traceback" not in text and "\n" not in text and "/tmp" not in text


class Slow(StandIn):
    """A model that answers on request."""

    def __init__(self) -> None:
        super().__init__()
        self.come, self.go_on = threading.Semaphore(0), threading.Event()

    def classify(self, image: Any, modality: str | None = "dermoscopy") -> Any:
        self.come.release()
        self.go_on.wait(30)
        return super().classify(image, modality)


def call(url: str, endpoint: str, data: list[Any]) -> str:
    """Return the event stream of an answer over plain HTTP."""
    return fetch(url, endpoint, begin(url, endpoint, data))


def begin(url: str, endpoint: str, data: list[Any]) -> str:
    sent = httpx.post(f"{url}/gradio_api/call/{endpoint}", json={"data": data}).raise_for_status()
    return str(sent.json()["event_id"])


def fetch(url: str, endpoint: str, event: str, timeout: float = 30) -> str:
    return httpx.get(f"{url}/gradio_api/call/{endpoint}/{event}", timeout=timeout).text


def is_admitted(url: str) -> bool:
    """Return whether the queue has room; the request leaves it again."""
    event = begin(url, "find_images", ["another spot", 1, [], [], []])
    try:
        return BUSY not in fetch(url, "find_images", event, timeout=0.5)
    except httpx.ReadTimeout:
        return True


def test_full_queue_is_one_line_and_waiting_requests_are_answered(
    monkeypatch: pytest.MonkeyPatch, lesion: Path
) -> None:
    monkeypatch.setattr(launch, "QUEUE", 2)
    model, search = Slow(), ["a dark spot", 1, [], [], []]
    with launched(model) as url:
        try:
            reading = [new_client(url).submit(handle_file(lesion), api_name="/classify") for _ in range(2)]
            assert model.come.acquire(timeout=30) and model.come.acquire(timeout=30)
            waiting = [begin(url, "find_images", search) for _ in range(2)]
            event, data = call(url, "find_images", search).strip().split("\n")
            assert event == "event: error" and json.loads(data.removeprefix("data: "))["error"] == BUSY
            with pytest.raises(Exception, match=BUSY):
                new_client(url).predict(text="a dark spot", api_name="/find_images")
            agent = ask_agent(url, lambda session: session.call_tool("find_images", {"text": "a dark spot"}))
            assert agent.isError and BUSY in agent.content[0].text
            with pytest.raises(httpx.ReadTimeout):  # a request whose client disconnects leaves the queue
                fetch(url, "find_images", waiting[0], timeout=0.5)
            assert any(is_admitted(url) for _ in range(20))
        finally:
            model.go_on.set()
        assert [len(each.result(30)) for each in reading] == [8] * 2
        assert "complete" in fetch(url, "find_images", waiting[1])
        assert "complete" in call(url, "find_images", search)
