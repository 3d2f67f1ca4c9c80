"""The published cases, searchable: FAISS indexes over pictures and notes beside one table of cases."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from dermnote.errors import BundleError, IndexQueryError
from dermnote.index.case_filter import CaseFilter, Where
from dermnote.index.case_table import TABLE_COLUMNS, THUMBNAIL, CaseTable, MemoryTable, ParquetTable, write_table
from dermnote.index.faiss_header import REBUILD
from dermnote.index.faiss_index import EXACT_UP_TO, VectorIndex
from dermnote.index.hit import Hit
from dermnote.index.index_info import INDEX_FORMAT, read_about
from dermnote.index.thumbnails import Chained, Picked, Thumbnails
from dermnote.metadata import LesionMetadata
from dermnote.storage import replacing_file
from dermnote.vectors import Vectors, check_rows, unit_queries

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TABLE_COLUMNS", "CaseIndex", "Hit"]

Side = Literal["images", "notes"]


class CaseIndex:
    """Cases with one picture vector and (multimodal) one note vector each, searched by cosine.

    Exact up to `dermnote.index.faiss_index.EXACT_UP_TO` cases; above, tuned to find 0.99 of the exact ten nearest.

    Args:
        cases: One row a case; row number = FAISS id.
        images: Index of the pictures.
        notes: Index of the notes as written; None for an image-only model.
        fingerprint: Of the model whose vectors these are.
    """

    def __init__(self, cases: CaseTable, images: VectorIndex, notes: VectorIndex | None, fingerprint: str) -> None:
        self._cases, self._images, self._notes = cases, images, notes
        self.fingerprint = fingerprint
        self._filter = CaseFilter(cases)
        for name, index in (("pictures", images), ("notes", notes)):
            if index is not None and len(index) != len(cases):
                raise BundleError(f"The index has {len(index)} {name} for {len(cases)} cases.", REBUILD)

    def __len__(self) -> int:
        return len(self._cases)

    @property
    def has_notes(self) -> bool:
        """Whether notes can be searched."""
        return self._notes is not None

    @cached_property
    def table(self) -> pd.DataFrame:
        """All that is known of all cases, read when first asked for; `columns` reads less."""
        return self._cases.frame()

    def columns(self, *names: str) -> pd.DataFrame:
        """These of `TABLE_COLUMNS`, of all cases."""
        return self._cases.frame(names)

    @property
    def thumbnails(self) -> Sequence[bytes | None]:
        """One JPEG (or None) a case, each read when it is asked for."""
        return Thumbnails(self._cases)

    def thumbnail(self, case_id: str) -> bytes | None:
        """A case's JPEG; None for one without.

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
        """An index of these cases.

        Args:
            case_table: One row a case; of its columns `TABLE_COLUMNS` are kept, missing ones left empty.
            image_vectors: (n, d) float32, unit rows.
            text_vectors: (n, d) float32, unit rows, of each case's note as written; None without a text branch.
            thumbnails: n JPEGs (None where there is none); asked for one by one when the index is saved.
            fingerprint: The model's (`DermNoteConfig.fingerprint`).
            exact_up_to: Up to so many cases every search is exact; above, inverted lists are trained and tuned.

        Raises:
            IndexQueryError: No cases, or vectors that are not unit rows, one a case.
        """
        if len(case_table) == 0:
            raise IndexQueryError("An index needs at least one case.", "Choose other --splits or --sources.")
        table = case_table.reindex(columns=list(TABLE_COLUMNS)).reset_index(drop=True)
        if len(thumbnails) != len(table):
            raise BundleError(f"The index has {len(thumbnails)} thumbnails for {len(table)} cases.", REBUILD)
        check_rows(image_vectors, len(table), "picture")
        asked = {"image": image_vectors}  # pictures ask for pictures and for notes, notes only for pictures
        if text_vectors is None:
            images, notes = VectorIndex.build(image_vectors, asked, exact_up_to, "picture"), None
        else:
            check_rows(text_vectors, len(table), "note")
            images = VectorIndex.build(image_vectors, {**asked, "text": text_vectors}, exact_up_to, "picture")
            notes = VectorIndex.build(text_vectors, asked, exact_up_to, "note")
        return cls(MemoryTable(table, thumbnails), images, notes, fingerprint)

    def save(self, folder: str | Path) -> None:
        """Writes images.faiss, notes.faiss (if any), cases.parquet and index.json; equal input gives equal bytes."""
        root = Path(folder)
        about: dict[str, Any] = {
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
                with replacing_file(root / f"{name}.faiss") as aside:  # this index may be mapped from that very file
                    index.save(aside)
                if index.settings is not None:
                    lists[name] = index.settings_json()
        with replacing_file(root / "cases.parquet") as aside:
            write_table(self._cases, aside)
        if lists:
            about["lists"] = lists
        with replacing_file(root / "index.json") as aside:
            aside.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path, expected_fingerprint: str | None = None) -> CaseIndex:
        """Maps what `save` wrote: rows, thumbnails and vectors are read when a search needs them.

        The folder's checksums must have been checked before (`verify_manifest`), and its files must not be changed in
        place while the index is in use; replacing a file by another, as `save` does, is safe.

        Raises:
            BundleError: Missing, damaged, of another format, or made by a model with another fingerprint.
        """
        root = Path(folder)
        about = read_about(root, expected_fingerprint)
        cases = ParquetTable(root / "cases.parquet")
        dim, lists = about["dim"], about["lists"]
        images = VectorIndex.load(root / "images.faiss", dim, lists.get("images"))
        notes = VectorIndex.load(root / "notes.faiss", dim, lists.get("notes")) if about["notes"] else None
        return cls(cases, images, notes, about["fingerprint"])

    def search_notes(self, image_vector: Vectors, k: int = 5, where: Where | None = None) -> list[Hit]:
        """The k cases whose notes are nearest to a picture, best first (picture to note); see `search`."""
        return self.search(np.reshape(image_vector, (1, -1)), k, "notes", where)[0]

    def search_images(self, text_vector: Vectors, k: int = 5, where: Where | None = None) -> list[Hit]:
        """The k cases whose pictures are nearest to a text, best first (text to picture); see `search`."""
        self._need_notes()
        return self.search(np.reshape(text_vector, (1, -1)), k, "images", where)[0]

    def search_similar(self, image_vector: Vectors, k: int = 5, where: Where | None = None) -> list[Hit]:
        """The k cases whose pictures are nearest to a picture, best first; see `search`."""
        return self.search(np.reshape(image_vector, (1, -1)), k, "images", where)[0]

    def search(
        self, queries: Vectors, k: int = 5, side: Side = "images", where: Where | None = None
    ) -> list[list[Hit]]:
        """The k nearest cases of each query, best first; scores are cosines.

        Args:
            queries: (q, d); a query that is not of unit length is brought to it.
            k: Larger than what is searched gives all of it.
            side: What of the cases is compared: their "images" or their "notes".
            where: Only cases that fit, e.g. {"label": "melanoma", "source": ["milk10k", "ham10000"]}: any of
                `dermnote.index.case_filter.FIELDS`. Such a search is always exact.

        Raises:
            IndexQueryError: A query of another width, zero or not finite; k under 1; a field or value nobody knows.
        """
        if side not in get_args(Side):
            raise IndexQueryError(f"side must be one of {', '.join(get_args(Side))}, not {side!r}.")
        index = self._need_notes() if side == "notes" else self._images
        vectors = unit_queries(queries, index.dim)
        if isinstance(k, bool) or int(k) != k or k < 1:
            raise IndexQueryError(f"k must be a whole number from 1, not {k}.")
        among = self._filter.rows(where)
        k = min(int(k), len(self) if among is None else len(among))
        if k == 0 or not len(vectors):
            return [[] for _ in vectors]
        scores, rows = index.search(vectors, k, among)
        return [
            [self._hit(int(row), float(score)) for row, score in zip(*found, strict=True)]
            for found in zip(rows, scores, strict=True)
        ]

    def add(
        self,
        case_table: pd.DataFrame,
        image_vectors: Vectors,
        text_vectors: Vectors | None,
        thumbnails: Sequence[bytes | None],
        exact_up_to: int = EXACT_UP_TO,
    ) -> CaseIndex:
        """Another index, of these cases too (arguments as in `build`); this one stays as it is.

        The vectors must be of the model with this index's fingerprint.

        Raises:
            IndexQueryError: A case is there already or comes twice, or the vectors are of another kind or width.
        """
        import pandas as pd

        whole = pd.concat([self.table, case_table.reindex(columns=list(TABLE_COLUMNS))], ignore_index=True)
        again = whole["case_id"][whole["case_id"].duplicated()]
        if len(again):
            raise IndexQueryError(f"{len(again)} cases would be in the index twice, {again.iloc[0]} first.")
        if self.has_notes == (text_vectors is None):
            raise IndexQueryError("An index has notes of all cases or of none.", "Give what its first cases had.")
        check_rows(image_vectors, len(case_table), "picture", self._images.dim)
        images, notes = np.concatenate([self._images.vectors(), image_vectors]), None
        if self._notes is not None and text_vectors is not None:
            check_rows(text_vectors, len(case_table), "note", self._notes.dim)
            notes = np.concatenate([self._notes.vectors(), text_vectors])
        return self.build(whole, images, notes, Chained(self.thumbnails, thumbnails), self.fingerprint, exact_up_to)

    def remove(self, case_ids: Iterable[str], exact_up_to: int = EXACT_UP_TO) -> CaseIndex:
        """Another index, without these cases; this one stays as it is.

        Raises:
            IndexQueryError: A case that is not there, or no case would be left.
        """
        unwanted, names = set(case_ids), self.columns("case_id")["case_id"]
        if strangers := sorted(unwanted - set(names)):
            raise IndexQueryError(f"{len(strangers)} cases are not in the index, {strangers[0]} first.")
        kept = np.flatnonzero(~names.isin(unwanted))
        images = self._images.vectors()[kept]
        notes = None if self._notes is None else self._notes.vectors()[kept]
        return self.build(
            self.table.iloc[kept], images, notes, Picked(self.thumbnails, kept), self.fingerprint, exact_up_to
        )

    def _need_notes(self) -> VectorIndex:
        if self._notes is None:
            raise IndexQueryError(
                "This model was trained on pictures alone: it has no notes to search, and no text to search with.",
                "Use a bundle with a text branch, or search for similar pictures.",
            )
        return self._notes

    def _hit(self, row: int, score: float) -> Hit:
        case = self._cases.row(row)
        known = LesionMetadata.from_mapping(case).to_mapping()
        return Hit(
            case_id=str(case["case_id"]),
            score=max(-1.0, min(1.0, score)),  # rounding can pass 1 by a hair
            label=known.pop("label", ""),
            note=case["note"] or "",
            source=case["source"] or "",
            split=case["split"] or "",
            modality=case.get("modality"),  # indexes of before do not say
            thumbnail_jpeg=case[THUMBNAIL],
            **known,
        )
