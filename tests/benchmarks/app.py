"""Benchmark of the app under load: `python app.py` on the embedded starter, visitors over HTTP on this machine.

    python -m tests.benchmarks.app --json app.json
    python -m tests.benchmarks.app --small             # a few visitors for a second: checks that it runs

Latency of one visitor beside the same call in this process; 50 visitors at once for a minute, each upload a new file,
the endpoints in turn; memory after 2,000 more requests; time from `kill -9` to the next answer. Visitors share the
cores with the app. About four minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

from dermnote import DermNote
from tests.benchmarks.app_server import PATIENCE, AppServer, Crowd, Visit
from tests.benchmarks.figures import drawn_jpeg, load_average, new_parser, write_json

# Upper limits of the figures.
TARGETS = {"over HTTP": 1.5, "lost": 0, "slowest, s": PATIENCE, "memory, MB": 200, "again after, s": 15}
WARM_UP = 3  # rounds of the latency that are not measured


def main(argv: Sequence[str] | None = None) -> int:
    args = _parse(argv)
    images = [drawn_jpeg(seed) for seed in range(args.visitors)]
    with tempfile.TemporaryDirectory() as folder:
        server = AppServer(Path(folder))
        server.start()
        try:
            figures = measure(server, images, args)
        finally:
            server.stop()
    table = lines(figures)
    print("\n".join(table))
    write_json(args.json, {**figures, "table": table})
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument("--small", action="store_true", help="4 visitors, 1 second, 10 requests")
    parser.add_argument("--visitors", type=int, default=50, help="at once (%(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="of load (%(default)s)")
    parser.add_argument("--requests", type=int, default=2000, help="for the memory (%(default)s)")
    parser.add_argument("--rounds", type=int, default=40, help="of the latency (%(default)s)")
    args = parser.parse_args(argv)
    if args.small:
        args.visitors, args.seconds, args.requests, args.rounds = 4, 1.0, 10, 3
    return args


def measure(server: AppServer, images: Sequence[bytes], args: argparse.Namespace) -> dict[str, Any]:
    """Return all figures, each part with the load of the machine at its end."""
    crowd, memory = Crowd(server.url, images), server.memory_mb()
    model = DermNote.from_pretrained(device="cpu")
    latency = with_load(measure_latency(server, model, images[0], args.rounds))
    end = time.monotonic() + args.seconds
    together = with_load(summary(crowd.visits(args.visitors, lambda _: time.monotonic() < end)))
    together["memory_mb"] = server.memory_mb() - memory
    growth = measure_growth(server, crowd, args)
    return {"alone": latency, "crowd": together, "growth": growth, "restart": measure_restart(server, crowd)}


def with_load(figures: dict[str, Any]) -> dict[str, Any]:
    return {**figures, "load_average": load_average()}


def summary(visits: Sequence[Visit]) -> dict[str, Any]:
    """Return counts of all visits, and seconds of the answered ones."""
    outcomes = Counter(each.outcome for each in visits)
    seconds = sorted(each.seconds for each in visits if each.outcome == "answered") or [float("nan")]
    return {
        **{outcome: outcomes[outcome] for outcome in ("answered", "refused", "lost")},
        "by_question": Counter(each.question for each in visits if each.outcome == "answered"),
        "p50": statistics.median(seconds),
        "p95": seconds[int(0.95 * (len(seconds) - 1))],
        "slowest": max((each.seconds for each in visits), default=0.0),
        "errors": sorted({each.error for each in visits if each.outcome != "answered"})[:5],
    }


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


def measure_growth(server: AppServer, crowd: Crowd, args: argparse.Namespace) -> dict[str, Any]:
    """Return the growth of memory and files over `--requests` more requests."""
    memory, files, worked = server.memory_mb(), len(server.kept_files()), server.processor_seconds()
    left = iter(range(args.requests))
    visits = crowd.visits(min(args.visitors, 8), lambda _: next(left, None) is not None)
    figures = {
        **summary(visits),
        "memory_before_mb": memory,
        "memory_mb": server.memory_mb() - memory,
        "files": len(server.kept_files()) - files,
        "processor_ms": 1e3 * (server.processor_seconds() - worked) / args.requests,
    }
    return with_load(figures)


def measure_restart(server: AppServer, crowd: Crowd) -> dict[str, Any]:
    """Return wall and processor seconds from a start after `kill -9` to the first answer."""
    server.kill()
    left, begun = len(server.kept_files()), time.monotonic()
    server.start()
    once = iter([True])
    outcomes = [each.outcome for each in crowd.visits(1, lambda _: next(once, False))]
    seconds = {"seconds": time.monotonic() - begun, "processor_s": server.processor_seconds()}
    return with_load({**seconds, "outcomes": outcomes, "left_behind": left})


def lines(figures: dict[str, Any]) -> list[str]:
    """Return the table: figure, value, upper limit, load of the machine."""
    alone, crowd, growth, restart = (figures[name] for name in ("alone", "crowd", "growth", "restart"))
    ratio = alone["over HTTP"] / alone["in process"]
    fastest, fastest_http = alone["minimum in process"], alone["minimum over HTTP"]
    processor = f"{alone['processor in process']:.1f} / {alone['processor over HTTP']:.1f}"
    again = f"{restart['seconds']:.1f} ({restart['processor_s']:.1f} processor)"
    rows = [
        ("one /classify in this process, ms", f"{alone['in process']:.1f}", "", alone),
        ("over HTTP, ms", f"{alone['over HTTP']:.1f} ({ratio:.2f} times)", TARGETS["over HTTP"], alone),
        ("minimum of both, ms", f"{fastest:.1f} / {fastest_http:.1f} ({fastest_http / fastest:.2f} times)", "", alone),
        ("processor time of both, ms", processor, "", alone),
        ("over HTTP with its upload, ms", f"{alone['with upload']:.1f}", "", alone),
        ("crowd: answered / refused", f"{crowd['answered']} / {crowd['refused']}", "", crowd),
        ("crowd: lost", crowd["lost"], TARGETS["lost"], crowd),
        ("crowd: p50 / p95, s", f"{crowd['p50']:.2f} / {crowd['p95']:.2f}", "", crowd),
        ("crowd: slowest, s", f"{crowd['slowest']:.2f}", TARGETS["slowest, s"], crowd),
        ("crowd: memory growth, MB", f"{crowd['memory_mb']:.0f}", "", crowd),
        (f"{growth['answered']:,} more: memory, MB", f"{growth['memory_mb']:.0f}", TARGETS["memory, MB"], growth),
        ("processor time per request, ms", f"{growth['processor_ms']:.1f}", "", growth),
        ("lost meanwhile", growth["lost"], TARGETS["lost"], growth),
        ("from kill to the next answer, s", again, TARGETS["again after, s"], restart),
    ]
    head = f"{'':36}{'measured':>26}{'at most':>9}{'load':>7}"
    return [
        head,
        *(f"{name:36}{value!s:>26}{limit!s:>9}{part['load_average']:7.1f}" for name, value, limit, part in rows),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
