"""How long and with how much memory searches are measured: every query's whole ranking, both ways.

    python -m tests.benchmarks.metrics --json metrics.json          # 100,000 x 128, and peers at 5,000
    python -m tests.benchmarks.metrics --size 1000 --peer-size 200  # whether it runs at all

Each way runs in a process of its own. scikit-learn and torchmetrics are asked at a size they can do in the same run,
and so are we; the last column says whether all came to the same. Vectors are made: eight classes of unlike size, a
note beside each picture, no two vectors alike. About three minutes on two quiet cores.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.metrics_parts.contenders import CONTENDERS

PACKAGES = {"scikit-learn": "sklearn"}  # a contender's name -> the package to import, where they differ
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
SAME = 1e-4  # of mAP: peers order ties anyhow, and round otherwise


def run(name: str, size: int, dim: int, threads: int | None) -> dict[str, Any]:
    """The figures of one contender."""
    command = [sys.executable, "-m", "tests.benchmarks.metrics_parts.contenders", name, str(size), str(dim)]
    limits = {each: str(threads) for each in THREAD_LIMITS} if threads else {}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **limits})
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {"vectors": size, "measured by": name, **figures}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The figures as Markdown."""
    header = [
        "vectors",
        "measured by",
        "picture to note, s",
        "note to picture, s",
        "both, s",
        "peak MB",
        "of it before",
    ]
    lines = [[*header, "mAP both ways", "agrees with ours"], ["---"] * 9]
    for row in rows:
        ours = next(each for each in rows if each["vectors"] == row["vectors"] and each["measured by"] == "dermnote")
        apart = max(abs(row[key] - ours[key]) for key in ("map_image_to_text", "map_text_to_image"))
        one, other = row["image_to_text_s"], row["text_to_image_s"]
        cells = [f"{row['vectors']:,}", row["measured by"], f"{one:.1f}", f"{other:.1f}", f"{one + other:.1f}"]
        cells += [f"{row['peak_mb']:.0f}", f"{row['before_mb']:.0f}"]
        cells += [f"{row['map_image_to_text']:.4f} / {row['map_text_to_image']:.4f}"]
        lines.append([*cells, "" if row is ours else "yes" if apart < SAME else f"NO, {apart:.1e} apart"])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=100_000, help="pictures, and as many notes")
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--peer-size", type=int, default=5000, help="the same where peers are measured too")
    parser.add_argument("--threads", type=int, help="of matrix products, e.g. 1 on a busy machine; default: all cores")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args(argv)
    peers = [name for name in CONTENDERS if importlib.util.find_spec(PACKAGES.get(name, name)) or name == "dermnote"]
    if "torchmetrics" not in peers:
        print("torchmetrics is not installed (pip install -r tests/benchmarks/requirements.txt): left out.")
    rows = [run("dermnote", args.size, args.dim, args.threads)]
    rows += [run(name, args.peer_size, args.dim, args.threads) for name in peers]
    told = table(rows)
    print(f"{told}\nmatrix products of dermnote: {rows[0]['blas']}")
    if args.json:
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        machine = {"cores": os.cpu_count(), "machine": platform.machine(), "load_average": load}
        figures = {"machine": machine, "dim": args.dim, "threads": args.threads, "figures": rows}
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
