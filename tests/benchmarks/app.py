"""The app under load: a real `python app.py` on the embedded starter, visitors over HTTP on this machine.

    python -m tests.benchmarks.app --json app.json
    python -m tests.benchmarks.app --small             # a few visitors for a second: whether it runs at all

One visitor alone against the same call in this process; then 50 at once for a minute, each upload a new file, the four
endpoints in turn; then 2,000 requests for the memory; then the power cut: killed, started again, asked again. Visitors
share the cores with the app. About four minutes on two cores, a quiet machine, please.
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
from tests.benchmarks.app_parts.alone import alone
from tests.benchmarks.app_parts.server import AppServer
from tests.benchmarks.app_parts.visitors import PATIENCE, Crowd, Visit
from train.data.sources.drawn import draw

# What is asked of each figure: at most this.
TARGETS = {"over HTTP": 1.5, "lost": 0, "slowest, s": PATIENCE, "memory, MB": 200, "again after, s": 15}


def main(argv: Sequence[str] | None = None) -> int:
    args = _parse(argv)
    pictures = [jpeg(seed) for seed in range(args.visitors)]
    with tempfile.TemporaryDirectory() as folder:
        server = AppServer(Path(folder))
        server.start()
        try:
            figures = measured(server, pictures, args)
        finally:
            server.stop()
    told = lines(figures)
    print("\n".join(told))
    if args.json:
        machine = {"cores": os.cpu_count(), "machine": platform.machine()}
        args.json.write_text(json.dumps({"machine": machine, **figures, "told": told}, indent=2) + "\n")
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="4 visitors, 1 second, 10 requests")
    parser.add_argument("--visitors", type=int, default=50, help="at once (%(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="that they keep coming back (%(default)s)")
    parser.add_argument("--requests", type=int, default=2000, help="for the memory (%(default)s)")
    parser.add_argument("--rounds", type=int, default=40, help="turns of the visitor alone (%(default)s)")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args(argv)
    if args.small:
        args.visitors, args.seconds, args.requests, args.rounds = 4, 1.0, 10, 3
    return args


def measured(server: AppServer, pictures: Sequence[bytes], args: argparse.Namespace) -> dict[str, Any]:
    """All figures of a running app, each part with the load of the machine while it ran."""
    crowd, memory = Crowd(server.url, pictures), server.memory_mb()
    model = DermNote.from_pretrained(device="cpu")
    lone = with_load(lambda: alone(server, model, pictures[0], args.rounds))
    end = time.monotonic() + args.seconds
    together = with_load(lambda: summary(crowd.visits(args.visitors, lambda _: time.monotonic() < end)))
    together["memory_mb"] = server.memory_mb() - memory
    return {"alone": lone, "crowd": together, "growth": growth(server, crowd, args), "restart": restart(server, crowd)}


def with_load(run: Any) -> dict[str, Any]:
    return {**run(), "load_average": os.getloadavg()[0]}


def summary(visits: Sequence[Visit]) -> dict[str, Any]:
    """Counts and seconds of what visitors met; the seconds are of the answered."""
    outcomes = Counter(each.outcome for each in visits)
    seconds = sorted(each.seconds for each in visits if each.outcome == "answered") or [float("nan")]
    return {
        **{outcome: outcomes[outcome] for outcome in ("answered", "refused", "lost")},
        "by_question": Counter(each.question for each in visits if each.outcome == "answered"),
        "p50": statistics.median(seconds),
        "p95": seconds[int(0.95 * (len(seconds) - 1))],
        "slowest": max((each.seconds for each in visits), default=0.0),
        "said": sorted({each.said for each in visits if each.outcome != "answered"})[:5],
    }


def growth(server: AppServer, crowd: Crowd, args: argparse.Namespace) -> dict[str, Any]:
    """Memory and files of the app before and after `--requests` more."""
    memory, files, worked = server.memory_mb(), len(server.kept_files()), server.processor_seconds()
    left = iter(range(args.requests))
    visits = crowd.visits(min(args.visitors, 8), lambda _: next(left, None) is not None)
    return {
        **summary(visits),
        "memory_before_mb": memory,
        "memory_mb": server.memory_mb() - memory,
        "files": len(server.kept_files()) - files,
        "processor_ms": 1e3 * (server.processor_seconds() - worked) / args.requests,
        "load_average": os.getloadavg()[0],
    }


def restart(server: AppServer, crowd: Crowd) -> dict[str, Any]:
    """Seconds from a start after `kill -9` to the first answer, of the clock and of the processor."""
    server.kill()
    left, begun = len(server.kept_files()), time.monotonic()
    server.start()
    once = iter([True])
    outcomes = [each.outcome for each in crowd.visits(1, lambda _: next(once, False))]
    taken = {"seconds": time.monotonic() - begun, "work": server.processor_seconds()}
    return {**taken, "outcomes": outcomes, "left_behind": left, "load_average": os.getloadavg()[0]}


def jpeg(seed: int) -> bytes:
    """A dermoscopic picture of the usual size."""
    buffer = io.BytesIO()
    draw(seed, seed % 8, 450).resize((600, 450)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def lines(figures: dict[str, Any]) -> list[str]:
    """The table: what, how much, what is asked, and how busy the machine was."""
    lone, crowd, grown, again = (figures[name] for name in ("alone", "crowd", "growth", "restart"))
    ratio = lone["over HTTP"] / lone["in process"]
    quick, quickest = lone["quickest in process"], lone["quickest over HTTP"]
    rows = [
        ("one /classify in this process, ms", f"{lone['in process']:.1f}", "", lone),
        ("the same over HTTP, ms", f"{lone['over HTTP']:.1f} ({ratio:.2f} times)", TARGETS["over HTTP"], lone),
        ("the quickest of both, ms", f"{quick:.1f} / {quickest:.1f} ({quickest / quick:.2f} times)", "", lone),
        ("processor time of both, ms", f"{lone['work in process']:.1f} / {lone['work over HTTP']:.1f}", "", lone),
        ("the same with its upload, ms", f"{lone['with upload']:.1f}", "", lone),
        ("crowd: answered / refused", f"{crowd['answered']} / {crowd['refused']}", "", crowd),
        ("crowd: lost", crowd["lost"], TARGETS["lost"], crowd),
        ("crowd: p50 / p95, s", f"{crowd['p50']:.2f} / {crowd['p95']:.2f}", "", crowd),
        ("crowd: slowest, s", f"{crowd['slowest']:.2f}", TARGETS["slowest, s"], crowd),
        ("memory grown by the crowd, MB", f"{crowd['memory_mb']:.0f}", "", crowd),
        (f"by {grown['answered']:,} more requests, MB", f"{grown['memory_mb']:.0f}", TARGETS["memory, MB"], grown),
        ("processor time a request, ms", f"{grown['processor_ms']:.1f}", "", grown),
        ("lost meanwhile", grown["lost"], TARGETS["lost"], grown),
        (
            "killed, answers again after, s",
            f"{again['seconds']:.1f} ({again['work']:.1f} of work)",
            TARGETS["again after, s"],
            again,
        ),
    ]
    head = f"{'':36}{'measured':>26}{'at most':>9}{'load':>7}"
    return [
        head,
        *(f"{what:36}{told!s:>26}{asked!s:>9}{part['load_average']:7.1f}" for what, told, asked, part in rows),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
