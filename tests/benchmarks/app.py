"""Benchmark of the app under load: `python app.py` on the embedded starter, visitors over HTTP on this machine.

    python -m tests.benchmarks.app --json app.json
    python -m tests.benchmarks.app --small             # a few visitors for a second: checks that it runs

Latency of one visitor beside the same call in this process; 50 visitors at once for a minute, each upload a new file,
the endpoints in turn; memory after 2,000 more requests; time from `kill -9` to the next answer. Visitors share the
cores with the app. About four minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dermnote import DermNote
from tests.benchmarks.app_parts.latency import measure_latency
from tests.benchmarks.app_parts.server import AppServer
from tests.benchmarks.app_parts.visitors import PATIENCE, Crowd, Visit
from train.data.sources.drawn import draw

# Upper limits of the figures.
TARGETS = {"over HTTP": 1.5, "lost": 0, "slowest, s": PATIENCE, "memory, MB": 200, "again after, s": 15}


def main(argv: Sequence[str] | None = None) -> int:
    args = _parse(argv)
    images = [jpeg(seed) for seed in range(args.visitors)]
    with tempfile.TemporaryDirectory() as folder:
        server = AppServer(Path(folder))
        server.start()
        try:
            figures = measure(server, images, args)
        finally:
            server.stop()
    table = lines(figures)
    print("\n".join(table))
    if args.json:
        machine = {"cores": os.cpu_count(), "machine": platform.machine()}
        args.json.write_text(json.dumps({"machine": machine, **figures, "table": table}, indent=2) + "\n")
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="4 visitors, 1 second, 10 requests")
    parser.add_argument("--visitors", type=int, default=50, help="at once (%(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="of load (%(default)s)")
    parser.add_argument("--requests", type=int, default=2000, help="for the memory (%(default)s)")
    parser.add_argument("--rounds", type=int, default=40, help="of the latency (%(default)s)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
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
    return {**figures, "load_average": os.getloadavg()[0]}


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


def jpeg(seed: int) -> bytes:
    """Return a drawn dermoscopic image of 600 x 450 pixels."""
    buffer = io.BytesIO()
    draw(seed, seed % 8, 450).resize((600, 450)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


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
