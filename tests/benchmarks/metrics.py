"""Time and memory of retrieval metrics: the whole ranking of every query, both ways.

    python -m tests.benchmarks.metrics --json metrics.json          # 100,000 x 128, and peers at 5,000
    python -m tests.benchmarks.metrics --size 1000 --peer-size 200  # whether it runs at all

Each implementation runs in a process of its own. scikit-learn and torchmetrics run at a smaller size, and so does ours;
the last column says whether the results agree. Vectors are synthetic: eight classes of different size, a note near each
image, all distinct. About three minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import psutil
from threadpoolctl import threadpool_info

from tests.benchmarks.figures import markdown, memory_mb, new_parser, run_module, write_json

CLASSES = 8
SHARES = np.array([0.3, 0.2, 0.15, 0.12, 0.1, 0.06, 0.05, 0.02])
SPREAD = 3.0  # of cases around their class, in lengths of the class's own vector
BLOCK = 256  # queries whose cosines the other contenders are handed at a time

Means = Callable[[np.ndarray, np.ndarray, np.ndarray], float]


def made(size: int, dim: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return images, notes (both (size, dim) unit rows, all distinct) and classes; a note is near its image."""
    random = np.random.default_rng(0)
    labels = random.choice(CLASSES, size, p=SHARES)
    centres = random.normal(size=(CLASSES, dim)).astype(np.float32)
    cases = centres[labels] + SPREAD * random.standard_normal((size, dim), dtype=np.float32)
    sides = [cases + random.standard_normal((size, dim), dtype=np.float32) for _ in range(2)]
    images, notes = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in sides)
    return images, notes, labels


def dermnote(queries: np.ndarray, gallery: np.ndarray, labels: np.ndarray) -> float:
    """Ours: besides mAP it computes chance, precision, and the ranks of partners."""
    from train.metrics.retrieval import mean_average_precision

    found = mean_average_precision(queries, gallery, labels, labels, np.arange(len(labels)))
    assert np.isfinite(found.chance) and np.isfinite(found.rank_of_own).all()
    return float(found.average_precision.mean())


def scikit_learn(queries: np.ndarray, gallery: np.ndarray, labels: np.ndarray) -> float:
    """`average_precision_score`, query by query."""
    from sklearn.metrics import average_precision_score

    found = []
    for start in range(0, len(queries), BLOCK):
        for row, scores in enumerate(queries[start : start + BLOCK] @ gallery.T, start):
            found.append(average_precision_score(labels == labels[row], scores))
    return float(np.mean(found))


def torchmetrics(queries: np.ndarray, gallery: np.ndarray, labels: np.ndarray) -> float:
    """`RetrievalMAP`, block by block: given all at once, it would hold every cosine with two numbers beside it."""
    import torch
    from torchmetrics.retrieval import RetrievalMAP

    found = []
    for start in range(0, len(queries), BLOCK):
        scores = torch.from_numpy(1 + queries[start : start + BLOCK] @ gallery.T)  # takes scores up to 0 for irrelevant
        relevant = torch.from_numpy(labels[start : start + BLOCK, None] == labels)
        rows = torch.arange(len(scores)).repeat_interleave(len(labels))
        found += [float(RetrievalMAP()(scores.flatten(), relevant.flatten(), rows))] * len(scores)
    return float(np.mean(found))


CONTENDERS: dict[str, Means] = {"dermnote": dermnote, "scikit-learn": scikit_learn, "torchmetrics": torchmetrics}


def measure(name: str, size: int, dim: int) -> dict[str, Any]:
    """Return seconds and mAP of both directions, and memory before, and at the peak of this process and its workers."""
    small = made(50, dim)
    CONTENDERS[name](*small)  # now its package is in memory
    images, notes, labels = made(size, dim)
    figures: dict[str, Any] = {"before_mb": memory_mb("VmRSS")}
    for direction, sides in (("image_to_text", (images, notes)), ("text_to_image", (notes, images))):
        started = time.perf_counter()
        figures[f"map_{direction}"] = CONTENDERS[name](*sides, labels)
        figures[f"{direction}_s"] = time.perf_counter() - started
    this = psutil.Process()
    figures["peak_mb"] = sum(memory_mb("VmHWM", each.pid) for each in (this, *this.children(recursive=True)))
    return figures | {"blas": blas_version()}


def blas_version() -> str:
    """Return the BLAS of this process, e.g. "openblas 0.3.31 SkylakeX": it takes a third of the time."""
    found = [each for each in threadpool_info() if each["user_api"] == "blas"]
    return ", ".join(
        sorted({f"{each['internal_api']} {each['version']} {each.get('architecture', '')}" for each in found})
    )


PACKAGES = {"scikit-learn": "sklearn"}  # a contender's name -> the package to import, where they differ
SAME = 1e-4  # of mAP: peers break ties arbitrarily, and round differently


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the figures as Markdown."""
    head = ["vectors", "measured by", "image to note, s", "note to image, s", "both, s", "peak MB", "of it before"]
    lines = [[*head, "mAP both ways", "agrees with ours"]]
    for row in rows:
        ours = next(each for each in rows if each["vectors"] == row["vectors"] and each["measured by"] == "dermnote")
        apart = max(abs(row[key] - ours[key]) for key in ("map_image_to_text", "map_text_to_image"))
        one, other = row["image_to_text_s"], row["text_to_image_s"]
        cells = [f"{row['vectors']:,}", row["measured by"], f"{one:.1f}", f"{other:.1f}", f"{one + other:.1f}"]
        cells += [f"{row['peak_mb']:.0f}", f"{row['before_mb']:.0f}"]
        cells += [f"{row['map_image_to_text']:.4f} / {row['map_text_to_image']:.4f}"]
        lines.append([*cells, "" if row is ours else "yes" if apart < SAME else f"NO, {apart:.1e} apart"])
    return markdown(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = new_parser(__doc__)
    parser.add_argument("--size", type=int, default=100_000, help="images, and as many notes")
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--peer-size", type=int, default=5000, help="the same where peers are measured too")
    parser.add_argument("--threads", type=int, help="of matrix products, e.g. 1 on a busy machine; default: all cores")
    parser.add_argument("--measure", choices=tuple(CONTENDERS), help=argparse.SUPPRESS)  # in a process of its own
    args = parser.parse_args(argv)
    if args.measure:
        print(json.dumps(measure(args.measure, args.size, args.dim)))
        return 0
    peers = [name for name in CONTENDERS if importlib.util.find_spec(PACKAGES.get(name, name)) or name == "dermnote"]
    if "torchmetrics" not in peers:
        print("torchmetrics is not installed (pip install -r tests/benchmarks/requirements.txt): left out.")
    sizes = [("dermnote", args.size), *((name, args.peer_size) for name in peers)]
    rows = []
    for name, size in sizes:
        words = ["--measure", name, "--size", size, "--dim", args.dim]
        figures = run_module("tests.benchmarks.metrics", *words, threads=args.threads)
        rows.append({"vectors": size, "measured by": name, **figures})
    print(f"{table(rows)}\nmatrix products of dermnote: {rows[0]['blas']}")
    write_json(args.json, {"dim": args.dim, "threads": args.threads, "figures": rows})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
