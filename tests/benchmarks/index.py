"""DermNote's index against scikit-learn's NearestNeighbors and hnswlib, at 10,000, 100,000 and a million vectors.

    python -m tests.benchmarks.index --cases cases/ --notes notes.jsonl --json index.json

Every contender is built, and then loaded and searched, in a process of its own, so that its memory is separate. All get
the same queries: 500 images and 500 notes that are in no index; recall@10 is measured against numpy's exact answer.
Without `--cases`, the vectors are resampled from the starter's synthetic lesions. A million vectors take 9 GB of disk,
6 GB of memory and most of an hour on two cores, mainly to build hnswlib's index.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from tests.benchmarks.index_contenders import CONTENDERS, K
from tests.benchmarks.index_vectors import Resampler, of_cases, of_gallery

SIZES = (10_000, 100_000, 1_000_000)
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
QUERIES, TUNING, SMALL, PIECE = 500, 200, 1000, 50_000

COLUMNS = (
    ("build s", "build_s", ".1f"),
    ("build peak MB", "build_peak_mb", ".0f"),
    ("file MB", "file_mb", ".0f"),
    ("load s", "load_s", ".3f"),
    ("RSS load MB", "load_rss_mb", ".0f"),
    ("RSS searched MB", "queried_rss_mb", ".0f"),
    ("single ms", "single_ms", ".3f"),
    ("p95 ms", "single_p95_ms", ".3f"),
    ("batch ms/query", "batch_ms", ".3f"),
    ("recall@10 image", "recall_image", ".4f"),
    ("recall@10 text", "recall_text", ".4f"),
    ("settings", "settings", ""),
)
CASE_COLUMNS = (
    ("save s", "save_s", ".1f"),
    ("save peak MB", "save_peak_mb", ".0f"),
    ("files MB", "bundle_mb", ".0f"),
    ("checksums s", "verify_s", ".2f"),
    ("load s", "load_s", ".3f"),
    ("RSS load MB", "load_rss_mb", ".0f"),
    ("RSS searched MB", "queried_rss_mb", ".0f"),
    ("search + 5 hits ms", "search_ms", ".2f"),
    ("p95 ms", "search_p95_ms", ".2f"),
)


def write_vectors(folder: Path, made: Resampler, rows: int) -> None:
    """What the contenders read: vectors to index, and queries with their exact answers."""
    folder.mkdir(parents=True)
    paths = [folder / "images.npy", folder / "notes.npy"]
    files = [open_memmap(path, "w+", dtype=np.float32, shape=(rows, made.dim)) for path in paths]
    for start in range(0, rows, PIECE):
        for file, piece in zip(files, made.draw(min(PIECE, rows - start), seed=1000 + start), strict=True):
            file[start : start + len(piece)] = piece
    arrays = {}
    for name, count, seed in (("", QUERIES, 1), ("tuning_", TUNING, 2)):
        for kind, queries in zip(("image", "text"), made.draw(count, seed), strict=True):
            arrays[name + kind], arrays[f"{name}{kind}_cosines"] = queries, exact_cosines(queries, files[0])
    np.savez(folder / "queries.npz", **arrays)


def exact_cosines(queries: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Cosines of the K nearest of each query, (q, K), best first, by numpy alone."""
    best = np.empty((len(queries), 0), np.float32)
    for start in range(0, len(vectors), PIECE):
        cosines = queries @ np.asarray(vectors[start : start + PIECE]).T
        best = np.hstack([best, np.partition(cosines, -K, axis=1)[:, -K:]])
        best = -np.sort(-best, axis=1)[:, :K]
    return best


def measure(name: str, folder: Path, threads: int | None) -> dict[str, Any]:
    """Build and search with a contender, each in a process of its own; return the figures of both."""
    figures: dict[str, Any] = {}
    for step in ("build", "search"):
        command = [sys.executable, "-m", "tests.benchmarks.index_contenders", name, step, str(folder)]
        limits = {name: str(threads) for name in THREAD_LIMITS} if threads else {}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **limits})
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
        figures.update(json.loads(done.stdout.splitlines()[-1]))
    print(f"{name}: {figures}", file=sys.stderr, flush=True)
    return figures


def table(rows: list[dict[str, Any]], columns: tuple[tuple[str, str, str], ...], first: tuple[str, ...]) -> str:
    lines = [
        "| " + " | ".join([*first, *(name for name, _, _ in columns)]) + " |",
        "|---" * (len(first) + len(columns)) + "|",
    ]
    for row in rows:
        first_cells = [f"{row[name]:,}" if name == "vectors" else row[name] for name in first]
        lines.append("| " + " | ".join([*first_cells, *(format(row[key], form) for _, key, form in columns)]) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--cases", type=Path, help="cases folder: the made vectors are then drawn from its images'")
    parser.add_argument("--notes", type=Path, help="notes.jsonl with the M notes of these cases")
    parser.add_argument("--threads", type=int, help="of every contender, e.g. 1 on a busy machine; default: all cores")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--folder", type=Path, help="where the vectors lie meanwhile; default: a temporary folder")
    args = parser.parse_args()
    if (args.cases is None) != (args.notes is None):
        parser.error("--cases and --notes belong together")
    names = [name for name in CONTENDERS if name != "hnswlib" or importlib.util.find_spec("hnswlib")]
    if "hnswlib" not in names:
        print("hnswlib is not installed (pip install -r tests/benchmarks/requirements.txt): left out.")
    made = Resampler(of_cases(args.cases, args.notes) if args.cases else of_gallery(), args.dim)
    description = made.describe()
    print("\n".join(description), flush=True)
    rows: list[dict[str, Any]] = []
    case_rows: list[dict[str, Any]] = []
    for size in args.sizes:
        with tempfile.TemporaryDirectory(dir=args.folder) as temporary:
            folder = Path(temporary) / "vectors"
            write_vectors(folder, made, size)
            write_vectors(folder / "small", made, SMALL)
            for name in names:
                rows.append({"vectors": size, "index": name, **measure(name, folder, args.threads)})
                if name == "dermnote":
                    case_rows.append({"vectors": size, **measure("case-index", folder, args.threads)})
        if args.json:
            write_json(
                args.json,
                {"vectors": description, "dim": args.dim, "threads": args.threads, "figures": rows, "cases": case_rows},
            )
    print("\n" + table(rows, COLUMNS, ("vectors", "index")))
    print("\nThe whole CaseIndex of DermNote: image vectors, table and thumbnails (the starter's, over and over).\n")
    print(table(case_rows, CASE_COLUMNS, ("vectors",)))


def write_json(path: Path, figures: dict[str, Any]) -> None:
    """After every size, so that a run broken off has something to show."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "load_average": load}
    path.write_text(json.dumps({"machine": machine, **figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
