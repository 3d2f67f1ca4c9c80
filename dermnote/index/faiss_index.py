"""Cosine search of unit vectors with FAISS: exact up to 100,000, above in inverted lists tuned to a recall of 0.99.

A file is memory-mapped, not read: unused parts take no memory.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dermnote.errors import BundleError, IndexQueryError
from dermnote.index.recall import Rows, Vectors, recall_at_k, smallest_nprobe, without_own

EXACT_UP_TO = 100_000  # vectors; a query takes 9 ms there, exact and deterministic, without training
RECALL_TARGET = 0.99
RECALL_AT = 10
TUNING_QUERIES = 1000
TRAINING_VECTORS_PER_LIST = 64
UNIT_TOLERANCE = 1e-3
HEADER = struct.Struct("<4siq16xBi")  # kind, width, vectors, (16 unused bytes), trained, metric
FLAT, IVF = b"IxFI", b"IwFl"  # exact by inner product; inverted lists of plain vectors
REBUILD = "Make the bundle again with `python -m train.build_index`."


@dataclass(frozen=True)
class ListSettings:
    """Search settings of inverted lists and their measured recall.

    Attributes:
        nlist: Number of lists, each of the vectors around one centre.
        nprobe: Lists searched by a query.
        recall_at_10: Mean recall by kind of query ("image", "text"), without each query's own case.
        queries: Number of cases it was measured on; the centres were trained on others.
        kind: FAISS's name of the index type.
    """

    nlist: int
    nprobe: int
    recall_at_10: dict[str, float]
    queries: int
    kind: str = "IVF,Flat"


class VectorIndex:
    """n unit vectors of width d, searched by cosine: an exact FAISS index, or inverted lists with their settings.

    Row number = position when built.
    """

    def __init__(self, index: Any, settings: ListSettings | None = None) -> None:
        self._index, self.settings = index, settings

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return int(self._index.d)

    @classmethod
    def build(
        cls,
        vectors: Vectors,
        queries: Mapping[str, Vectors] | None = None,
        exact_up_to: int = EXACT_UP_TO,
        what: str = "case",
    ) -> VectorIndex:
        """Build an index of these vectors; equal input gives an equal index.

        Args:
            vectors: (n, d) float32, unit rows.
            queries: Typical queries by kind, (n, d) unit rows, each row of the same case as in `vectors`: a sample
                tunes the inverted lists for the kind with the lowest recall. None: `vectors`.
            exact_up_to: Number of vectors up to which the index is exact.
            what: Subject of the vectors, for error messages.

        Raises:
            IndexQueryError: Vectors that are not unit rows.
        """
        import faiss

        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        norms = np.linalg.norm(vectors, axis=-1)
        if vectors.ndim != 2 or not np.all(np.abs(norms - 1) < UNIT_TOLERANCE):  # also false for a NaN norm
            raise IndexQueryError(f"The {what} vectors are not of unit length (NaN, zero or not normalised).")
        rows, dim = vectors.shape
        if rows <= exact_up_to:
            flat = faiss.IndexFlatIP(dim)
            flat.add(vectors)
            return cls(flat)
        shuffled = np.random.default_rng(0).permutation(rows)
        sample = np.sort(shuffled[: min(TUNING_QUERIES, rows // 4)])
        nlist = round(4 * math.sqrt(rows))
        lists = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, nlist, faiss.METRIC_INNER_PRODUCT)
        lists.cp.spherical = True
        lists.cp.min_points_per_centroid = 1  # no warning on the terminal for few vectors
        training = np.sort(shuffled[len(sample) :][: nlist * TRAINING_VECTORS_PER_LIST])
        lists.train(vectors[training])
        lists.add(vectors)
        return cls(lists, _tune(lists, vectors, queries or {"image": vectors}, sample))

    def search(self, queries: Vectors, k: int, among: Rows | None = None) -> tuple[Vectors, Rows]:
        """Return the k nearest vectors of each query, best first.

        Args:
            queries: (q, d) float32, unit rows.
            k: From 1 to the number of searched vectors.
            among: Rows to search exclusively and exactly; None searches all.

        Returns:
            Cosines and rows, both (q, k).
        """
        import faiss

        if among is not None:
            marks = np.zeros(len(self), dtype=np.uint8)
            marks[among] = 1
            selector: Any = faiss.IDSelectorBitmap  # FAISS's type stubs lack its arguments
            kind: Any = faiss.SearchParameters if self.settings is None else faiss.SearchParametersIVF
            options: dict[str, Any] = {"sel": selector(np.packbits(marks, bitorder="little"))}
            if self.settings is not None:
                options["nprobe"] = self.settings.nlist  # the selected rows may be in any list
            scores, rows = self._index.search(queries, k, params=kind(**options))
            return scores, rows
        if self.settings is None:
            scores, rows = self._index.search(queries, k)
            return scores, rows
        nlist = self.settings.nlist
        nprobe = min(nlist, self.settings.nprobe * math.ceil(k / RECALL_AT))  # more hits need more lists
        scores, rows = _probe(self._index, queries, k, nprobe)
        if (rows < 0).any():  # those lists hold fewer than k
            scores, rows = _probe(self._index, queries, k, nlist)
        return scores, rows

    def vectors(self) -> Vectors:
        """Return all vectors, (n, d), in memory."""
        if self.settings is not None:
            self._index.make_direct_map()
        vectors: Vectors = self._index.reconstruct_n(0, len(self))
        if self.settings is not None:
            self._index.make_direct_map(False)  # otherwise it would be saved too
        return vectors

    def save(self, path: Path) -> None:
        """Write the index as one FAISS file, which must not be the file this index was loaded from."""
        import faiss

        mapped: Any = None if self.settings is None else faiss.downcast_InvertedLists(self._index.invlists)
        on_disk: Any = faiss.OnDiskInvertedLists
        if self.settings is None or not isinstance(mapped, on_disk):
            faiss.write_index(self._index, str(path))
            return
        lists = faiss.ArrayInvertedLists(mapped.nlist, mapped.code_size)  # of mapped lists, FAISS writes only the path
        mapped.copy_subset_to(lists, mapped.SUBSET_TYPE_ID_RANGE, 0, len(self))
        copy = faiss.IndexIVFFlat(self._index.quantizer, self.dim, mapped.nlist, faiss.METRIC_INNER_PRODUCT)
        copy.replace_invlists(lists)
        copy.ntotal, copy.nprobe, copy.is_trained = len(self), self.settings.nprobe, True
        faiss.write_index(copy, str(path))

    @classmethod
    def load(cls, path: Path, dim: int, settings: Mapping[str, Any] | None = None) -> VectorIndex:
        """Map a saved file. Its checksum must have been checked before; it must not be changed in place.

        Args:
            path: The file.
            dim: Expected width of the vectors.
            settings: Result of `settings_json` when it was saved; None for an exact index.

        Raises:
            BundleError: Missing, damaged, or not an index of that width and kind.
        """
        import faiss

        kind = _check_header(path, dim)
        if kind != (FLAT if settings is None else IVF):
            raise BundleError(f"{path} is not the kind of index that index.json describes.", REBUILD)
        flag = faiss.IO_FLAG_MMAP_IFC if kind == FLAT else faiss.IO_FLAG_MMAP  # each maps its own kind only
        try:
            index: Any = faiss.read_index(str(path), flag)
            known = None if settings is None else ListSettings(**settings)
        except (RuntimeError, TypeError) as error:  # FAISS's message has a C++ path and line
            raise _damaged(path) from error
        if index.d != dim or index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise BundleError(f"{path} is not a cosine index of width {dim}.", REBUILD)
        if known is not None:
            # A search would start 32 prefetch threads: 1.3 ms a query instead of 0.1 (200,000 vectors of 128)
            _checked_lists(path, index, known).prefetch_nthread = 0
        return cls(index, known)

    def settings_json(self) -> dict[str, Any] | None:
        """Return the settings that `load` needs beside the file; None for an exact index."""
        return None if self.settings is None else asdict(self.settings)


def unit_queries(queries: Vectors, dim: int) -> Vectors:
    """Normalise queries to (q, dim) float32, unit rows.

    Raises:
        IndexQueryError: Another width, or a query that is zero or not finite.
    """
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    if queries.ndim != 2 or queries.shape[1] != dim:
        raise IndexQueryError(f"The query has {queries.shape[-1]} numbers, this index takes {dim}.")
    norms = np.linalg.norm(queries, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or not norms.all():
        raise IndexQueryError("The query vector is not finite, or zero.")
    unit: Vectors = queries / norms
    return unit


def _probe(index: Any, queries: Vectors, k: int, nprobe: int) -> tuple[Vectors, Rows]:
    import faiss

    parameters: Any = faiss.SearchParametersIVF  # FAISS's type stubs lack its arguments
    scores, rows = index.search(queries, k, params=parameters(nprobe=nprobe))
    return scores, rows


def _tune(lists: Any, vectors: Vectors, queries: Mapping[str, Vectors], sample: Rows) -> ListSettings:
    """Set and measure nprobe, without each query's own case, which would raise the recall."""
    import faiss

    k = min(RECALL_AT + 1, len(vectors))
    samples = {kind: np.ascontiguousarray(given[sample], dtype=np.float32) for kind, given in queries.items()}
    exact = {}
    for kind, some in samples.items():
        exact[kind] = without_own(*faiss.knn(some, vectors, k, metric=faiss.METRIC_INNER_PRODUCT), sample)

    def measure(nprobe: int) -> dict[str, Any]:
        scores = {kind: without_own(*_probe(lists, some, k, nprobe), sample) for kind, some in samples.items()}
        return {kind: recall_at_k(scores[kind], exact[kind]) for kind in samples}

    lists.nprobe = smallest_nprobe(measure, lists.nlist, RECALL_TARGET)
    recall = {kind: round(float(values.mean()), 5) for kind, values in measure(lists.nprobe).items()}
    return ListSettings(lists.nlist, lists.nprobe, recall, len(sample))


def _check_header(path: Path, dim: int) -> bytes:
    """Return the kind of a file, `FLAT` or `IVF`; FAISS crashes when it maps a file with a truncated header."""
    try:
        with path.open("rb") as file:
            kind, width, count, _, _ = HEADER.unpack(file.read(HEADER.size))
        size = path.stat().st_size
    except (OSError, struct.error) as error:
        raise _damaged(path) from error
    if kind not in (FLAT, IVF) or not 0 < width < 1 << 20 or count < 0:
        raise BundleError(f"{path} is damaged, or of an unknown kind of index.", REBUILD)
    if width != dim:
        raise BundleError(f"{path} is not a cosine index of width {dim}.", REBUILD)
    if size < HEADER.size + 8 + 4 * count * width:
        raise _damaged(path)
    return bytes(kind)


def _checked_lists(path: Path, index: Any, settings: ListSettings) -> Any:
    """Return the mapped lists; reading a list beyond the end of the file would kill the process."""
    import faiss

    mapped: Any = faiss.downcast_InvertedLists(index.invlists)
    if index.nlist != settings.nlist or settings.nprobe not in range(1, settings.nlist + 1):
        raise BundleError(f"{path} is not the index that index.json describes.", REBUILD)
    size, total = path.stat().st_size, 0
    for number in range(index.nlist):
        each = mapped.lists.at(number)
        total += each.size
        if each.size and each.offset + each.capacity * (mapped.code_size + 8) > size:
            raise _damaged(path)
    if total != index.ntotal:
        raise _damaged(path)
    return mapped


def _damaged(path: Path) -> BundleError:
    return BundleError(f"{path} is missing or damaged.", REBUILD)
