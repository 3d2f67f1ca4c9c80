"""Contenders of the index benchmark, each in a process of its own, and the whole `CaseIndex`.

    python -m tests.benchmarks.index_contenders {dermnote,scikit-learn,hnswlib,case-index} {build,search} FOLDER

Prints its figures as JSON in the last line. FOLDER holds images.npy, notes.npy and queries.npz, and a folder
"small" with the same of a few vectors. `case-index` needs what `dermnote build` wrote.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dermnote.hub.bundle import STARTER
from dermnote.hub.manifest import verify_manifest, write_manifest
from dermnote.index.case_index import CaseIndex
from dermnote.index.case_table import MemoryTable
from dermnote.index.faiss_index import VectorIndex
from tests.benchmarks.figures import memory_mb

K = 10
SINGLE_QUERIES, SINGLE_SECONDS = 100, 20.0
TARGET, TIE = 0.99, 1e-6

Search = Callable[[np.ndarray, int], np.ndarray]


class DermNoteIndex:
    """Ours: flat or inverted lists, whichever the size asks for."""

    file = "images.faiss"

    def build(self, folder: Path, images: np.ndarray, notes: np.ndarray) -> dict[str, Any]:
        index = VectorIndex.build(images, {"image": images, "text": notes})
        index.save(folder / "images.faiss")
        settings = index.settings_json()
        (folder / "settings.json").write_text(json.dumps(settings))
        if settings is None:
            return {"settings": "flat"}
        return {"settings": f"IVF nlist {settings['nlist']} nprobe {settings['nprobe']}", "tuned": settings}

    def load(self, folder: Path) -> Search:
        dim = int(np.load(folder / "images.npy", mmap_mode="r").shape[1])
        index = VectorIndex.load(folder / "images.faiss", dim, json.loads((folder / "settings.json").read_text()))
        return lambda queries, k: index.search(queries, k)[1]


class ScikitLearn:
    """NearestNeighbors keeps the vectors it is given: what it loads is the array itself."""

    file = "images.npy"

    def build(self, folder: Path, images: np.ndarray, notes: np.ndarray) -> dict[str, Any]:
        self._fitted(images)
        return {"settings": "brute, cosine"}

    def load(self, folder: Path) -> Search:
        fitted = self._fitted(np.load(folder / "images.npy"))
        return lambda queries, k: fitted.kneighbors(queries, k, return_distance=False)

    def _fitted(self, images: np.ndarray) -> Any:
        from sklearn.neighbors import NearestNeighbors

        return NearestNeighbors(algorithm="brute", metric="cosine").fit(images)


class Hnswlib:
    """Its usual M = 16, ef_construction = 200; ef doubled until it finds 0.99 of queries other than those measured."""

    file = "hnsw.bin"

    def build(self, folder: Path, images: np.ndarray, notes: np.ndarray) -> dict[str, Any]:
        import hnswlib

        index = hnswlib.Index(space="ip", dim=images.shape[1])  # unit vectors: the inner product is the cosine
        index.set_num_threads(threads())
        index.init_index(max_elements=len(images), M=16, ef_construction=200, random_seed=0)
        index.add_items(images)
        queries = np.load(folder / "queries.npz")
        ef = K
        while True:
            index.set_ef(ef)
            found = {kind: index.knn_query(queries[f"tuning_{kind}"], K)[0] for kind in ("image", "text")}
            if ef >= 2560 or min(recall(folder, found[kind], f"tuning_{kind}") for kind in found) >= TARGET:
                break
            ef *= 2
        index.save_index(str(folder / "hnsw.bin"))
        (folder / "ef.json").write_text(json.dumps(ef))
        return {"settings": f"HNSW M 16 ef {ef}"}

    def load(self, folder: Path) -> Search:
        import hnswlib

        index = hnswlib.Index(space="ip", dim=int(np.load(folder / "images.npy", mmap_mode="r").shape[1]))
        index.load_index(str(folder / "hnsw.bin"))
        index.set_ef(json.loads((folder / "ef.json").read_text()))
        index.set_num_threads(threads())
        return lambda queries, k: index.knn_query(queries, k)[0]


CONTENDERS: dict[str, Any] = {"dermnote": DermNoteIndex, "scikit-learn": ScikitLearn, "hnswlib": Hnswlib}


def threads() -> int:
    """Return the number of threads, for contenders that ignore OMP_NUM_THREADS."""
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


def recall(folder: Path, found: np.ndarray, kind: str) -> float:
    """Return the mean share of the exact K found; what is as near as the K-th true one counts (rounding decides ties).

    Args:
        folder: With the vectors and the queries' exact answers.
        found: (q, K) rows.
        kind: Of query, as queries.npz calls it.
    """
    queries = np.load(folder / "queries.npz")
    vectors = np.load(folder / "images.npy", mmap_mode="r")[found]  # (q, K, d)
    cosines = np.einsum("qd,qkd->qk", queries[kind], vectors)
    return float((cosines >= queries[f"{kind}_cosines"][:, -1:] - TIE).mean())


def build(name: str, folder: Path) -> dict[str, Any]:
    contender = CONTENDERS[name]()
    images, notes = np.load(folder / "images.npy"), np.load(folder / "notes.npy")
    started = time.perf_counter()
    extra = contender.build(folder, images, notes)
    figures = {"build_s": time.perf_counter() - started, "build_peak_mb": memory_mb("VmHWM")}
    return {**figures, "file_mb": (folder / contender.file).stat().st_size / 1e6, **extra}


def search(name: str, folder: Path) -> dict[str, Any]:
    contender, queries = CONTENDERS[name](), dict(np.load(folder / "queries.npz"))
    build(name, folder / "small")
    contender.load(folder / "small")(queries["image"][:1], 1)  # now its package is in memory and counts no more
    before, started = memory_mb("VmRSS"), time.perf_counter()
    find = contender.load(folder)
    load_s, loaded = time.perf_counter() - started, memory_mb("VmRSS")
    seconds: list[float] = []
    while len(seconds) < SINGLE_QUERIES and (sum(seconds) < SINGLE_SECONDS or len(seconds) < 5):
        query = queries["image" if len(seconds) % 2 else "text"][len(seconds)][None]
        started = time.perf_counter()
        find(query, K)
        seconds.append(time.perf_counter() - started)
    after = memory_mb("VmRSS")
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
        found = find(queries[kind], K)
        spent += time.perf_counter() - started
        figures[f"recall_{kind}"] = recall(folder, found, kind)
    return {**figures, "batch_ms": 1e3 * spent / (2 * len(queries["image"]))}


HITS = 5
SEARCHES = 100


class RepeatedThumbnails(Sequence[bytes | None]):
    """The starter's thumbnails over and over, each with a number behind its end so that no two are equal."""

    def __init__(self, jpegs: list[bytes], rows: int) -> None:
        self._jpegs, self._rows = jpegs, rows

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, row: Any) -> Any:
        return self._jpegs[row % len(self._jpegs)] + row.to_bytes(4, "big")


def starter_index() -> CaseIndex:
    return CaseIndex.load(STARTER / "index")


def save_cases(folder: Path) -> dict[str, float]:
    """Write a bundle's index of as many cases as there are vectors; the cases are the starter's, renamed."""
    starter, images = starter_index(), np.load(folder / "images.npy", mmap_mode="r")
    rows, dim = images.shape
    table = starter.table.iloc[np.arange(rows) % len(starter)].reset_index(drop=True)
    table["case_id"] = [f"made/{row}" for row in range(rows)]
    thumbnails = RepeatedThumbnails([jpeg for jpeg in starter.thumbnails if jpeg], rows)
    images = VectorIndex.load(folder / "images.faiss", dim, json.loads((folder / "settings.json").read_text()))
    started = time.perf_counter()
    CaseIndex(MemoryTable(table, thumbnails), images, None, "made").save(folder / "bundle" / "index")
    seconds = time.perf_counter() - started
    write_manifest(folder / "bundle")
    peak = memory_mb("VmHWM")
    size = sum(path.stat().st_size for path in (folder / "bundle" / "index").iterdir()) / 1e6
    return {"save_s": seconds, "save_peak_mb": peak, "bundle_mb": size}


def search_cases(folder: Path) -> dict[str, float]:
    queries = np.load(folder / "queries.npz")["image"]
    starter = starter_index()
    starter.search_similar(starter._images.reconstruct(0), HITS)  # now the packages are in memory and count no more
    started = time.perf_counter()
    verify_manifest(folder / "bundle")
    verify_s = time.perf_counter() - started
    before, started = memory_mb("VmRSS"), time.perf_counter()
    index = CaseIndex.load(folder / "bundle" / "index", "made")
    load_s, loaded = time.perf_counter() - started, memory_mb("VmRSS")
    seconds = []
    for query in queries[:SEARCHES]:
        started = time.perf_counter()
        hits = index.search_similar(query, HITS)
        seconds.append(time.perf_counter() - started)
        assert len(hits) == HITS and all(hit.thumbnail_jpeg for hit in hits)
    return {
        "verify_s": verify_s,
        "load_s": load_s,
        "load_rss_mb": loaded - before,
        "queried_rss_mb": memory_mb("VmRSS") - before,
        "search_ms": 1e3 * float(np.median(seconds)),
        "search_p95_ms": 1e3 * float(np.percentile(seconds, 95)),
    }


def main() -> None:
    name, step, folder = sys.argv[1:]
    if name == "case-index":
        figures = {"build": save_cases, "search": search_cases}[step](Path(folder))
    else:
        figures = {"build": build, "search": search}[step](name, Path(folder))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
