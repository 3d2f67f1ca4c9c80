"""Writing a cases folder: pictures spooled to disk while splits are still open, then Parquet, card and lists."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from dermnote.spreadsheet import inert
from dermnote.storage import sha256_of

from ..runtime.card_template import fill_card
from .cases import SPLITS, schema
from .sources.raw import RawCase, Rejected

ROWS_A_GROUP = 256  # about 8 MB of pictures: what a reader holds at once


@dataclass(frozen=True)
class Entry:
    """A case whose picture lies in the spool, with all that its row will say."""

    case: RawCase
    class_id: int
    split: str
    group: str
    crop: str
    content_sha256: str
    offset: int
    length: int


class Spool(AbstractContextManager["Spool"]):
    """Pictures one after another in a file, so that no run has to hold them in memory. Gone when closed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO = path.open("w+b")
        self._end = 0

    def append(self, data: bytes) -> tuple[int, int]:
        """Adds data; its offset and length."""
        offset = self._stream.seek(self._end)
        self._stream.write(data)
        self._end += len(data)
        return offset, len(data)

    def read(self, offset: int, length: int) -> bytes:
        """The data at an offset."""
        self._stream.seek(offset)
        return self._stream.read(length)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        self._path.unlink(missing_ok=True)


def write_parquet(folder: Path, entries: Iterable[Entry], spool: Spool) -> dict[str, dict[str, Any]]:
    """Writes one Parquet file a split, in row groups; size and sha256 of each file by its path in the folder."""
    by_split: dict[str, list[Entry]] = {split: [] for split in SPLITS}
    for entry in entries:
        by_split[entry.split].append(entry)
    written = {}
    (folder / "data").mkdir()
    for split, chosen in by_split.items():
        if not chosen:
            continue
        path = folder / "data" / f"{split}-00000-of-00001.parquet"
        columns = [name for name in schema().names if name not in ("image", "case_id", "content_sha256")]
        with pq.ParquetWriter(path, schema(), use_dictionary=columns, compression="zstd") as writer:
            for rows in _row_groups(chosen, spool):
                writer.write_table(pa.Table.from_pylist(rows, schema=schema()), row_group_size=ROWS_A_GROUP)
        written[f"data/{path.name}"] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    return written


def write_rejected(path: Path, rejected: Iterable[Rejected]) -> None:
    """Writes what could not be used: source, file, row of its table, reason."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["source", "file", "row", "reason"])
        for each in rejected:
            writer.writerow(map(inert, (each.source, each.file, each.row, each.reason)))


def write_card(path: Path, summary: Mapping[str, Any]) -> None:
    """Writes the dataset card, whose front matter tells Hugging Face `datasets` where each split lies."""
    licences = sorted({source["licence"] for source in summary["sources"].values()})
    page = fill_card(
        "dataset_card.md",
        summary=summary,
        splits=[split for split in SPLITS if split in summary["splits"]],
        licence=licences[0] if len(licences) == 1 else "other",
        size_category=_size_category(sum(summary["splits"].values())),
    )
    path.write_text(page.removesuffix("\n"), encoding="utf-8")  # as in the folders that are there


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Writes `summary.json`."""
    path.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _row_groups(entries: list[Entry], spool: Spool) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(entries), ROWS_A_GROUP):
        yield [_row(entry, spool) for entry in entries[start : start + ROWS_A_GROUP]]


def _row(entry: Entry, spool: Spool) -> dict[str, Any]:
    case = entry.case
    return {
        "case_id": case.case_id,
        "source": case.source,
        "modality": case.modality,
        "image": {"bytes": spool.read(entry.offset, entry.length), "path": f"{case.case_id.replace('/', '_')}.jpg"},
        "class_id": entry.class_id,
        "label": case.label,
        "malignancy": case.malignancy,
        "subtype": case.subtype,
        "description": case.description,
        "age": case.age,
        "sex": case.sex,
        "site": case.site,
        "skin_type": case.skin_type,
        "group": entry.group,
        "split": entry.split,
        "extra": json.dumps(case.extra, ensure_ascii=False, default=str),
        "crop": entry.crop,
        "content_sha256": entry.content_sha256,
    }


def _size_category(count: int) -> str:
    steps = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    return next((name for limit, name in steps if count < limit), "1M<n<10M")
