"""One visitor alone: what an answer over HTTP costs beside the same answer in this process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import httpx

from dermnote import DermNote
from tests.benchmarks.app_parts.server import AppServer


def alone(server: AppServer, model: DermNote, picture: bytes, rounds: int) -> dict[str, float]:
    """Median milliseconds of the call in this process, over HTTP, and over HTTP with the upload, taking turns.

    Of the first two also the quickest, and the processor time a call takes of the process that answers it: on a machine
    with other work the median says more of that work.
    """
    with httpx.Client(base_url=f"{server.url}/gradio_api", timeout=60) as client:
        uploaded = upload(client, picture)
        ways: dict[str, Callable[[], object]] = {
            "in process": lambda: model.classify(picture),
            "over HTTP": lambda: ask(client, uploaded),
            "with upload": lambda: ask(client, upload(client, picture)),
        }
        times = in_turns(ways, rounds)
        taken = {name: statistics.median(each) for name, each in times.items()}
        taken |= {f"quickest {name}": min(each) for name, each in times.items()}
        taken["work in process"] = work(time.process_time, ways["in process"], rounds)
        taken["work over HTTP"] = work(server.processor_seconds, ways["over HTTP"], rounds)
        return taken


def work(processor_seconds: Callable[[], float], run: Callable[[], object], rounds: int) -> float:
    """Milliseconds of processor time of one run."""
    begun = processor_seconds()
    for _ in range(rounds):
        run()
    return 1e3 * (processor_seconds() - begun) / rounds


def upload(client: httpx.Client, picture: bytes) -> dict[str, Any]:
    """Sends a picture as the page does; what names it afterwards."""
    [path] = client.post("/upload", files={"files": ("lesion.jpg", picture, "image/jpeg")}).raise_for_status().json()
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def ask(client: httpx.Client, uploaded: dict[str, Any]) -> str:
    """`/classify` as a script without a client library asks: a call, then its stream of events."""
    sent = client.post("/call/classify", json={"data": [uploaded, "dermoscopy"]}).raise_for_status()
    answer = client.get(f"/call/classify/{sent.json()['event_id']}").text
    if "event: complete" not in answer:
        raise RuntimeError(f"No answer: {answer}")
    return answer


def in_turns(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each way, one after another `rounds` times, three turns unmeasured."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 3):
        for name, run in ways.items():
            begun = time.perf_counter()
            run()
            if turn >= 3:
                times[name].append(1e3 * (time.perf_counter() - begun))
    return times
