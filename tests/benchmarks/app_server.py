"""The app in a process of its own, and visitors who upload an image, call an endpoint, and wait for the answer."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.benchmarks.figures import memory_mb
from tests.places import REPOSITORY, free_port

START_SECONDS = 180.0  # a start may take on a busy machine
BUSY = "busy, try again"
PATIENCE = 30.0  # seconds; a longer wait counts as lost
PAUSE = 1.0  # seconds until a refused visitor tries again
QUESTIONS = ("classify", "find_notes", "find_images", "write_note", "explain")


class AppServer:
    """The app at a free port, with uploads and log in `work`; `settings` are environment variables."""

    def __init__(self, work: Path, **settings: str) -> None:
        self.port, self.uploads, self._log = free_port(), work / "uploads", work / "log.txt"
        self.url = f"http://127.0.0.1:{self.port}"
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OPENAI_", "DERMNOTE_", "GRADIO_"))
        }
        here = {"GRADIO_SERVER_PORT": str(self.port), "GRADIO_TEMP_DIR": str(self.uploads)}
        self._environment = kept | here | settings

    def start(self) -> float:
        """Start the process; return the seconds until the page is served."""
        begun = time.monotonic()
        with self._log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "app.py"], cwd=REPOSITORY, env=self._environment, stdout=stream, stderr=stream
            )
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() - begun > START_SECONDS:
                raise RuntimeError(f"The app did not start:\n{self.log()}")
            time.sleep(0.05)
        return time.monotonic() - begun

    def _answers(self) -> bool:
        try:
            return httpx.get(self.url, timeout=10).is_success
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """Kill the process, which gets no chance to clean up."""
        self.stop(signal.SIGKILL)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the process as Ctrl+C does, if it still runs."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(timeout=30)

    def memory_mb(self) -> float:
        """Return the resident memory of the process."""
        return memory_mb("VmRSS", self.process.pid)

    def processor_seconds(self) -> float:
        """Return user and system time of the process so far."""
        ticks = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    def kept_files(self) -> list[Path]:
        """Return every file in the folder of uploads."""
        return [path for path in self.uploads.rglob("*") if path.is_file()]

    def log(self) -> str:
        """Return the output of the app."""
        return self._log.read_text(errors="replace")


@dataclass(frozen=True)
class Visit:
    """One call and its outcome.

    Attributes:
        question: The endpoint.
        outcome: "answered", "refused" (busy, try again) or "lost" (anything else).
        seconds: From the upload to the end.
        error: Text of a failed call.
    """

    question: str
    outcome: str
    seconds: float
    error: str = ""


class Crowd:
    """Visitors of one app; each call uploads a JPEG that differs from all others in its stated resolution."""

    def __init__(self, url: str, images: Sequence[bytes]) -> None:
        self.url, self._images, self._numbers = f"{url}/gradio_api", images, itertools.count()

    def visits(self, count: int, go_on: Callable[[int], bool]) -> list[Visit]:
        """Let `count` visitors call while `go_on(calls begun so far)` holds; return all calls."""
        return asyncio.run(self._visits(count, go_on))

    async def _visits(self, count: int, go_on: Callable[[int], bool]) -> list[Visit]:
        done: list[Visit] = []
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=count)
        async with httpx.AsyncClient(timeout=PATIENCE, limits=limits) as client:

            async def visitor() -> None:
                while go_on(number := next(self._numbers)):
                    visit = await self._visit(client, number)
                    done.append(visit)
                    if visit.outcome != "answered":
                        await asyncio.sleep(PAUSE)

            await asyncio.gather(*(visitor() for _ in range(count)))
        return done

    async def _visit(self, client: httpx.AsyncClient, number: int) -> Visit:
        question, begun = QUESTIONS[number % len(QUESTIONS)], time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                outcome, text = await self._ask(client, question, number)
        except (httpx.HTTPError, TimeoutError, ValueError, KeyError) as error:
            outcome, text = "lost", repr(error)
        return Visit(question, outcome, time.monotonic() - begun, text)

    async def _ask(self, client: httpx.AsyncClient, question: str, number: int) -> tuple[str, str]:
        image = None if question == "find_images" else await self._upload(client, number)
        sent = await client.post(f"{self.url}/call/{question}", json={"data": arguments(question, image, number)})
        if not sent.is_success:
            return ("refused" if BUSY in sent.text else "lost"), sent.text
        event, text = "", ""
        async with client.stream("GET", f"{self.url}/call/{question}/{sent.json()['event_id']}") as stream:
            async for line in stream.aiter_lines():
                kind, _, rest = line.partition(": ")
                event = rest if kind == "event" else event
                if kind == "data" and event in ("complete", "error"):
                    text = rest
                    break
        if event == "complete" and json.loads(text)[0]:
            return "answered", ""
        return ("refused" if event == "error" and BUSY in text else "lost"), text

    async def _upload(self, client: httpx.AsyncClient, number: int) -> dict[str, Any]:
        data = distinct(self._images[number % len(self._images)], number)
        sent = await client.post(f"{self.url}/upload", files={"files": (f"{number}.jpg", data, "image/jpeg")})
        return {"path": sent.raise_for_status().json()[0], "meta": {"_type": "gradio.FileData"}}


def distinct(jpeg: bytes, number: int) -> bytes:
    """Return the image as another file, with `number` as its resolution in dots per inch, which no reader uses."""
    if jpeg[6:10] != b"JFIF":
        raise ValueError("A JPEG begins with its JFIF header.")
    return jpeg[:13] + b"\1" + (2 * ((1 + number % 65535).to_bytes(2, "big"))) + jpeg[18:]


def arguments(question: str, image: Any, number: int) -> list[Any]:
    """Return the arguments of an endpoint, in the order of its parameters."""
    if question == "find_images":
        return [f"asymmetric lesion number {number} with a pigment network and blue-gray areas", 5, [], [], []]
    if question == "find_notes":
        return [image, "dermoscopy", 5]
    if question == "write_note":
        return [image, "dermoscopy", "", "", "", "a blue-gray veil", "61", "female", "trunk", "m", False]
    if question == "explain":
        return [image, "dermoscopy", "", ""]
    return [image, "dermoscopy"]
