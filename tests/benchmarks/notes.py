"""Speed, memory and number of requests of `train.generate_notes` with a language model that takes 200 ms a reply.

    python -m tests.benchmarks.notes --out notes.json

Everything goes over real HTTP to `tests.servers.llm_server`; server and command run in processes of their own.
Rates are measured on the server's clock, from the first request to the last reply, without the start of Python and the
reading of the cases; the whole command is timed too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from openai import OpenAI
from PIL import Image

from dermnote.images.opening import encode_jpeg, resize_short_side
from dermnote.llm.chat_request import jpeg_payload
from dermnote.notes.note_request import RequestBuilder
from dermnote.notes.strategies import get_strategy
from dermnote.notes.writing import NoteWriter
from dermnote.vocabularies.vocabulary import dermoscopy
from tests.benchmarks.figures import Figure, Table, machine
from tests.tiny_cases import NAMES, case_row, write_cases
from train.data.cases import Cases, schema
from train.note_generation.note_run import Records

STRATEGY = "m+p2"
SEQUENTIAL = 25  # measured requests of the sequential loop; its time for all is scaled


@dataclass
class Run:
    """One run of the command.

    Attributes:
        seconds: Duration of the process.
        requesting: Seconds from the first to the last request, by the server's clock.
        requests: Number of requests.
        memory: (requests so far, resident MB), about five times a second.
    """

    seconds: float
    requesting: float
    requests: int
    memory: list[tuple[int, float]]


@contextmanager
def server(delay: float) -> Iterator[str]:
    """Runs the server in its own process; yields its base URL."""
    command = [sys.executable, "-m", "tests.servers.llm_server", "--port", "0", "--delay", str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.kill()


def arrivals(url: str, method: str = "GET") -> list[float]:
    """Returns the times of the requests by the server's clock; DELETE forgets them."""
    request = urllib.request.Request(url.removesuffix("/v1") + "/requests", method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["times"]


def make_cases(folder: Path, count: int) -> Path:
    """Writes cases with 256 px images of noise of about 18 kB, like stored dermoscopies."""
    pixels = np.random.default_rng(0).normal(128, 20, (450, 450, 3)).clip(0, 255).astype(np.uint8)
    jpeg = encode_jpeg(resize_short_side(Image.fromarray(pixels)))
    write_cases(folder, [0], [])
    rows = [case_row("train", number, number % 3, NAMES) for number in range(count)]
    rows = [{**row, "image": {"bytes": jpeg, "path": None}} for row in rows]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema()), folder / "data" / "train-00000-of-00001.parquet")
    return folder


def run_command(cases: Path, out: Path, url: str, concurrency: int) -> Run:
    """Runs the command in a process of its own, and records its memory."""
    arrivals(url, "DELETE")
    options = ["--cases", str(cases), "--out", str(out), "--base-url", url, "--concurrency", str(concurrency)]
    command = [sys.executable, "-m", "train.generate_notes", "--strategy", STRATEGY, *options]
    started, memory = time.perf_counter(), list[tuple[int, float]]()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        status = Path(f"/proc/{process.pid}/status")  # Linux only
        while process.poll() is None and status.exists():
            resident = [line for line in status.read_text().splitlines() if line.startswith("VmRSS")]
            if resident:
                memory.append((len(arrivals(url)), int(resident[0].split()[1]) / 1024))
            time.sleep(0.1)
    seconds = time.perf_counter() - started
    assert process.returncode == 0, f"the command ended with status {process.returncode}"
    times = arrivals(url)
    return Run(seconds, max(times) - min(times) if times else 0.0, len(times), memory)


def sequential_loop(cases: Path, url: str) -> float:
    """Returns the seconds per request of a plain loop with the OpenAI client, image preparation included."""
    read = Records(Cases.read(cases))
    builder = RequestBuilder(get_strategy(STRATEGY), "gpt-4o-mini", dermoscopy())
    writer = NoteWriter("gpt-4o-mini", base_url=url)
    client = OpenAI(base_url=url, api_key="none")
    started = time.perf_counter()
    for row in range(SEQUENTIAL):
        jpeg = jpeg_payload(read.images[row])
        body = writer.body(builder.build(read.metadata(row), read.image_sha256(row)), jpeg)
        client.chat.completions.create(**body)
    return (time.perf_counter() - started) / SEQUENTIAL


def growth(memory: list[tuple[int, float]], total: int) -> float:
    """Returns the memory growth in MB per thousand notes, after the first quarter, when everything is loaded."""
    later = [(sent, resident) for sent, resident in memory if total / 4 <= sent < total]
    sent, resident = np.array(later).T
    return float(np.polyfit(sent / 1000, resident, 1)[0])


def measure(folder: Path, url: str, count: int, delay: float, concurrency: int) -> Table:
    few, many = make_cases(folder / "few", count), make_cases(folder / "many", 4 * count)
    first = run_command(few, folder / "few.jsonl", url, concurrency)
    again = run_command(few, folder / "few.jsonl", url, concurrency)
    loop = sequential_loop(few, url) * count
    large = run_command(many, folder / "many.jsonl", url, concurrency)
    ideal, requesting = count * delay / concurrency, first.requesting + delay
    figures = [
        Figure("ideal", ideal, "s"),
        Figure("first request to last reply", requesting, "s"),
        Figure("share of the ideal rate", 100 * ideal / requesting, "%", target=90),
        Figure("whole command", first.seconds, "s"),
        Figure("times as fast as the sequential loop", loop / requesting, "x", target=25),
        Figure("requests of the first run", first.requests, remark=f"{count} expected"),
        Figure("requests of the second run", again.requests, remark="none expected"),
        Figure("second run, whole process", again.seconds, "s", remark="at most 2"),
        Figure("peak memory", max(mb for _, mb in first.memory), "MB"),
        Figure("peak memory, four times the notes", max(mb for _, mb in large.memory), "MB"),
        Figure("memory growth per 1,000 notes", growth(large.memory, 4 * count), "MB", remark="at most 5"),
        Figure("share of the ideal rate, four times the notes", 400 * ideal / (large.requesting + delay), "%"),
    ]
    return Table(f"{count:,} notes, {delay:g} s a reply, {concurrency} concurrent requests", figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=1000)
    parser.add_argument("--delay", type=float, default=0.2, help="seconds a reply takes")
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, server(args.delay) as url:
        table = measure(Path(folder), url, args.notes, args.delay, args.concurrency)
    print(table.text())
    if args.out:
        args.out.write_text(json.dumps(machine(torch.device("cpu")) | table.plain(), indent=2) + "\n")


if __name__ == "__main__":
    main()
