"""Concurrent visitors: each uploads an image of its own, calls an endpoint, and waits for the answer."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

BUSY = "busy, try again"
PATIENCE = 30.0  # seconds; a longer wait counts as lost
PAUSE = 1.0  # seconds until a refused visitor tries again
QUESTIONS = ("classify", "find_notes", "find_images", "write_note", "explain")


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
                outcome, said = await self._ask(client, question, number)
        except (httpx.HTTPError, TimeoutError, ValueError, KeyError) as error:
            outcome, said = "lost", repr(error)
        return Visit(question, outcome, time.monotonic() - begun, said)

    async def _ask(self, client: httpx.AsyncClient, question: str, number: int) -> tuple[str, str]:
        picture = None if question == "find_images" else await self._upload(client, number)
        sent = await client.post(f"{self.url}/call/{question}", json={"data": arguments(question, picture, number)})
        if not sent.is_success:
            return ("refused" if BUSY in sent.text else "lost"), sent.text
        event, said = "", ""
        async with client.stream("GET", f"{self.url}/call/{question}/{sent.json()['event_id']}") as stream:
            async for line in stream.aiter_lines():
                kind, _, rest = line.partition(": ")
                event = rest if kind == "event" else event
                if kind == "data" and event in ("complete", "error"):
                    said = rest
                    break
        if event == "complete" and json.loads(said)[0]:
            return "answered", ""
        return ("refused" if event == "error" and BUSY in said else "lost"), said

    async def _upload(self, client: httpx.AsyncClient, number: int) -> dict[str, Any]:
        data = distinct(self._images[number % len(self._images)], number)
        sent = await client.post(f"{self.url}/upload", files={"files": (f"{number}.jpg", data, "image/jpeg")})
        return {"path": sent.raise_for_status().json()[0], "meta": {"_type": "gradio.FileData"}}


def distinct(jpeg: bytes, number: int) -> bytes:
    """Return the image as another file, with `number` as its resolution in dots per inch, which no reader uses."""
    if jpeg[6:10] != b"JFIF":
        raise ValueError("A JPEG begins with its JFIF header.")
    return jpeg[:13] + b"\1" + (2 * ((1 + number % 65535).to_bytes(2, "big"))) + jpeg[18:]


def arguments(question: str, picture: Any, number: int) -> list[Any]:
    """Return the arguments of an endpoint, in the order of its parameters."""
    if question == "find_images":
        return [f"asymmetric lesion number {number} with a pigment network and blue-gray areas", 5, [], [], []]
    if question == "find_notes":
        return [picture, "dermoscopy", 5]
    if question == "write_note":
        return [picture, "dermoscopy", "", "", "", "a blue-gray veil", "61", "female", "trunk", "m", False]
    if question == "explain":
        return [picture, "dermoscopy", "", ""]
    return [picture, "dermoscopy"]
