"""What the table of cases costs beside the vectors: a whole `CaseIndex`, saved, checked, loaded and searched.

    python -m tests.benchmarks.index_parts.whole_index {save,search} FOLDER

Prints its figures as JSON in the last line. FOLDER holds what `contenders dermnote build` made.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dermnote.hub.bundle import STARTER
from dermnote.hub.manifest import verify_manifest, write_manifest
from dermnote.index.case_index import CaseIndex
from dermnote.index.case_table import MemoryTable
from dermnote.index.faiss_index import VectorIndex
from tests.benchmarks.index_parts.contenders import highest, resident

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


def save(folder: Path) -> dict[str, float]:
    """A bundle's index of as many cases as there are vectors; the cases are the starter's, renamed."""
    starter, pictures = starter_index(), np.load(folder / "pictures.npy", mmap_mode="r")
    rows, dim = pictures.shape
    table = starter.table.iloc[np.arange(rows) % len(starter)].reset_index(drop=True)
    table["case_id"] = [f"made/{row}" for row in range(rows)]
    thumbnails = RepeatedThumbnails([jpeg for jpeg in starter.thumbnails if jpeg], rows)
    images = VectorIndex.load(folder / "images.faiss", dim, json.loads((folder / "settings.json").read_text()))
    started = time.perf_counter()
    CaseIndex(MemoryTable(table, thumbnails), images, None, "made").save(folder / "bundle" / "index")
    seconds = time.perf_counter() - started
    write_manifest(folder / "bundle")
    peak = highest()
    size = sum(path.stat().st_size for path in (folder / "bundle" / "index").iterdir()) / 1e6
    return {"save_s": seconds, "save_peak_mb": peak, "bundle_mb": size}


def search(folder: Path) -> dict[str, float]:
    asked = np.load(folder / "asked.npz")["image"]
    starter = starter_index()
    starter.search_similar(starter._images.vectors()[0], HITS)  # now the packages are in memory and count no more
    started = time.perf_counter()
    verify_manifest(folder / "bundle")
    verify_s = time.perf_counter() - started
    before, started = resident(), time.perf_counter()
    index = CaseIndex.load(folder / "bundle" / "index", "made")
    load_s, loaded = time.perf_counter() - started, resident()
    seconds = []
    for query in asked[:SEARCHES]:
        started = time.perf_counter()
        hits = index.search_similar(query, HITS)
        seconds.append(time.perf_counter() - started)
        assert len(hits) == HITS and all(hit.thumbnail_jpeg for hit in hits)
    return {
        "verify_s": verify_s,
        "load_s": load_s,
        "load_rss_mb": loaded - before,
        "queried_rss_mb": resident() - before,
        "search_ms": 1e3 * float(np.median(seconds)),
        "search_p95_ms": 1e3 * float(np.percentile(seconds, 95)),
    }


def main() -> None:
    step, folder = sys.argv[1:]
    print(json.dumps({"save": save, "search": search}[step](Path(folder))))


if __name__ == "__main__":
    main()
