"""DermNote's index against scikit-learn's NearestNeighbors and hnswlib, at 10,000, 100,000 and a million vectors.

    python -m tests.benchmarks.index --cases cases/ --notes notes.jsonl --json index.json

Every contender is built, and then loaded and searched, in a process of its own, so that its memory is separate. All get
the same queries: 500 images and 500 notes that are in no index; recall@10 is measured against numpy's exact answer.
Without `--cases`, the vectors are resampled from the starter's synthetic lesions. A million vectors take 9 GB of disk,
6 GB of memory and most of an hour on two cores, mainly to build hnswlib's index.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from dermnote import DermNote
from dermnote.notes.schema import notes_by_case
from tests.benchmarks.figures import markdown, new_parser, run_module, write_json
from tests.benchmarks.index_contenders import CONTENDERS, K
from train.data.cases import Cases
from train.training.embedding import embed_cases

SIZES = (10_000, 100_000, 1_000_000)
QUERIES, TUNING, SMALL, PIECE = 500, 200, 1000, 50_000
REAL_CASES = 3000  # an image takes the starter 10 ms and more on two cores
SPREAD = 0.5  # of the step between two real cases of a class, added to a real case to make a new one
GRAIN = 0.05  # length of the even noise that keeps any two from being equal

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


Real = tuple[np.ndarray, np.ndarray, np.ndarray, str]  # (m, 128) image and note vectors, (m,) classes, their origin


def of_cases(cases_folder: Path, notes_file: Path) -> Real:
    """Return the starter's vectors of cases that have an M note, at most `REAL_CASES` drawn evenly."""
    starter, cases, notes = DermNote.from_pretrained(), Cases.read(cases_folder), notes_by_case(notes_file)
    rows = [row for row, case in enumerate(cases.table["case_id"]) if "m" in notes.get(case, {})]
    drawn = np.random.default_rng(0).permutation(len(rows))[:REAL_CASES]
    cases = cases.select([rows[row] for row in np.sort(drawn)])
    made = embed_cases(starter.model, cases, [notes[case]["m"] for case in cases.table["case_id"]])
    assert made.text is not None
    sources = ", ".join(f"{count} of {name}" for name, count in cases.table["source"].value_counts().items())
    description = f"the embedded starter's vectors of {len(cases)} real cases with their M notes ({sources})"
    return made.image, made.text, cases.table["label"].to_numpy(dtype=str), description


def of_gallery() -> Real:
    """Return the vectors of the starter's own gallery, as published."""
    index = DermNote.from_pretrained().index
    assert index._notes is not None
    description = f"the embedded starter's vectors of its own {len(index)} drawn lesions and their notes"
    labels = index.columns("label")["label"].to_numpy(dtype=str)
    return index._images.vectors(), index._notes.vectors(), labels, description


class Resampler:
    """A smoothed bootstrap of real cases: a real case, moved along the difference of two others of its class.

    So the classes keep their frequency, position and spread; image and note of a made case are moved along the same two
    cases, so that they belong together as much as real ones do.

    Args:
        real: To draw from.
        dim: Width of what is made; other than the real width, all is turned by one random isometry (or projection).
    """

    def __init__(self, real: Real, dim: int) -> None:
        self.images, self.notes, labels, self._origin = real
        self.dim, width = dim, self.images.shape[1]
        turn = np.linalg.qr(np.random.default_rng(0).normal(size=(max(width, dim), min(width, dim))))[0]
        self._turn = None if dim == width else (turn.T if dim > width else turn)  # (width, dim)
        order = np.argsort(labels, kind="stable")
        _, first, count = np.unique(labels[order], return_index=True, return_counts=True)
        which = np.searchsorted(first, np.arange(len(order)), side="right") - 1
        self._order, self._first, self._count = order, np.empty_like(order), np.empty_like(order)
        self._first[order], self._count[order] = first[which], count[which]

    def draw(self, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return images and notes of `rows` made cases, both (rows, dim) float32, unit rows."""
        random = np.random.default_rng(seed)
        base = random.integers(0, len(self._order), rows)
        one, other = (
            self._order[self._first[base] + (random.random(rows) * self._count[base]).astype(int)] for _ in range(2)
        )
        made = []
        for real in (self.images, self.notes):
            moved = real[base] + SPREAD * (real[one] - real[other])
            moved = moved if self._turn is None else moved @ self._turn
            moved = moved + GRAIN / np.sqrt(self.dim) * random.normal(size=(rows, self.dim))
            made.append((moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32))
        return made[0], made[1]

    def describe(self) -> list[str]:
        """Return lines on what is real, what is synthetic, and how similar the two are."""
        count = min(len(self.images), 5000)
        images, _ = self.draw(count, 7)
        real = self.images[np.random.default_rng(7).permutation(len(self.images))[:count]]
        return [
            f"Real: {self._origin}.",
            f"Synthetic: every vector indexed and searched, {self.dim} wide: a real case moved by {SPREAD} of the "
            "difference of two others of its class. No query is in the index. Notes of made cases are all different; "
            "real M notes often repeat word for word.",
            f"Mean cosine to the 10th nearest of {count} images: real {tenth_nearest(real):.3f}, "
            f"synthetic {tenth_nearest(images):.3f}.",
        ]


def tenth_nearest(vectors: np.ndarray) -> float:
    """Return the mean cosine of a vector to its 10th nearest, itself not counted."""
    cosines = vectors[:1000] @ vectors.T
    return float(np.partition(cosines, -11, axis=1)[:, -11].mean())


def write_vectors(folder: Path, made: Resampler, rows: int) -> None:
    """Write what the contenders read: vectors to index, and queries with their exact answers."""
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
    """Return the cosines of the K nearest of each query, (q, K), best first, by numpy alone."""
    best = np.empty((len(queries), 0), np.float32)
    for start in range(0, len(vectors), PIECE):
        cosines = queries @ np.asarray(vectors[start : start + PIECE]).T
        best = np.hstack([best, np.partition(cosines, -K, axis=1)[:, -K:]])
        best = -np.sort(-best, axis=1)[:, :K]
    return best


def measure(name: str, folder: Path, threads: int | None) -> dict[str, Any]:
    """Build and search with a contender, each in a process of its own; return the figures of both."""
    module = "tests.benchmarks.index_contenders"
    figures = run_module(module, name, "build", folder, threads=threads)
    figures |= run_module(module, name, "search", folder, threads=threads)
    print(f"{name}: {figures}", file=sys.stderr, flush=True)
    return figures


def table(rows: list[dict[str, Any]], columns: tuple[tuple[str, str, str], ...], first: tuple[str, ...]) -> str:
    cells = [[format(row[name], "," * (name == "vectors")) for name in first] for row in rows]
    figures = [[format(row[key], form) for _, key, form in columns] for row in rows]
    head = [*first, *(name for name, _, _ in columns)]
    return markdown([head, *([*one, *other] for one, other in zip(cells, figures, strict=True))])


def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--cases", type=Path, help="cases folder: the made vectors are then drawn from its images'")
    parser.add_argument("--notes", type=Path, help="notes.jsonl with the M notes of these cases")
    parser.add_argument("--threads", type=int, help="of every contender, e.g. 1 on a busy machine; default: all cores")
    parser.add_argument("--folder", type=Path, help="where vectors are kept meanwhile; default: a temporary folder")
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
        about = {"vectors": description, "dim": args.dim, "threads": args.threads}  # written after each size
        write_json(args.json, {**about, "figures": rows, "cases": case_rows})
    print("\n" + table(rows, COLUMNS, ("vectors", "index")))
    print("\nThe whole CaseIndex of DermNote: image vectors, table and thumbnails (the starter's, over and over).\n")
    print(table(case_rows, CASE_COLUMNS, ("vectors",)))


if __name__ == "__main__":
    main()
