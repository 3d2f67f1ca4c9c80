"""The published cases, searchable: FAISS indexes over pictures and notes beside one table of cases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dermnote.case import LesionMetadata
from dermnote.case_table import TABLE_COLUMNS, THUMBNAIL, CaseTable, MemoryTable, ParquetTable, Thumbnails, write_table
from dermnote.errors import BundleError, IndexQueryError
from dermnote.faiss_file import REBUILD
from dermnote.faiss_index import EXACT_UP_TO, VectorIndex, Vectors
from dermnote.hit import Hit
from dermnote.storage import replacing_file

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TABLE_COLUMNS", "CaseIndex", "Hit"]

INDEX_FORMAT = 1  # inverted lists are told of in "lists"; without it both files are flat, as all were at first


class CaseIndex:
    """Cases with one picture vector and (multimodal) one note vector each, searched by cosine.

    Exact up to `dermnote.faiss_index.EXACT_UP_TO` cases; above, tuned to find 0.99 of the exact ten nearest.

    Args:
        cases: One row a case; row number = FAISS id.
        images: Index of the pictures.
        notes: Index of the notes as written; None for an image-only model.
        fingerprint: Of the model whose vectors these are.
    """

    def __init__(self, cases: CaseTable, images: VectorIndex, notes: VectorIndex | None, fingerprint: str) -> None:
        self._cases, self._images, self._notes = cases, images, notes
        self.fingerprint = fingerprint
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
        _check_rows(image_vectors, len(table), "picture")
        asked = {"image": image_vectors}  # pictures ask for pictures and for notes, notes only for pictures
        if text_vectors is None:
            images, notes = VectorIndex.build(image_vectors, asked, exact_up_to, "picture"), None
        else:
            _check_rows(text_vectors, len(table), "note")
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
        about = _read_about(root, expected_fingerprint)
        cases = ParquetTable(root / "cases.parquet")
        dim, lists = about["dim"], about["lists"]
        images = VectorIndex.load(root / "images.faiss", dim, lists.get("images"))
        notes = VectorIndex.load(root / "notes.faiss", dim, lists.get("notes")) if about["notes"] else None
        return cls(cases, images, notes, about["fingerprint"])

    def search_notes(self, image_vector: Vectors, k: int = 5) -> list[Hit]:
        """The k cases whose notes are nearest to a picture, best first (picture to note)."""
        return self._search(self._need_notes(), image_vector, k)

    def search_images(self, text_vector: Vectors, k: int = 5) -> list[Hit]:
        """The k cases whose pictures are nearest to a text, best first (text to picture)."""
        self._need_notes()
        return self._search(self._images, text_vector, k)

    def search_similar(self, image_vector: Vectors, k: int = 5) -> list[Hit]:
        """The k cases whose pictures are nearest to a picture, best first."""
        return self._search(self._images, image_vector, k)

    def _need_notes(self) -> VectorIndex:
        if self._notes is None:
            raise IndexQueryError(
                "This model was trained on pictures alone: it has no notes to search, and no text to search with.",
                "Use a bundle with a text branch, or search for similar pictures.",
            )
        return self._notes

    def _search(self, index: VectorIndex, vector: Vectors, k: int) -> list[Hit]:
        """k larger than the index gives all of it; a query that is not of unit length is brought to it."""
        if isinstance(k, bool) or int(k) != k or k < 1:
            raise IndexQueryError(f"k must be a whole number from 1, not {k}.")
        query = np.ascontiguousarray(np.asarray(vector, dtype=np.float32).reshape(1, -1))
        if query.shape[1] != index.dim:
            raise IndexQueryError(f"The query has {query.shape[1]} numbers, this index takes {index.dim}.")
        norm = float(np.linalg.norm(query))
        if not np.isfinite(norm) or norm == 0:
            raise IndexQueryError("The query vector is not finite, or zero.")
        scores, rows = index.search(query / norm, min(int(k), len(self)))
        return [self._hit(int(row), float(score)) for row, score in zip(rows[0], scores[0], strict=True)]

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
            thumbnail_jpeg=case[THUMBNAIL],
            **known,
        )


def _check_rows(vectors: Vectors, rows: int, what: str) -> None:
    if np.ndim(vectors) != 2 or len(vectors) != rows:
        raise IndexQueryError(f"{rows} cases need a ({rows}, d) array of {what} vectors, not {np.shape(vectors)}.")


def _read_about(root: Path, expected_fingerprint: str | None) -> dict[str, Any]:
    path = root / "index.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        values = {"dim": int(about["dim"]), "notes": bool(about["notes"]), "fingerprint": str(about["fingerprint"])}
        values["lists"] = {str(name): dict(each) for name, each in about.get("lists", {}).items()}
        version = about["format"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{path} is missing or not readable.", REBUILD) from error
    if version != INDEX_FORMAT:
        raise BundleError(f"{path} has index format {version}; this DermNote reads format {INDEX_FORMAT}.", REBUILD)
    if expected_fingerprint is not None and values["fingerprint"] != expected_fingerprint:
        raise BundleError(f"The index in {root} was made by another model than the one beside it.", REBUILD)
    return values
