"""The cases dataset: its columns, its folder, and reading it.

A folder holds `data/SPLIT-*.parquet` (the Hugging Face layout: `datasets.load_dataset(folder)` works too), `README.md`,
`summary.json` and `rejected.csv`. `python -m train.prepare` writes it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dermnote.case import LesionMetadata
from dermnote.errors import CasesError

SPLITS = ("train", "validation", "test", "external")
REMAKE = "Make it with `python -m train.prepare`."

# name -> (Arrow type, Hugging Face dtype); `image` stands apart because it is a picture to `datasets`.
COLUMNS: dict[str, pa.DataType] = {
    "case_id": pa.string(),
    "source": pa.string(),
    "modality": pa.string(),
    "image": pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    "class_id": pa.int64(),
    "label": pa.string(),
    "malignancy": pa.string(),
    "subtype": pa.string(),
    "description": pa.string(),
    "age": pa.float64(),
    "sex": pa.string(),
    "site": pa.string(),
    "skin_type": pa.string(),
    "group": pa.string(),
    "split": pa.string(),
    "extra": pa.string(),
    "crop": pa.string(),
    "content_sha256": pa.string(),
}


def features() -> dict[str, dict[str, str]]:
    """The columns as Hugging Face `datasets` features."""
    names = {pa.string(): "string", pa.int64(): "int64", pa.float64(): "float64"}
    return {
        name: {"_type": "Image"} if name == "image" else {"dtype": names[kind], "_type": "Value"}
        for name, kind in COLUMNS.items()
    }


def schema() -> pa.Schema:
    """The Arrow schema, with the metadata by which `datasets` knows that `image` is a picture."""
    metadata = {"huggingface": json.dumps({"info": {"features": features()}})}
    return pa.schema(list(COLUMNS.items()), metadata=metadata)


class JpegColumn(Sequence[bytes]):
    """JPEG bytes by row, out of Arrow memory: a selection shares it, and nothing is decoded or copied in advance."""

    def __init__(self, column: pa.ChunkedArray, rows: np.ndarray | None = None) -> None:
        self._column = column
        self._starts = np.cumsum([0, *(len(chunk) for chunk in column.chunks)])
        self._rows = np.arange(len(column)) if rows is None else rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> JpegColumn: ...
    def __getitem__(self, index: int | slice) -> bytes | JpegColumn:
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        row = int(self._rows[index])
        chunk = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self._column.chunk(chunk)[row - int(self._starts[chunk])].as_py()

    def take(self, rows: np.ndarray) -> JpegColumn:
        """The given rows, in that order."""
        return JpegColumn(self._column, self._rows[rows])


@dataclass(frozen=True)
class Cases:
    """Cases read from a folder.

    Attributes:
        table: One row a case, every column but `image`, index 0..n-1. Missing values are NaN or None.
        images: JPEG bytes in the same order.
        classnames: Class names by class id.
        summary: What `summary.json` says of the whole folder (sources, licences, counts, seed).
    """

    table: pd.DataFrame
    images: Sequence[bytes]
    classnames: tuple[str, ...]
    summary: dict[str, Any]

    def __len__(self) -> int:
        return len(self.table)

    @classmethod
    def read(
        cls, folder: str | Path, *, splits: Sequence[str] | None = None, sources: Sequence[str] | None = None
    ) -> Cases:
        """Reads a cases folder, or the splits and sources of it that are named.

        Raises:
            CasesError: The folder is missing or incomplete, a name is unknown, or no case is left.
        """
        folder = Path(folder)
        summary = read_summary(folder)
        wanted = _known(splits, SPLITS, "split", folder)
        filters = [("source", "in", list(_known(sources, summary["sources"], "source", folder)))] if sources else None
        parts = [path for split in wanted for path in sorted((folder / "data").glob(f"{split}-*.parquet"))]
        if not parts:
            raise CasesError(f"{folder} has no cases in {', '.join(wanted)}.", REMAKE)
        try:
            read = [pq.read_table(path, columns=list(COLUMNS), filters=filters, partitioning=None) for path in parts]
            whole = pa.concat_tables(each.replace_schema_metadata(None) for each in read)
        except (pa.ArrowException, OSError) as error:
            raise CasesError(f"{folder} cannot be read: one of its Parquet files is damaged.", REMAKE) from error
        if not whole.num_rows:
            raise CasesError(f"{folder} has no cases in {', '.join(wanted)} of {', '.join(sources or ())}.", REMAKE)
        jpegs = pa.chunked_array([chunk.field("bytes") for chunk in whole["image"].chunks], pa.binary())
        table = whole.drop_columns(["image"]).to_pandas()
        return cls(table, JpegColumn(jpegs), tuple(summary["classnames"]), summary)

    def select(self, rows: np.ndarray | Sequence[int] | Sequence[bool] | pd.Series) -> Cases:
        """The cases under a boolean mask of length n, or at the given row numbers in that order."""
        chosen = np.asarray(rows)
        chosen = np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(np.int64)
        images = self.images
        picked = images.take(chosen) if isinstance(images, JpegColumn) else [images[i] for i in chosen]
        return Cases(self.table.iloc[chosen].reset_index(drop=True), picked, self.classnames, self.summary)

    def metadata(self, index: int) -> LesionMetadata:
        """What is known of one case besides its picture."""
        return LesionMetadata.from_mapping(self.table.iloc[index].to_dict())


def read_summary(folder: str | Path) -> dict[str, Any]:
    """The `summary.json` of a cases folder; CasesError if there is none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise CasesError(f"The cases folder {folder} is not there.", REMAKE)
    try:
        summary: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CasesError(f"{folder} has no summary.json, so it is not a cases folder.", REMAKE) from error
    except ValueError as error:
        raise CasesError(f"{folder / 'summary.json'} is not valid JSON.", REMAKE) from error
    return summary


def _known(asked: Sequence[str] | None, known: Sequence[str], what: str, folder: Path) -> tuple[str, ...]:
    for name in asked or ():
        if name not in known:
            raise CasesError(f"{folder} has no {what} '{name}'.", f"It has: {', '.join(known)}.")
    return tuple(asked or known)
