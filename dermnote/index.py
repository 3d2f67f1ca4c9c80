"""The published cases, searchable: exact FAISS indexes over pictures and notes beside one table of cases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dermnote.case import LesionMetadata
from dermnote.errors import BundleError, IndexQueryError
from dermnote.hit import Hit

if TYPE_CHECKING:
    import pandas as pd

    Vectors = np.ndarray[Any, np.dtype[np.float32]]

__all__ = ["TABLE_COLUMNS", "CaseIndex", "Hit"]

INDEX_FORMAT = 1
TABLE_COLUMNS = ("case_id", "source", "split", "note", *(field.name for field in fields(LesionMetadata)))
UNIT_TOLERANCE = 1e-3
REBUILD = "Make the bundle again with `python -m train.build_index`."


class CaseIndex:
    """Cases with one picture vector and (multimodal) one note vector each, searched exactly by cosine.

    Args:
        table: One row a case, `TABLE_COLUMNS`; row number = FAISS id.
        thumbnails: One JPEG (or None) a case, in the same order.
        images: FAISS index of the pictures.
        notes: FAISS index of the notes as written; None for an image-only model.
        fingerprint: Of the model whose vectors these are.
    """

    def __init__(
        self, table: pd.DataFrame, thumbnails: Sequence[bytes | None], images: Any, notes: Any | None, fingerprint: str
    ) -> None:
        self.table, self.thumbnails = table, thumbnails
        self._images, self._notes = images, notes
        self._rows: list[dict[str, Any]] = table.astype(object).where(table.notna(), None).to_dict("records")
        self.fingerprint = fingerprint
        for name, index in (("pictures", images), ("notes", notes)):
            if index is not None and index.ntotal != len(table):
                raise BundleError(f"The index has {index.ntotal} {name} for {len(table)} cases.", REBUILD)
        if len(thumbnails) != len(table):
            raise BundleError(f"The index has {len(thumbnails)} thumbnails for {len(table)} cases.", REBUILD)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def has_notes(self) -> bool:
        """Whether notes can be searched."""
        return self._notes is not None

    @classmethod
    def build(
        cls,
        case_table: pd.DataFrame,
        image_vectors: Vectors,
        text_vectors: Vectors | None,
        thumbnails: Sequence[bytes | None],
        fingerprint: str,
    ) -> CaseIndex:
        """An index of these cases.

        Args:
            case_table: One row a case; of its columns `TABLE_COLUMNS` are kept, missing ones left empty.
            image_vectors: (n, d) float32, unit rows.
            text_vectors: (n, d) float32, unit rows, of each case's note as written; None without a text branch.
            thumbnails: n JPEGs (None where there is none).
            fingerprint: The model's (`DermNoteConfig.fingerprint`).

        Raises:
            IndexQueryError: No cases, or vectors that are not unit rows, one a case.
        """
        if len(case_table) == 0:
            raise IndexQueryError("An index needs at least one case.", "Choose other --splits or --sources.")
        table = case_table.reindex(columns=list(TABLE_COLUMNS)).reset_index(drop=True)
        images = _flat_index(image_vectors, len(table), "picture")
        notes = None if text_vectors is None else _flat_index(text_vectors, len(table), "note")
        return cls(table, list(thumbnails), images, notes, fingerprint)

    def save(self, folder: str | Path) -> None:
        """Writes images.faiss, notes.faiss (if any), cases.parquet and index.json; equal input gives equal bytes."""
        import faiss
        import pyarrow as pa
        import pyarrow.parquet as pq

        root = Path(folder)
        root.mkdir(parents=True, exist_ok=True)
        faiss.write_index(self._images, str(root / "images.faiss"))
        if self._notes is not None:
            faiss.write_index(self._notes, str(root / "notes.faiss"))
        columns = pa.Table.from_pandas(self.table, preserve_index=False)
        thumbnails = pa.array(list(self.thumbnails), type=pa.binary())
        pq.write_table(columns.append_column("thumbnail", thumbnails), root / "cases.parquet")
        about = {
            "format": INDEX_FORMAT,
            "metric": "cosine",
            "dim": int(self._images.d),
            "cases": len(self),
            "notes": self.has_notes,
            "fingerprint": self.fingerprint,
        }
        (root / "index.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path, expected_fingerprint: str | None = None) -> CaseIndex:
        """Reads what `save` wrote. The folder's checksums must have been checked before (`verify_manifest`).

        Raises:
            BundleError: Missing, damaged, of another format, or made by a model with another fingerprint.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        root = Path(folder)
        about = _read_about(root, expected_fingerprint)
        try:
            table = pq.read_table(root / "cases.parquet")
            thumbnails = table.column("thumbnail").to_pylist()
            cases = table.drop_columns(["thumbnail"]).to_pandas()
        except (OSError, KeyError, pa.ArrowException) as error:
            raise BundleError(f"{root / 'cases.parquet'} is missing or damaged.", REBUILD) from error
        images = _read_index(root / "images.faiss", about["dim"])
        notes = _read_index(root / "notes.faiss", about["dim"]) if about["notes"] else None
        return cls(cases, thumbnails, images, notes, about["fingerprint"])

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

    def _need_notes(self) -> Any:
        if self._notes is None:
            raise IndexQueryError(
                "This model was trained on pictures alone: it has no notes to search, and no text to search with.",
                "Use a bundle with a text branch, or search for similar pictures.",
            )
        return self._notes

    def _search(self, index: Any, vector: Vectors, k: int) -> list[Hit]:
        """k larger than the index gives all of it; a query that is not of unit length is brought to it."""
        if isinstance(k, bool) or int(k) != k or k < 1:
            raise IndexQueryError(f"k must be a whole number from 1, not {k}.")
        query = np.ascontiguousarray(np.asarray(vector, dtype=np.float32).reshape(1, -1))
        if query.shape[1] != index.d:
            raise IndexQueryError(f"The query has {query.shape[1]} numbers, this index takes {index.d}.")
        norm = float(np.linalg.norm(query))
        if not np.isfinite(norm) or norm == 0:
            raise IndexQueryError("The query vector is not finite, or zero.")
        scores, rows = index.search(query / norm, min(int(k), len(self)))
        return [self._hit(int(row), float(score)) for row, score in zip(rows[0], scores[0], strict=True)]

    def _hit(self, row: int, score: float) -> Hit:
        case = self._rows[row]
        known = LesionMetadata.from_mapping(case).to_mapping()
        return Hit(
            case_id=str(case["case_id"]),
            score=max(-1.0, min(1.0, score)),  # rounding can pass 1 by a hair
            label=known.pop("label", ""),
            note=case["note"] or "",
            source=case["source"] or "",
            split=case["split"] or "",
            thumbnail_jpeg=self.thumbnails[row],
            **known,
        )


def _flat_index(vectors: Vectors, rows: int, what: str) -> Any:
    import faiss

    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != rows:
        raise IndexQueryError(f"{rows} cases need a ({rows}, d) array of {what} vectors, not {vectors.shape}.")
    norms = np.linalg.norm(vectors, axis=1)
    if not np.all(np.abs(norms - 1) < UNIT_TOLERANCE):  # also false where a norm is NaN
        raise IndexQueryError(f"A {what} vector is not of unit length (NaN, zero or not normalised).")
    index = faiss.IndexFlatIP(vectors.shape[1])  # exact and deterministic; 9 ms a query at 100,000 cases
    index.add(vectors)
    return index


def _read_about(root: Path, expected_fingerprint: str | None) -> dict[str, Any]:
    path = root / "index.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        values = {"dim": int(about["dim"]), "notes": bool(about["notes"]), "fingerprint": str(about["fingerprint"])}
        version = about["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path} is missing or not readable.", REBUILD) from error
    if version != INDEX_FORMAT:
        raise BundleError(f"{path} has index format {version}; this DermNote reads format {INDEX_FORMAT}.", REBUILD)
    if expected_fingerprint is not None and values["fingerprint"] != expected_fingerprint:
        raise BundleError(f"The index in {root} was made by another model than the one beside it.", REBUILD)
    return values


def _read_index(path: Path, dim: int) -> Any:
    import faiss

    try:
        index = faiss.read_index(str(path))
    except RuntimeError as error:  # FAISS says it with a C++ path and line
        raise BundleError(f"{path} is missing or damaged.", REBUILD) from error
    if index.d != dim or index.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise BundleError(f"{path} is not a cosine index of width {dim}.", REBUILD)
    return index
