"""Time and memory to open a large cases folder and read it at random: mapped from disk, or all in memory.

    python -m tests.benchmarks.streaming --cases 200000 --json streaming.json

Draws a few hundred images and repeats them: the figures depend on the number and size of the bytes only. Each way runs
in a process of its own, one after the other. "Private" is anonymous memory (Linux's RssAnon), which a process cannot
give back. The resident size and USS also count pages of mapped files, which belong to the system's cache.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageFilter

from dermnote.images.opening import encode_jpeg
from tests.benchmarks.figures import markdown, memory_mb, new_parser, run_module, write_json
from tests.tiny_cases import NAMES, case_row
from train.data.cases import Cases, schema
from train.data.image_cache import Squares

DISTINCT = 300
ROWS_A_GROUP = 256
WAYS = {"mapped, first time": 0.0, "mapped, again": 0.0, "all in memory": float("inf")}
FIGURES = {
    "open_s": "open, s",
    "reads_per_second": "random reads/s",
    "batches_per_second": "batches of 64 decoded/s",
    "private_opened_mb": "private memory, opened, MB",
    "private_growth_mb": "growth by reading, MB",
    "uss_mb": "USS, MB",
    "resident_mb": "resident, MB",
}


def drawn(count: int, mean_bytes: int) -> list[bytes]:
    """Return spots on noisy skin, 256 x 256, about `mean_bytes` each by the strength of the noise."""
    random = np.random.default_rng(0)
    ys, xs = np.mgrid[:256, :256]
    low, high = 0.0, 60.0
    for _ in range(8):
        noise = (low + high) / 2
        too_large = len(one(random, ys, xs, noise)) > mean_bytes
        low, high = (low, noise) if too_large else (noise, high)
    return [one(random, ys, xs, low) for _ in range(count)]


def one(random: np.random.Generator, ys: np.ndarray, xs: np.ndarray, noise: float) -> bytes:
    spot = np.exp(-((xs - 128) ** 2 + (ys - 128) ** 2) / random.uniform(1e3, 6e3))[..., None]
    pixels = np.array([200, 160, 140]) - spot * 120 + random.normal(0, noise, (256, 256, 1))
    return encode_jpeg(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.5)))


def write(folder: Path, count: int, jpegs: list[bytes]) -> None:
    """Write a cases folder of `count` training cases."""
    (folder / "data").mkdir(parents=True)
    random = np.random.default_rng(1)
    with pq.ParquetWriter(folder / "data" / "train-00000-of-00001.parquet", schema(), compression="zstd") as writer:
        for start in range(0, count, ROWS_A_GROUP):
            numbers = range(start, min(start + ROWS_A_GROUP, count))
            rows = [case_row("train", number, number % 3, NAMES) for number in numbers]
            for row in rows:
                row["image"] = {"bytes": jpegs[random.integers(len(jpegs))], "path": None}
            writer.write_table(pa.Table.from_pylist(rows, schema=schema()), row_group_size=ROWS_A_GROUP)
    summary = {"classnames": NAMES, "sources": {"squares": {"licence": "cc0-1.0"}}, "splits": {"train": count}}
    (folder / "summary.json").write_text(json.dumps(summary))


def measure(folder: Path, in_memory: float, reads: int) -> dict[str, float]:
    """Measure one way, in this process."""
    before, started = memory_mb("RssAnon"), time.perf_counter()
    cases = Cases.read(folder, in_memory=in_memory)
    opened, found = time.perf_counter() - started, memory_mb("RssAnon") - before
    random = np.random.default_rng(2)
    rows = random.integers(0, len(cases), reads)
    started = time.perf_counter()
    total = sum(len(cases.images[int(row)]) for row in rows)
    speed = reads / (time.perf_counter() - started)
    some = Squares(cases.select(rows[:2048]).images, 224, cache_bytes=0)
    started = time.perf_counter()
    batches = sum(1 for _ in some.batches(64))
    decoded = batches / (time.perf_counter() - started)
    memory = psutil.Process().memory_full_info()
    return {
        "open_s": opened,
        "reads_per_second": speed,
        "batches_per_second": decoded,
        "private_opened_mb": found,
        "private_growth_mb": memory_mb("RssAnon") - before - found,
        "uss_mb": memory.uss / 1e6,
        "resident_mb": memory.rss / 1e6,
        "mean_bytes": total / reads,
    }


def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument("--cases", type=int, default=200_000, help="cases to write (default: %(default)s)")
    parser.add_argument("--bytes", type=int, default=15_000, help="of an image (default: %(default)s)")
    parser.add_argument("--reads", type=int, default=20_000, help="random images (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where to write for the time being (default: the system's own)")
    parser.add_argument("--measure", nargs=2, metavar=("FOLDER", "IN_MEMORY"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(Path(args.measure[0]), float(args.measure[1]), args.reads)))
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as place:
        folder = Path(place) / "cases"
        write(folder, args.cases, drawn(DISTINCT, args.bytes))
        words = ["--reads", args.reads, "--measure", folder]
        rows = {way: run_module("tests.benchmarks.streaming", *words, limit) for way, limit in WAYS.items()}
    print(f"{args.cases:,} cases of {rows['all in memory']['mean_bytes'] / 1e3:.1f} kB\n")
    figures = [[title, *(f"{each[name]:,.1f}" for each in rows.values())] for name, title in FIGURES.items()]
    print(markdown([["", *rows], *figures]))
    write_json(args.json, {"cases": args.cases, "reads": args.reads, "ways": rows})


if __name__ == "__main__":
    main()
