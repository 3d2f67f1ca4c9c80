"""Unit vectors searched by cosine: exactly up to 100,000, above that in inverted lists tuned to find 0.99 of the same.

The only file that knows FAISS. A file is mapped, not read: what a search does not touch costs no memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dermnote.errors import BundleError
from dermnote.index.faiss_header import FLAT, IVF, REBUILD, checked_kind
from dermnote.index.recall import recall_at_k, smallest_nprobe, without_own
from dermnote.vectors import Rows, Vectors, unit_rows

EXACT_UP_TO = 100_000  # vectors; a query takes 9 ms there, exact and deterministic, with nothing to train
RECALL_TARGET = 0.99
RECALL_AT = 10
TUNING_QUERIES = 1000
TRAINING_VECTORS_PER_LIST = 64


@dataclass(frozen=True)
class ListSettings:
    """How inverted lists are searched, and what that was measured to find.

    Attributes:
        nlist: Lists, each of the vectors around one centre.
        nprobe: Lists a query looks at.
        recall_at_10: Mean recall by kind of query ("image", "text"), each query's own case left out of both answers.
        queries: Cases drawn for that, none of which the centres were trained on.
        kind: FAISS's word for the index.
    """

    nlist: int
    nprobe: int
    recall_at_10: dict[str, float]
    queries: int
    kind: str = "IVF,Flat"


class VectorIndex:
    """n unit vectors of width d, searched by cosine. Row number = position when built.

    Args:
        index: FAISS index, flat or inverted lists.
        settings: Of inverted lists; None for an exact index.
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
        """An index of these vectors; equal input gives an equal index.

        Args:
            vectors: (n, d) float32, unit rows.
            queries: By kind, (n, d) unit rows of what the index will be asked with, row for row of the same case as
                `vectors`: a sample of these tunes the inverted lists, for the kind that finds least. None: `vectors`.
            exact_up_to: Up to so many vectors the index is exact.
            what: The vectors are of, for the message if one is wrong.

        Raises:
            IndexQueryError: Vectors that are not unit rows.
        """
        import faiss

        vectors = unit_rows(vectors, what)
        rows, dim = vectors.shape
        if rows <= exact_up_to:
            flat = faiss.IndexFlatIP(dim)
            flat.add(vectors)
            return cls(flat)
        random = np.random.default_rng(0)
        shuffled = random.permutation(rows)
        asked = np.sort(shuffled[: min(TUNING_QUERIES, rows // 4)])
        nlist = round(4 * math.sqrt(rows))
        lists = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, nlist, faiss.METRIC_INNER_PRODUCT)
        lists.cp.spherical = True
        lists.cp.min_points_per_centroid = 1  # no warning on the terminal where a test makes lists of few vectors
        training = np.sort(shuffled[len(asked) :][: nlist * TRAINING_VECTORS_PER_LIST])
        lists.train(vectors[training])
        lists.add(vectors)
        return cls(lists, _tune(lists, vectors, queries or {"image": vectors}, asked))

    def search(self, queries: Vectors, k: int, among: Rows | None = None) -> tuple[Vectors, Rows]:
        """The k nearest of each query, best first.

        Args:
            queries: (q, d) float32, unit rows.
            k: From 1 to the number of vectors searched.
            among: Rows to search alone, exactly; None searches all.

        Returns:
            Cosines and rows, both (q, k).
        """
        if among is not None:
            return self._search_among(queries, k, among)
        if self.settings is None:
            scores, rows = self._index.search(queries, k)
            return scores, rows
        nlist = self.settings.nlist
        nprobe = min(nlist, self.settings.nprobe * math.ceil(k / RECALL_AT))  # further answers lie in further lists
        scores, rows = _probe(self._index, queries, k, nprobe)
        if (rows < 0).any():  # those lists hold fewer than k
            scores, rows = _probe(self._index, queries, k, nlist)
        return scores, rows

    def _search_among(self, queries: Vectors, k: int, among: Rows) -> tuple[Vectors, Rows]:
        import faiss

        marks = np.zeros(len(self), dtype=np.uint8)
        marks[among] = 1
        bits = np.packbits(marks, bitorder="little")
        chosen: Any = faiss.IDSelectorBitmap  # FAISS's own type stubs do not know its arguments
        kind: Any = faiss.SearchParameters if self.settings is None else faiss.SearchParametersIVF
        every = {} if self.settings is None else {"nprobe": self.settings.nlist}  # the few may lie in any list
        scores, rows = self._index.search(queries, k, params=kind(sel=chosen(bits), **every))
        return scores, rows

    def vectors(self) -> Vectors:
        """All of them, (n, d), in memory."""
        return self._stretch(0, len(self))

    def reconstruct(self, row: int) -> Vectors:
        """The vector of a row, (d,). Of inverted lists it is looked for in all of them."""
        vector: Vectors = self._stretch(row, 1)[0]
        return vector

    def _stretch(self, first: int, count: int) -> Vectors:
        if self.settings is not None:
            self._index.make_direct_map()
        vectors: Vectors = self._index.reconstruct_n(first, count)
        if self.settings is not None:
            self._index.make_direct_map(False)  # else it would be saved too
        return vectors

    def save(self, path: Path) -> None:
        """Writes the index as one FAISS file. The file must not be the one this index was loaded from."""
        import faiss

        mapped: Any = None if self.settings is None else faiss.downcast_InvertedLists(self._index.invlists)
        on_disk: Any = faiss.OnDiskInvertedLists
        if self.settings is None or not isinstance(mapped, on_disk):
            faiss.write_index(self._index, str(path))
            return
        lists = faiss.ArrayInvertedLists(mapped.nlist, mapped.code_size)  # as mapped, FAISS would write a path only
        mapped.copy_subset_to(lists, mapped.SUBSET_TYPE_ID_RANGE, 0, len(self))
        whole = faiss.IndexIVFFlat(self._index.quantizer, self.dim, mapped.nlist, faiss.METRIC_INNER_PRODUCT)
        whole.replace_invlists(lists)
        whole.ntotal, whole.nprobe, whole.is_trained = len(self), self.settings.nprobe, True
        faiss.write_index(whole, str(path))

    @classmethod
    def load(cls, path: Path, dim: int, settings: Mapping[str, Any] | None = None) -> VectorIndex:
        """Maps a file that `save` wrote. Its checksum must have been checked before; it must not be changed in place.

        Args:
            path: The file.
            dim: Width its vectors must have.
            settings: What `settings_json` said when it was saved; None for an exact index.

        Raises:
            BundleError: Missing, damaged, or not an index of that width and kind.
        """
        import faiss

        kind = checked_kind(path, dim)
        if kind != (FLAT if settings is None else IVF):
            raise BundleError(f"{path} is not the kind of index that index.json says.", REBUILD)
        flag = faiss.IO_FLAG_MMAP_IFC if kind == FLAT else faiss.IO_FLAG_MMAP  # each maps only its own kind
        try:
            index: Any = faiss.read_index(str(path), flag)
            known = None if settings is None else ListSettings(**settings)
        except (RuntimeError, TypeError) as error:  # FAISS says it with a C++ path and line
            raise BundleError(f"{path} is missing or damaged.", REBUILD) from error
        if index.d != dim or index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise BundleError(f"{path} is not a cosine index of width {dim}.", REBUILD)
        if known is not None:
            lists = _checked_lists(path, index, known)
            # A search would start 32 threads to read ahead: 1.3 ms a query instead of 0.1 (200,000 vectors of 128)
            lists.prefetch_nthread = 0
        return cls(index, known)

    def settings_json(self) -> dict[str, Any] | None:
        """What `load` has to be told beside the file; None for an exact index."""
        return None if self.settings is None else asdict(self.settings)


def _probe(index: Any, queries: Vectors, k: int, nprobe: int) -> tuple[Vectors, Rows]:
    import faiss

    parameters: Any = faiss.SearchParametersIVF  # FAISS's own type stubs do not know its arguments
    scores, rows = index.search(queries, k, params=parameters(nprobe=nprobe))
    return scores, rows


def _tune(lists: Any, vectors: Vectors, queries: Mapping[str, Vectors], asked: Rows) -> ListSettings:
    """Each query's own case is left out of both answers, so that none is helped by a member that is itself."""
    import faiss

    k = min(RECALL_AT + 1, len(vectors))
    samples = {kind: np.ascontiguousarray(given[asked], dtype=np.float32) for kind, given in queries.items()}
    exact = {}
    for kind, sample in samples.items():
        exact[kind] = without_own(*faiss.knn(sample, vectors, k, metric=faiss.METRIC_INNER_PRODUCT), asked)

    def measure(nprobe: int) -> dict[str, Any]:
        found = {kind: without_own(*_probe(lists, sample, k, nprobe), asked) for kind, sample in samples.items()}
        return {kind: recall_at_k(found[kind], exact[kind]) for kind in samples}

    lists.nprobe = smallest_nprobe(measure, lists.nlist, RECALL_TARGET)
    recall = {kind: round(float(shares.mean()), 5) for kind, shares in measure(lists.nprobe).items()}
    return ListSettings(lists.nlist, lists.nprobe, recall, len(asked))


def _checked_lists(path: Path, index: Any, settings: ListSettings) -> Any:
    """The mapped lists. A list beyond the file's end would kill the process when it is read."""
    import faiss

    mapped: Any = faiss.downcast_InvertedLists(index.invlists)
    if index.nlist != settings.nlist or settings.nprobe not in range(1, settings.nlist + 1):
        raise BundleError(f"{path} is not the index that index.json describes.", REBUILD)
    size, held = path.stat().st_size, 0
    for number in range(index.nlist):
        each = mapped.lists.at(number)
        held += each.size
        if each.size and each.offset + each.capacity * (mapped.code_size + 8) > size:
            raise BundleError(f"{path} is missing or damaged.", REBUILD)
    if held != index.ntotal:
        raise BundleError(f"{path} is missing or damaged.", REBUILD)
    return mapped
