"""Searchable index of the published cases: FAISS indexes over images and notes beside a table of cases."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from dermnote.errors import BundleError, IndexQueryError
from dermnote.index.case_table import TABLE_COLUMNS, THUMBNAIL, CaseTable, MemoryTable, ParquetTable, Thumbnails, Where
from dermnote.index.faiss_index import EXACT_UP_TO, REBUILD, VectorIndex, unit_queries
from dermnote.index.hit import Hit
from dermnote.index.recall import Vectors
from dermnote.storage import replacing_file

if TYPE_CHECKING:
    import pandas as pd

INDEX_FORMAT = 1  # inverted lists are described in "lists"; without it both files are flat
Side = Literal["images", "notes"]


class CaseIndex:
    """Cases with one image vector and (multimodal) one note vector each, searched by cosine.

    Exact up to `dermnote.index.faiss_index.EXACT_UP_TO` cases; above, tuned to find 0.99 of the exact ten nearest.

    Args:
        cases: One row for each case; row number = FAISS id.
        images: Index of the images.
        notes: Index of the notes as written; None for an image-only model.
        fingerprint: Of the model that made the vectors.
    """

    def __init__(self, cases: CaseTable, images: VectorIndex, notes: VectorIndex | None, fingerprint: str) -> None:
        self._cases, self._images, self._notes = cases, images, notes
        self.fingerprint = fingerprint
        for name, index in (("images", images), ("notes", notes)):
            if index is not None and len(index) != len(cases):
                raise BundleError(f"The index has {len(index)} {name} for {len(cases)} cases.", REBUILD)

    def __len__(self) -> int:
        return len(self._cases)

    @property
    def has_notes(self) -> bool:
        """True if notes can be searched."""
        return self._notes is not None

    @cached_property
    def table(self) -> pd.DataFrame:
        """All columns of all cases, read on first use; `columns` reads less."""
        return self._cases.frame()

    def columns(self, *names: str) -> pd.DataFrame:
        """Return some of `TABLE_COLUMNS`, of all cases."""
        return self._cases.frame(names)

    @property
    def thumbnails(self) -> Sequence[bytes | None]:
        """One JPEG (or None) for each case, each read on access."""
        return Thumbnails(len(self), lambda row: self._cases.row(row)[THUMBNAIL])

    def thumbnail(self, case_id: str) -> bytes | None:
        """Return a case's JPEG; None for a case without.

        Raises:
            IndexQueryError: There is no such case.
        """
        rows = np.flatnonzero(self.columns("case_id")["case_id"] == case_id)
        if not len(rows):
            raise IndexQueryError(f"No case of this index is called '{case_id}'.")
        return self.thumbnails[int(rows[0])]

    @classmethod
    def build(
        cls,
        case_table: pd.DataFrame,
        image_vectors: Vectors,
        text_vectors: Vectors | None,
        thumbnails: Sequence[bytes | None],
        fingerprint: str,
        exact_up_to: int = EXACT_UP_TO,
    ) -> CaseIndex:
        """Build an index of these cases.

        Args:
            case_table: One row for each case; `TABLE_COLUMNS` are kept, missing ones left empty.
            image_vectors: (n, d) float32, unit rows.
            text_vectors: (n, d) float32, unit rows, of each case's note as written; None without a text branch.
            thumbnails: n JPEGs (None for a case without); read one by one when the index is saved.
            fingerprint: The model's (`DermNoteConfig.fingerprint`).
            exact_up_to: Number of cases up to which every search is exact; above, inverted lists are trained.

        Raises:
            IndexQueryError: No cases, or vectors that are not one unit row for each case.
        """
        if len(case_table) == 0:
            raise IndexQueryError("An index needs at least one case.", "Choose other --splits or --sources.")
        table = case_table.reindex(columns=list(TABLE_COLUMNS)).reset_index(drop=True)
        if len(thumbnails) != len(table):
            raise BundleError(f"The index has {len(thumbnails)} thumbnails for {len(table)} cases.", REBUILD)
        _check_shape(image_vectors, len(table), "image")
        queries, notes = {"image": image_vectors}, None  # images search both sides, notes search images only
        if text_vectors is not None:
            _check_shape(text_vectors, len(table), "note")
            notes = VectorIndex.build(text_vectors, queries, exact_up_to, "note")
            queries = {**queries, "text": text_vectors}
        images = VectorIndex.build(image_vectors, queries, exact_up_to, "image")
        return cls(MemoryTable(table, thumbnails), images, notes, fingerprint)

    def save(self, folder: str | Path) -> None:
        """Write images.faiss, notes.faiss (if any), cases.parquet and index.json; equal input gives equal bytes."""
        root = Path(folder)
        info: dict[str, Any] = {
            "format": INDEX_FORMAT,
            "metric": "cosine",
            "dim": self._images.dim,
            "cases": len(self),
            "notes": self.has_notes,
            "fingerprint": self.fingerprint,
        }
        lists = {}
        for name, index in (("images", self._images), ("notes", self._notes)):
            if index is not None:
                with replacing_file(root / f"{name}.faiss") as temporary:  # this index may be mapped from that file
                    index.save(temporary)
                if index.settings is not None:
                    lists[name] = index.settings_json()
        with replacing_file(root / "cases.parquet") as temporary:
            self._cases.write(temporary)
        if lists:
            info["lists"] = lists
        with replacing_file(root / "index.json") as temporary:
            temporary.write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path, expected_fingerprint: str | None = None) -> CaseIndex:
        """Map a saved index: rows, thumbnails and vectors are read when a search needs them.

        The folder's checksums must have been checked before (`verify_manifest`), and its files must not be changed in
        place while the index is in use; replacing a file by another, as `save` does, is safe.

        Raises:
            BundleError: Missing, damaged, of another format, or made by a model with another fingerprint.
        """
        root = Path(folder)
        path = root / "index.json"
        try:
            info = json.loads(path.read_text(encoding="utf-8"))
            dim, has_notes, fingerprint = int(info["dim"]), bool(info["notes"]), str(info["fingerprint"])
            lists = {str(name): dict(each) for name, each in info.get("lists", {}).items()}
            version = info["format"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundleError(f"{path} is missing or not readable.", REBUILD) from error
        if version != INDEX_FORMAT:
            raise BundleError(f"{path} has index format {version}; this DermNote reads {INDEX_FORMAT}.", REBUILD)
        if expected_fingerprint not in (None, fingerprint):
            raise BundleError(f"The index in {root} was made by another model than the one beside it.", REBUILD)
        cases = ParquetTable(root / "cases.parquet")
        images = VectorIndex.load(root / "images.faiss", dim, lists.get("images"))
        notes = VectorIndex.load(root / "notes.faiss", dim, lists.get("notes")) if has_notes else None
        return cls(cases, images, notes, fingerprint)

    def search_notes(self, image_vector: Vectors, k: int = 5, where: Where | None = None) -> list[Hit]:
        """Return the k cases whose notes are nearest to an image, best first (image to note); see `search`."""
        return self.search(np.reshape(image_vector, (1, -1)), k, "notes", where)[0]

    def search_images(self, text_vector: Vectors, k: int = 5, where: Where | None = None) -> list[Hit]:
        """Return the k cases whose images are nearest to a text, best first (text to image); see `search`."""
        self._require_notes()
        return self.search(np.reshape(text_vector, (1, -1)), k, "images", where)[0]

    def search_similar(self, image_vector: Vectors, k: int = 5, where: Where | None = None) -> list[Hit]:
        """Return the k cases whose images are nearest to an image, best first; see `search`."""
        return self.search(np.reshape(image_vector, (1, -1)), k, "images", where)[0]

    def search(
        self, queries: Vectors, k: int = 5, side: Side = "images", where: Where | None = None
    ) -> list[list[Hit]]:
        """Return the k nearest cases of each query, best first; scores are cosines.

        Args:
            queries: (q, d); normalised if necessary.
            k: Maximum number of hits.
            side: Compared vectors: the cases' "images" or their "notes".
            where: Filter, e.g. {"label": "melanoma", "source": ["milk10k", "ham10000"]}: any of
                `dermnote.index.case_table.FILTER_COLUMNS`. A filtered search is always exact.

        Raises:
            IndexQueryError: A query of another width, zero or not finite; k under 1; an unknown column or value.
        """
        if side not in get_args(Side):
            raise IndexQueryError(f"side must be one of {', '.join(get_args(Side))}, not {side!r}.")
        index = self._require_notes() if side == "notes" else self._images
        vectors = unit_queries(queries, index.dim)
        if isinstance(k, bool) or int(k) != k or k < 1:
            raise IndexQueryError(f"k must be a whole number from 1, not {k}.")
        among = self._cases.matching(where)
        k = min(int(k), len(self) if among is None else len(among))
        if k == 0 or not len(vectors):
            return [[] for _ in vectors]
        scores, rows = index.search(vectors, k, among)
        return [
            [Hit.from_row(self._cases.row(int(row)), float(score)) for row, score in zip(*result, strict=True)]
            for result in zip(rows, scores, strict=True)
        ]

    def add(
        self,
        case_table: pd.DataFrame,
        image_vectors: Vectors,
        text_vectors: Vectors | None,
        thumbnails: Sequence[bytes | None],
        exact_up_to: int = EXACT_UP_TO,
    ) -> CaseIndex:
        """Return a new index with these cases added (arguments as in `build`); this one is unchanged.

        The vectors must be of the model with this index's fingerprint.

        Raises:
            IndexQueryError: A case is already present or duplicated, or the vectors are of another kind or width.
        """
        import pandas as pd

        combined = pd.concat([self.table, case_table.reindex(columns=list(TABLE_COLUMNS))], ignore_index=True)
        again = combined["case_id"][combined["case_id"].duplicated()]
        if len(again):
            raise IndexQueryError(f"{len(again)} cases would be in the index twice, {again.iloc[0]} first.")
        if self.has_notes == (text_vectors is None):
            raise IndexQueryError("An index has notes of all cases or of none.", "Add vectors of the same kinds.")
        _check_shape(image_vectors, len(case_table), "image", self._images.dim)
        images, notes = np.concatenate([self._images.vectors(), image_vectors]), None
        if self._notes is not None and text_vectors is not None:
            _check_shape(text_vectors, len(case_table), "note", self._notes.dim)
            notes = np.concatenate([self._notes.vectors(), text_vectors])
        old, count = self.thumbnails, len(self)
        jpegs = Thumbnails(count + len(thumbnails), lambda row: old[row] if row < count else thumbnails[row - count])
        return self.build(combined, images, notes, jpegs, self.fingerprint, exact_up_to)

    def remove(self, case_ids: Iterable[str], exact_up_to: int = EXACT_UP_TO) -> CaseIndex:
        """Return a new index without these cases; this one is unchanged.

        Raises:
            IndexQueryError: A case is not in the index, or no case would remain.
        """
        removed, names = set(case_ids), self.columns("case_id")["case_id"]
        if unknown := sorted(removed - set(names)):
            raise IndexQueryError(f"{len(unknown)} cases are not in the index, {unknown[0]} first.")
        kept, old = np.flatnonzero(~names.isin(removed)), self.thumbnails
        images = self._images.vectors()[kept]
        notes = None if self._notes is None else self._notes.vectors()[kept]
        jpegs = Thumbnails(len(kept), lambda row: old[int(kept[row])])
        return self.build(self.table.iloc[kept], images, notes, jpegs, self.fingerprint, exact_up_to)

    def _require_notes(self) -> VectorIndex:
        if self._notes is None:
            raise IndexQueryError(
                "This model was trained on pictures alone: it has no notes to search, and no text to search with.",
                "Use a bundle with a text branch, or search for similar pictures.",
            )
        return self._notes


def _check_shape(vectors: Vectors, rows: int, what: str, dim: int | None = None) -> None:
    if np.ndim(vectors) != 2 or len(vectors) != rows or dim not in (None, np.shape(vectors)[1]):
        expected = f"({rows}, {dim or 'd'})"
        raise IndexQueryError(f"{rows} cases need a {expected} array of {what} vectors, not {np.shape(vectors)}.")
