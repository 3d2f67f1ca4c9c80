"""Latency of one visitor: an answer over HTTP beside the same answer in this process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import httpx

from dermnote import DermNote
from tests.benchmarks.app_parts.server import AppServer

WARM_UP = 3  # rounds that are not measured


def measure_latency(server: AppServer, model: DermNote, image: bytes, rounds: int) -> dict[str, float]:
    """Return median milliseconds in process, over HTTP, and over HTTP with the upload, measured in turns.

    Of the first two also the minimum and the processor time: on a busy machine the median depends on other work.
    """
    with httpx.Client(base_url=f"{server.url}/gradio_api", timeout=60) as client:
        uploaded = upload(client, image)
        calls: dict[str, Callable[[], object]] = {
            "in process": lambda: model.classify(image),
            "over HTTP": lambda: classify(client, uploaded),
            "with upload": lambda: classify(client, upload(client, image)),
        }
        times: dict[str, list[float]] = {name: [] for name in calls}
        for turn in range(rounds + WARM_UP):
            for name, call in calls.items():
                begun = time.perf_counter()
                call()
                times[name] += [1e3 * (time.perf_counter() - begun)] if turn >= WARM_UP else []
        results = {name: statistics.median(each) for name, each in times.items()}
        results |= {f"minimum {name}": min(each) for name, each in times.items()}
        for name, clock in (("in process", time.process_time), ("over HTTP", server.processor_seconds)):
            begun = clock()
            for _ in range(rounds):
                calls[name]()
            results[f"processor {name}"] = 1e3 * (clock() - begun) / rounds
        return results


def upload(client: httpx.Client, image: bytes) -> dict[str, Any]:
    """Upload an image as the page does; return its file data."""
    [path] = client.post("/upload", files={"files": ("lesion.jpg", image, "image/jpeg")}).raise_for_status().json()
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def classify(client: httpx.Client, uploaded: dict[str, Any]) -> str:
    """Call `/classify` without a client library: a call, then its event stream."""
    sent = client.post("/call/classify", json={"data": [uploaded, "dermoscopy"]}).raise_for_status()
    answer = client.get(f"/call/classify/{sent.json()['event_id']}").text
    if "event: complete" not in answer:
        raise RuntimeError(f"No answer: {answer}")
    return answer
