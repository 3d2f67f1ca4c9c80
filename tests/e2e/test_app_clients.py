"""The app as scripts and agents meet it: the Gradio client, plain HTTP, and an MCP client."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from launching import launched
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from PIL import Image
from standin import StandIn, as_jpeg, scribble

from dermnote.app import launch
from dermnote.app.gradio_patches import BUSY
from tests.places import REPOSITORY

PLACE = "MARKER-PLACE"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with launched() as url:
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Client:
    return Client(url, verbose=False, analytics_enabled=False)


@pytest.fixture(scope="module")
def lesion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo as a phone writes it, with its place in it."""
    path = tmp_path_factory.mktemp("pictures") / "lesion.jpg"
    exif = Image.Exif()
    exif[0x010F] = PLACE
    path.write_bytes(as_jpeg(scribble(1, 400), exif=exif))
    return path


def test_a_script_calls_the_endpoints_and_no_others(client: Client, lesion: Path) -> None:
    classes = client.predict(picture=handle_file(lesion), api_name="/classify")
    assert len(classes) == 8 and abs(sum(each["probability"] for each in classes) - 1) < 1e-3
    notes = client.predict(picture=handle_file(lesion), modality="cropped", k=3, api_name="/find_notes")
    assert len(notes) == 3 and notes[0]["score"] >= notes[1]["score"]
    pictures = client.predict(text="a dark spot", k=2, api_name="/find_images")
    assert pictures[0]["thumbnail"].startswith("data:image/jpeg;base64,")
    similar = client.predict(picture=handle_file(lesion), modality="cropped", k=2, api_name="/find_similar")
    assert len(similar) == 2 and similar[0]["thumbnail"].startswith("data:image/jpeg;base64,")
    narrowed = client.predict(text="a spot", k=9, label=["melanoma"], api_name="/find_images")
    assert narrowed and {each["label"] for each in narrowed} == {"melanoma"}
    explained = client.predict(picture=handle_file(lesion), label="melanoma", api_name="/explain")
    assert sum(map(sum, explained["heat"])) == pytest.approx(explained["score"], abs=1e-3)
    assert explained["of"] == "melanoma" and explained["overlay"].startswith("data:image/jpeg;base64,")
    compared = client.predict(label="melanoma", strategies=["m"], api_name="/compare")
    assert len(compared) == 1 and "melanoma" in compared[0]["text"]
    written = client.predict(label="melanoma", age="61", demographics=True, api_name="/write_note")
    assert "melanoma" in written["text"] and "61-year-old" in written["text"]
    with pytest.raises(Exception, match="characters"):
        client.predict(text="a" * 3000, api_name="/find_images")
    for private in ("/_read", "/_compose", "/search"):
        with pytest.raises(ValueError, match="api_name"):
            client.predict(api_name=private)


def test_the_script_in_the_readme_runs(url: str, lesion: Path) -> None:
    section = (REPOSITORY / "README.md").read_text().split("### From a script")[1]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert code is not None
    script = code[1].replace("http://127.0.0.1:7860", url).replace("lesion.jpg", str(lesion))
    exec(compile(script, "README.md", "exec"), {})  # ours, as it stands in the repository


def ask_agent(url: str, question: Callable[[ClientSession], Awaitable[Any]], **headers: str) -> Any:
    """What an MCP client gets of the app."""

    async def session() -> Any:
        address = f"{url}/gradio_api/mcp/"
        async with streamablehttp_client(address, headers) as streams, ClientSession(*streams[:2]) as session:
            await session.initialize()
            return await question(session)

    with ThreadPoolExecutor() as pool:  # this thread may have a loop running: Playwright's
        return pool.submit(lambda: asyncio.run(session())).result()


def test_every_endpoint_is_a_tool_that_says_what_it_is_not(url: str) -> None:
    tools = ask_agent(url, lambda session: session.list_tools()).tools
    endpoints = httpx.get(f"{url}/gradio_api/info").json()["named_endpoints"]
    assert {f"/{tool.name}" for tool in tools} == set(endpoints) >= {"/classify", "/find_notes", "/write_note"}
    for tool in tools:
        assert "Research use only, never a diagnosis" in tool.description, tool.name
        for name, told in tool.inputSchema["properties"].items():
            assert told.get("description") or told.get("type"), (tool.name, name)


def test_an_agent_finds_pictures_for_a_text(url: str) -> None:
    answer = ask_agent(url, lambda session: session.call_tool("find_images", {"text": "a dark spot", "k": 1}))
    assert not answer.isError and "data:image/jpeg;base64," in answer.content[0].text


def test_an_agents_picture_is_read_and_keeps_no_place_on_the_server(
    url: str, lesion: Path, uploads_folder: str
) -> None:
    data = base64.b64encode(lesion.read_bytes()).decode()
    call = {"picture": f"data:image/jpeg;base64,{data}", "modality": "dermoscopy"}
    answer = ask_agent(url, lambda session: session.call_tool("classify", call))
    assert not answer.isError and "melanoma" in answer.content[0].text
    kept = [path for path in Path(uploads_folder).rglob("*.jp*g") if path != lesion]
    assert kept and all(PLACE.encode() not in path.read_bytes() for path in kept)


@pytest.mark.parametrize(
    ("picture", "said"),
    [("data:image/jpeg;base64,AAAA", "not a picture"), ("/etc/passwd", "Invalid file data"), ("x", "Invalid file")],
)
def test_an_agent_meets_a_fault_as_one_line(url: str, picture: str, said: str) -> None:
    answer = ask_agent(url, lambda session: session.call_tool("classify", {"picture": picture}))
    told = answer.content[0].text
    assert answer.isError and said in told and "Traceback" not in told and "\n" not in told and "/tmp" not in told


class Slow(StandIn):
    """A model that answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.come, self.go_on = threading.Semaphore(0), threading.Event()

    def classify(self, image: Any, modality: str | None = "dermoscopy") -> Any:
        self.come.release()
        self.go_on.wait(30)
        return super().classify(image, modality)


def call(url: str, endpoint: str, data: list[Any]) -> str:
    """Plain HTTP: the stream of an answer."""
    return fetch(url, endpoint, begin(url, endpoint, data))


def begin(url: str, endpoint: str, data: list[Any]) -> str:
    sent = httpx.post(f"{url}/gradio_api/call/{endpoint}", json={"data": data}).raise_for_status()
    return str(sent.json()["event_id"])


def fetch(url: str, endpoint: str, event: str, timeout: float = 30) -> str:
    return httpx.get(f"{url}/gradio_api/call/{endpoint}/{event}", timeout=timeout).text


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch, lesion: Path) -> Iterator[tuple[str, Slow, list[Any], list[str]]]:
    """An app with a full queue: its address, its model, two whose pictures are being read, two who wait in line."""
    monkeypatch.setattr(launch, "QUEUE", 2)
    model = Slow()
    with launched(model) as url:
        clients = [Client(url, verbose=False, analytics_enabled=False) for _ in range(2)]
        reading = [client.submit(handle_file(lesion), api_name="/classify") for client in clients]
        assert model.come.acquire(timeout=30) and model.come.acquire(timeout=30)
        yield url, model, reading, [begin(url, "find_images", ["a dark spot", 1, [], [], []]) for _ in range(2)]
        model.go_on.set()


def test_a_full_queue_is_one_plain_line_for_all_and_who_waits_is_answered(full: Any) -> None:
    url, model, reading, in_line = full
    event, data = call(url, "find_images", ["a dark spot", 1, [], [], []]).strip().split("\n")
    assert event == "event: error" and json.loads(data.removeprefix("data: "))["error"] == BUSY
    with pytest.raises(Exception, match=BUSY):
        Client(url, verbose=False, analytics_enabled=False).predict(text="a dark spot", api_name="/find_images")
    agent = ask_agent(url, lambda session: session.call_tool("find_images", {"text": "a dark spot"}))
    assert agent.isError and BUSY in agent.content[0].text
    model.go_on.set()
    assert [len(each.result(30)) for each in reading] == [8] * 2
    assert all("complete" in fetch(url, "find_images", event) for event in in_line)
    assert "complete" in call(url, "find_images", ["a dark spot", 1, [], [], []])


def test_who_hangs_up_while_waiting_makes_room_and_takes_nobodys_answer_with_him(full: Any) -> None:
    url, model, reading, in_line = full
    assert not may_wait(url)
    with pytest.raises(httpx.ReadTimeout):
        fetch(url, "find_images", in_line[0], timeout=0.5)
    assert any(may_wait(url) for _ in range(20))
    model.go_on.set()
    assert [len(each.result(30)) for each in reading] == [8] * 2
    assert "complete" in fetch(url, "find_images", in_line[1])


def may_wait(url: str) -> bool:
    """Whether there is room in the line; who asks leaves it again."""
    try:
        return BUSY not in fetch(
            url, "find_images", begin(url, "find_images", ["another spot", 1, [], [], []]), timeout=0.5
        )
    except httpx.ReadTimeout:
        return True
