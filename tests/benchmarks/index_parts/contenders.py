"""One contender of `tests.benchmarks.index` in a process of its own, so that its memory is nobody else's.

    python -m tests.benchmarks.index_parts.contenders {dermnote,scikit-learn,hnswlib} {build,search} FOLDER

Prints its figures as JSON in the last line. FOLDER holds pictures.npy, notes.npy and asked.npz, and a folder
"small" the same of a few vectors.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

K = 10
SINGLE_QUERIES, SINGLE_SECONDS = 100, 20.0
TARGET, TIE = 0.99, 1e-6

Search = Callable[[np.ndarray, int], np.ndarray]


class DermNoteIndex:
    """Ours: flat or inverted lists, whichever the size asks for."""

    def build(self, folder: Path, pictures: np.ndarray, notes: np.ndarray) -> dict[str, Any]:
        from dermnote.index.faiss_index import VectorIndex

        index = VectorIndex.build(pictures, {"image": pictures, "text": notes})
        index.save(folder / "images.faiss")
        settings = index.settings_json()
        (folder / "settings.json").write_text(json.dumps(settings))
        if settings is None:
            return {"settings": "flat"}
        return {"settings": f"IVF nlist {settings['nlist']} nprobe {settings['nprobe']}", "tuned": settings}

    def load(self, folder: Path) -> Search:
        from dermnote.index.faiss_index import VectorIndex

        dim = int(np.load(folder / "pictures.npy", mmap_mode="r").shape[1])
        index = VectorIndex.load(folder / "images.faiss", dim, json.loads((folder / "settings.json").read_text()))
        return lambda queries, k: index.search(queries, k)[1]

    def file(self, folder: Path) -> Path:
        return folder / "images.faiss"


class ScikitLearn:
    """NearestNeighbors keeps the vectors it is given: what it loads is the array itself."""

    def build(self, folder: Path, pictures: np.ndarray, notes: np.ndarray) -> dict[str, Any]:
        self._fitted(pictures)
        return {"settings": "brute, cosine"}

    def load(self, folder: Path) -> Search:
        fitted = self._fitted(np.load(folder / "pictures.npy"))
        return lambda queries, k: fitted.kneighbors(queries, k, return_distance=False)

    def _fitted(self, pictures: np.ndarray) -> Any:
        from sklearn.neighbors import NearestNeighbors

        return NearestNeighbors(algorithm="brute", metric="cosine").fit(pictures)

    def file(self, folder: Path) -> Path:
        return folder / "pictures.npy"


class Hnswlib:
    """Its usual M = 16, ef_construction = 200; ef doubled until it finds 0.99 of queries other than those measured."""

    def build(self, folder: Path, pictures: np.ndarray, notes: np.ndarray) -> dict[str, Any]:
        import hnswlib

        index = hnswlib.Index(space="ip", dim=pictures.shape[1])  # unit vectors: the inner product is the cosine
        index.set_num_threads(threads())
        index.init_index(max_elements=len(pictures), M=16, ef_construction=200, random_seed=0)
        index.add_items(pictures)
        asked = np.load(folder / "asked.npz")
        ef = K
        while True:
            index.set_ef(ef)
            found = {kind: index.knn_query(asked[f"tuning_{kind}"], K)[0] for kind in ("image", "text")}
            if ef >= 2560 or min(recall(folder, found[kind], f"tuning_{kind}") for kind in found) >= TARGET:
                break
            ef *= 2
        index.save_index(str(folder / "hnsw.bin"))
        (folder / "ef.json").write_text(json.dumps(ef))
        return {"settings": f"HNSW M 16 ef {ef}"}

    def load(self, folder: Path) -> Search:
        import hnswlib

        index = hnswlib.Index(space="ip", dim=int(np.load(folder / "pictures.npy", mmap_mode="r").shape[1]))
        index.load_index(str(folder / "hnsw.bin"))
        index.set_ef(json.loads((folder / "ef.json").read_text()))
        index.set_num_threads(threads())
        return lambda queries, k: index.knn_query(queries, k)[0]

    def file(self, folder: Path) -> Path:
        return folder / "hnsw.bin"


CONTENDERS: dict[str, Any] = {"dermnote": DermNoteIndex, "scikit-learn": ScikitLearn, "hnswlib": Hnswlib}


def threads() -> int:
    """What the contenders that do not know of OMP_NUM_THREADS are to use."""
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


def recall(folder: Path, found: np.ndarray, kind: str) -> float:
    """Mean share of the exact K that were found; what is as near as the K-th true one counts (rounding decides ties).

    Args:
        folder: With the vectors and the queries' exact answers.
        found: (q, K) rows.
        kind: Of query, as asked.npz calls it.
    """
    asked = np.load(folder / "asked.npz")
    vectors = np.load(folder / "pictures.npy", mmap_mode="r")[found]  # (q, K, d)
    cosines = np.einsum("qd,qkd->qk", asked[kind], vectors)
    return float((cosines >= asked[f"{kind}_cosines"][:, -1:] - TIE).mean())


def resident() -> float:
    """Memory of this process now, in MB; pages of mapped files that were touched count."""
    return float(psutil.Process().memory_info().rss / 1e6)


def highest() -> float:
    """The most memory this process ever had, in MB (Linux)."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1.024e-3


def build(name: str, folder: Path) -> dict[str, Any]:
    contender = CONTENDERS[name]()
    pictures, notes = np.load(folder / "pictures.npy"), np.load(folder / "notes.npy")
    started = time.perf_counter()
    told = contender.build(folder, pictures, notes)
    seconds = time.perf_counter() - started
    peak = highest()
    size = contender.file(folder).stat().st_size / 1e6
    return {"build_s": seconds, "build_peak_mb": peak, "file_mb": size, **told}


def search(name: str, folder: Path) -> dict[str, Any]:
    contender, asked = CONTENDERS[name](), dict(np.load(folder / "asked.npz"))
    build(name, folder / "small")
    contender.load(folder / "small")(asked["image"][:1], 1)  # now its package is in memory and counts no more
    before, started = resident(), time.perf_counter()
    find = contender.load(folder)
    load_s, loaded = time.perf_counter() - started, resident()
    seconds: list[float] = []
    while len(seconds) < SINGLE_QUERIES and (sum(seconds) < SINGLE_SECONDS or len(seconds) < 5):
        query = asked["image" if len(seconds) % 2 else "text"][len(seconds)][None]
        started = time.perf_counter()
        find(query, K)
        seconds.append(time.perf_counter() - started)
    after = resident()
    figures: dict[str, Any] = {
        "load_s": load_s,
        "load_rss_mb": loaded - before,
        "queried_rss_mb": after - before,
        "single_ms": 1e3 * float(np.median(seconds)),
        "single_p95_ms": 1e3 * float(np.percentile(seconds, 95)),
        "single_queries": len(seconds),
    }
    spent = 0.0
    for kind in ("image", "text"):
        started = time.perf_counter()
        found = find(asked[kind], K)
        spent += time.perf_counter() - started
        figures[f"recall_{kind}"] = recall(folder, found, kind)
    return {**figures, "batch_ms": 1e3 * spent / (2 * len(asked["image"]))}


def main() -> None:
    name, step, folder = sys.argv[1:]
    figures = {"build": build, "search": search}[step](name, Path(folder))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
