"""One way to measure searches, in a process of its own, so that its memory is nobody else's.

    python -m tests.benchmarks.metrics_parts.contenders {dermnote,scikit-learn,torchmetrics} SIZE DIM

Prints its figures as JSON in the last line. All measure the same: mean average precision of SIZE pictures among SIZE
notes and the other way round, the whole gallery ranked for each.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from threadpoolctl import threadpool_info

CLASSES = 8
SHARES = np.array([0.3, 0.2, 0.15, 0.12, 0.1, 0.06, 0.05, 0.02])
SPREAD = 3.0  # of cases around their class, in lengths of the class's own vector
BLOCK = 256  # queries whose cosines the other contenders are handed at a time

Means = Callable[[np.ndarray, np.ndarray, np.ndarray], float]


def made(size: int, dim: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures, notes (both (size, dim) unit rows, no two alike) and classes; a note lies beside its picture."""
    random = np.random.default_rng(0)
    labels = random.choice(CLASSES, size, p=SHARES)
    centres = random.normal(size=(CLASSES, dim)).astype(np.float32)
    cases = centres[labels] + SPREAD * random.standard_normal((size, dim), dtype=np.float32)
    sides = [cases + random.standard_normal((size, dim), dtype=np.float32) for _ in range(2)]
    pictures, notes = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in sides)
    return pictures, notes, labels


def dermnote(queries: np.ndarray, gallery: np.ndarray, labels: np.ndarray) -> float:
    """Ours: beside mAP it tells chance, precision, and the ranks of partners."""
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
    """Seconds and mAP of both directions, and the most memory (MB) the process had, before and with it."""
    small = made(50, dim)
    CONTENDERS[name](*small)  # now its package is in memory
    pictures, notes, labels = made(size, dim)
    figures: dict[str, Any] = {"before_mb": psutil.Process().memory_info().rss / 1e6}
    for direction, sides in (("image_to_text", (pictures, notes)), ("text_to_image", (notes, pictures))):
        started = time.perf_counter()
        figures[f"map_{direction}"] = CONTENDERS[name](*sides, labels)
        figures[f"{direction}_s"] = time.perf_counter() - started
    return figures | {"peak_mb": highest(), "blas": products_by()}


def products_by() -> str:
    """What multiplies matrices in this process, e.g. "openblas 0.3.31 SkylakeX": a good third of the time is its."""
    found = [each for each in threadpool_info() if each["user_api"] == "blas"]
    return ", ".join(
        sorted({f"{each['internal_api']} {each['version']} {each.get('architecture', '')}" for each in found})
    )


def highest() -> float:
    """The most memory this process and its workers ever had, each at its own time, in MB (Linux)."""
    this = psutil.Process()
    return sum(_highest(each.pid) for each in (this, *this.children(recursive=True)))


def _highest(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1.024e-3


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
