"""The cases dataset: its columns, its folder or Hub dataset, and reading it.

A folder holds `data/SPLIT-*.parquet` (the Hugging Face layout: `datasets.load_dataset(folder)` works too), `README.md`,
`summary.json` and `rejected.csv`. `train.prepare` writes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dermnote.errors import CasesError, HubError
from dermnote.hub import pull

from .image_column import JpegColumn, image_bytes, mapped_files

SPLITS = ("train", "validation", "test", "external")
PREPARE = f"python -m {(__package__ or '').rpartition('.')[0]}.prepare"
REMAKE = f"Make it with `{PREPARE}`."
HUB_HINT = f"Make it with `{PREPARE}`, or name a Hub dataset as org/name or org/name@revision."
IN_MEMORY_BYTES = 256e6  # images that together are smaller are read into memory, so that nothing is written
NAMED_CASES = 3  # cases named in a message
HUB_DATASET = re.compile(r"(?P<name>[\w-][\w.-]*/[\w-][\w.-]*)(?:@(?P<revision>[^@\s]+))?")
HUB_FILES = ("data/*.parquet", "summary.json", "README.md")

_TEXTS = (
    *("label", "malignancy", "subtype", "description", "age", "sex", "site", "skin_type"),
    *("group", "split", "extra", "crop", "content_sha256"),
)
COLUMNS: dict[str, pa.DataType] = {
    **dict.fromkeys(("case_id", "source", "modality"), pa.string()),
    "image": pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    "class_id": pa.int64(),
    **dict.fromkeys(_TEXTS, pa.string()),
    "age": pa.float64(),
}


def schema() -> pa.Schema:
    """Return the Arrow schema, with the metadata by which Hugging Face `datasets` decodes the `image` column."""
    names = {pa.string(): "string", pa.int64(): "int64", pa.float64(): "float64"}
    features = {name: {"dtype": names.get(kind), "_type": "Value"} for name, kind in COLUMNS.items()}
    info = {"features": features | {"image": {"_type": "Image"}}}
    return pa.schema(list(COLUMNS.items()), metadata={"huggingface": json.dumps({"info": info})})


@dataclass(frozen=True)
class Cases:
    """Cases read from a folder.

    Attributes:
        table: One row for each case, all columns but `image`, index 0..n-1. Missing values are NaN or None.
        images: JPEG bytes in the same order.
        classnames: Class names by class id.
        summary: `summary.json` of the whole folder (sources, licences, counts, seed).
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
        """Read a cases folder, or some of its splits and sources.

        Args:
            folder: A folder or Hub dataset, see `cases_folder`.
            splits: Of `SPLITS`; None for all.
            sources: Names in `summary.json`; None for all.
            in_memory: Images of more bytes than this stay on disk, mapped (see `image_column`).

        Raises:
            CasesError: The folder is missing or incomplete, a name is unknown, no case is left, or one has no image.
            HubError: The Hub dataset cannot be downloaded.
        """
        root = cases_folder(folder)
        summary = read_summary(root, folder)
        chosen_splits = _checked(splits, SPLITS, "split", folder)
        chosen_sources = _checked(sources, summary["sources"], "source", folder)
        parts = [path for split in chosen_splits for path in sorted((root / "data").glob(f"{split}-*.parquet"))]
        if not parts:
            raise CasesError(f"{folder} has no cases in {', '.join(chosen_splits)}.", REMAKE)
        try:
            table = _read_columns(parts)
            large = sum(map(image_bytes, parts)) > in_memory
            images = JpegColumn.mapped(mapped_files(root, parts)) if large else JpegColumn.in_memory(parts)
        except (pa.ArrowException, OSError) as error:
            raise CasesError(f"{folder} cannot be read: one of its Parquet files is damaged.", REMAKE) from error
        if sources:
            kept = pc.is_in(table["source"], pa.array(chosen_sources)).to_numpy()
            table, images = table.filter(kept), images.take(np.flatnonzero(kept))
        if not table.num_rows:
            wanted = f"{', '.join(chosen_splits)} of {', '.join(sources or ())}"
            raise CasesError(f"{folder} has no cases in {wanted}.", REMAKE)
        _refuse_absent(images, table["case_id"], folder)
        return cls(table.to_pandas(), images, tuple(summary["classnames"]), summary)

    def select(self, rows: np.ndarray | Sequence[int] | Sequence[bool] | pd.Series) -> Cases:
        """Return the cases under a boolean mask of length n, or at the given row numbers in that order."""
        chosen = np.asarray(rows)
        chosen = np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(np.int64)
        images = self.images
        picked = images.take(chosen) if isinstance(images, JpegColumn) else [images[int(i)] for i in chosen]
        return Cases(self.table.iloc[chosen].reset_index(drop=True), picked, self.classnames, self.summary)


def cases_folder(source: str | Path) -> Path:
    """Return the folder of a cases dataset; a Hub dataset is downloaded first, or found in the Hub cache.

    Args:
        source: A folder, or a Hub dataset "org/name" or "org/name@revision"; a folder of that name comes first.

    Raises:
        CasesError: There is no such folder, and it is not a dataset's name.
        HubError: The dataset is unknown, private, or cannot be reached.
    """
    folder = Path(source)
    if folder.is_dir():
        return folder
    named = HUB_DATASET.fullmatch(str(source))
    if named is None or folder.exists():
        raise CasesError(f"The cases folder {source} is not there.", HUB_HINT)
    try:
        return pull(named["name"], named["revision"], allow_patterns=HUB_FILES, kind="dataset")
    except HubError as error:
        message = f"There is no folder {source}; as a Hub dataset: {error.message}"
        raise HubError(message, error.hint, retryable=error.retryable) from error


def read_summary(folder: str | Path, named: str | Path | None = None) -> dict[str, Any]:
    """Return the `summary.json` of a cases folder, in messages called `named`; CasesError if there is none."""
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


def _checked(names: Sequence[str] | None, known: Sequence[str], kind: str, folder: str | Path) -> tuple[str, ...]:
    for name in names or ():
        if name not in known:
            raise CasesError(f"{folder} has no {kind} '{name}'.", f"It has: {', '.join(known)}.")
    return tuple(names or known)


def _read_columns(parts: Sequence[Path]) -> pa.Table:
    """Return every column but the images."""
    for path in parts:
        missing = [name for name in COLUMNS if name not in pq.read_schema(path).names]
        if missing:
            raise CasesError(f"{path} has no column {', '.join(missing)}: these are no cases of DermNote.", REMAKE)
    columns = [name for name in COLUMNS if name != "image"]
    read = (pq.read_table(path, columns=columns, partitioning=None) for path in parts)
    return pa.concat_tables(each.replace_schema_metadata(None) for each in read)


def _refuse_absent(images: JpegColumn, case_ids: pa.ChunkedArray, folder: str | Path) -> None:
    """Raise CasesError for cases without an image, which would otherwise end a long run."""
    rows = np.flatnonzero(images.absent())
    if len(rows):
        few = ", ".join(case_ids.take(pa.array(rows[:NAMED_CASES])).to_pylist())
        more = f" and {len(rows) - NAMED_CASES} more" if len(rows) > NAMED_CASES else ""
        message = f"{len(rows)} of {len(images)} cases in {folder} have no image: {few}{more}."
        raise CasesError(message, f"Make the folder again with `{PREPARE} --force`.")
