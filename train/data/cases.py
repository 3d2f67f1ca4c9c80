"""The cases dataset: its columns, its folder, and reading it.

A folder holds `data/SPLIT-*.parquet` (the Hugging Face layout: `datasets.load_dataset(folder)` works too), `README.md`,
`summary.json` and `rejected.csv`. `python -m train.prepare` writes it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dermnote.errors import CasesError

from .arrow_cache import PICTURES, mapped_files, picture_bytes
from .cases_source import cases_folder
from .jpeg_column import JpegColumn

SPLITS = ("train", "validation", "test", "external")
REMAKE = "Make it with `python -m train.prepare`."
# Pictures that together are smaller are read into memory, so that reading a small folder writes nothing anywhere.
IN_MEMORY_BYTES = 256e6
FEW = 3  # cases named in a message

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
        cls,
        folder: str | Path,
        *,
        splits: Sequence[str] | None = None,
        sources: Sequence[str] | None = None,
        in_memory: float = IN_MEMORY_BYTES,
    ) -> Cases:
        """Reads a cases folder, or the splits and sources of it that are named.

        Args:
            folder: A folder, or a Hub dataset (see `train.data.cases_source`).
            splits: Of `SPLITS`; None for all.
            sources: Names in `summary.json`; None for all.
            in_memory: Pictures of more bytes than this stay on disk, mapped (see `train.data.arrow_cache`).

        Raises:
            CasesError: The folder is missing or incomplete, a name is unknown, no case is left, or one has no picture.
            HubError: The Hub dataset cannot be had.
        """
        root = cases_folder(folder)
        summary = read_summary(root, folder)
        wanted = _known(splits, SPLITS, "split", folder)
        chosen = _known(sources, summary["sources"], "source", folder)
        parts = [path for split in wanted for path in sorted((root / "data").glob(f"{split}-*.parquet"))]
        if not parts:
            raise CasesError(f"{folder} has no cases in {', '.join(wanted)}.", REMAKE)
        try:
            table = _read_columns(parts)
            images = _read_pictures(root, parts, in_memory)
        except (pa.ArrowException, OSError) as error:
            raise CasesError(f"{folder} cannot be read: one of its Parquet files is damaged.", REMAKE) from error
        if sources:
            kept = pc.is_in(table["source"], pa.array(chosen)).to_numpy()
            table, images = table.filter(kept), images.take(np.flatnonzero(kept))
        if not table.num_rows:
            raise CasesError(f"{folder} has no cases in {', '.join(wanted)} of {', '.join(sources or ())}.", REMAKE)
        _refuse_absent(images, table["case_id"], folder)
        return cls(table.to_pandas(), images, tuple(summary["classnames"]), summary)

    def select(self, rows: np.ndarray | Sequence[int] | Sequence[bool] | pd.Series) -> Cases:
        """The cases under a boolean mask of length n, or at the given row numbers in that order."""
        chosen = np.asarray(rows)
        chosen = np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(np.int64)
        images = self.images
        picked = images.take(chosen) if isinstance(images, JpegColumn) else [images[int(i)] for i in chosen]
        return Cases(self.table.iloc[chosen].reset_index(drop=True), picked, self.classnames, self.summary)


def read_summary(folder: str | Path, named: str | Path | None = None) -> dict[str, Any]:
    """The `summary.json` of a cases folder; CasesError if there is none.

    Args:
        folder: Where it lies.
        named: What the user calls it, where that is not the folder.
    """
    folder, named = Path(folder), named or folder
    if not folder.is_dir():
        raise CasesError(f"The cases folder {named} is not there.", REMAKE)
    try:
        summary: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CasesError(f"{named} has no summary.json, so it is not a cases folder.", REMAKE) from error
    except ValueError as error:
        raise CasesError(f"The summary.json of {named} is not valid JSON.", REMAKE) from error
    return summary


def _known(asked: Sequence[str] | None, known: Sequence[str], what: str, folder: str | Path) -> tuple[str, ...]:
    for name in asked or ():
        if name not in known:
            raise CasesError(f"{folder} has no {what} '{name}'.", f"It has: {', '.join(known)}.")
    return tuple(asked or known)


def _read_columns(parts: Sequence[Path]) -> pa.Table:
    """Every column but the pictures'."""
    for path in parts:
        lacking = [name for name in COLUMNS if name not in pq.read_schema(path).names]
        if lacking:
            raise CasesError(f"{path} has no column {', '.join(lacking)}: these are no cases of DermNote.", REMAKE)
    columns = [name for name in COLUMNS if name != "image"]
    read = (pq.read_table(path, columns=columns, partitioning=None) for path in parts)
    return pa.concat_tables(each.replace_schema_metadata(None) for each in read)


def _read_pictures(folder: Path, parts: Sequence[Path], in_memory: float) -> JpegColumn:
    if sum(map(picture_bytes, parts)) > in_memory:
        return JpegColumn.mapped(mapped_files(folder, parts))
    read = (pq.ParquetFile(path).read([PICTURES])["image"] for path in parts)
    chunks = [chunk.flatten()[0].cast(pa.binary()) for column in read for chunk in column.chunks]
    return JpegColumn(pa.chunked_array(chunks, pa.binary()))


def _refuse_absent(images: JpegColumn, case_ids: pa.ChunkedArray, folder: str | Path) -> None:
    """A case without its picture is found now, not by whoever draws it on the second day of a run."""
    rows = np.flatnonzero(images.absent())
    if len(rows):
        few = ", ".join(case_ids.take(pa.array(rows[:FEW])).to_pylist())
        more = f" and {len(rows) - FEW} more" if len(rows) > FEW else ""
        words = f"{len(rows)} of {len(images)} cases in {folder} have no picture: {few}{more}."
        raise CasesError(words, "Make the folder again with `python -m train.prepare --force`.")
