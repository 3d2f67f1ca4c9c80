"""Cases folder that shows the part of another that a partition trains and tests on.

Parquet files that are shown unchanged are linked; the others are rewritten with only the rows shown.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dermnote.errors import CasesError, ConfigError
from dermnote.storage import replacing_folder

from ..data.cases import SPLITS, cases_folder, read_summary
from .plan import CaseFilter, Partition

MARK = "view.json"
TRAINED, TESTED = ("train", "validation"), ("test", "external")
IDENTITY = ("case_id", "split", "class_id", "content_sha256")  # columns that identify the cases of a view
COLUMNS = ["case_id", "source", "modality", "class_id", "label", "split", "group", "content_sha256"]


@dataclass(frozen=True)
class View:
    """Cases of a partition."""

    folder: Path  # a cases folder
    table: pd.DataFrame  # one row per case shown (`COLUMNS`)
    fingerprint: str  # sha256 of the cases shown, their classes and splits
    notice: str  # one line on cases left out to keep the sides apart; may be empty


def make_view(
    cases: str | Path, partition: Partition, folder: Path, name: str, noted: Collection[str] = (), *, write: bool = True
) -> View:
    """Return the view of a partition, written to `folder` if it shows less than all cases and is not there yet.

    Args:
        cases: A cases folder, or a Hub dataset.
        partition: Cases to show.
        folder: Destination.
        name: Name of the partition, for messages.
        noted: Ids of the cases with query notes.
        write: False only computes the view.

    Raises:
        CasesError: The cases cannot be read, or none are left to train, validate or test on.
        ConfigError: The partition names a source that the cases do not have.
    """
    root = cases_folder(cases)
    summary = read_summary(root, cases)
    parts = case_files(root)
    if not parts:
        raise CasesError(f"{cases} has no cases.", "Make it with `python -m train.prepare`.")
    tables = [pq.read_table(path, columns=COLUMNS, partitioning=None).to_pandas() for path in parts]
    table = pd.concat(tables, ignore_index=True)
    for source in (*(partition.train_on.sources or ()), *(partition.test_on.sources or ())):
        if source not in summary["sources"]:
            known = f"They have: {', '.join(summary['sources'])}."
            raise ConfigError(f"Partition {name} names the source '{source}', which the cases do not have.", known)
    splits, notice = assign_splits(table, partition, noted)
    for needed, purpose in (("train",), "train on"), (("validation",), "validate on"), (TESTED, "test on"):
        if not splits.isin(needed).any():
            raise CasesError(f"Partition {name} has no cases of {cases} to {purpose}.", "Check its restrictions.")
    shown = table.assign(split=splits)[splits != ""].reset_index(drop=True)
    fingerprint = digest_of(shown, IDENTITY, repr(list(summary["classnames"])))
    if (splits == table["split"]).all():
        return View(root, shown, fingerprint, notice)
    if write and not _is_written(folder, fingerprint):
        mark = {"fingerprint": fingerprint, "of": str(root.resolve()), **asdict(partition)}
        sources = {source: each for source, each in summary["sources"].items() if source in set(shown["source"])}
        counts = {split: int((shown["split"] == split).sum()) for split in SPLITS}
        ends = np.cumsum([len(each) for each in tables])[:-1]
        with replacing_folder(folder) as temporary:
            _write_parts(temporary / "data", parts, tables, np.split(splits.to_numpy(), ends))
            for file, values in (
                ("summary.json", {**summary, "sources": sources, "splits": counts, "view": mark}),
                (MARK, mark),
            ):
                (temporary / file).write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return View(folder, shown, fingerprint, notice)


def case_files(root: Path) -> list[Path]:
    """Return the Parquet files of a cases folder, split by split."""
    return [path for split in SPLITS for path in sorted((root / "data").glob(f"{split}-*.parquet"))]


def assign_splits(table: pd.DataFrame, partition: Partition, noted: Collection[str] = ()) -> tuple[pd.Series, str]:
    """Return the split of each case ("" if not shown), and a line on the cases left out to keep the sides apart.

    No patient, lesion or identical image is on both sides.

    Args:
        table: All cases.
        partition: Cases to show.
        noted: Ids of the cases with query notes.
    """
    everywhere, test_first = partition.test_splits == "all", partition.lesions_in_both == "test"
    trained = table["split"].isin(TRAINED) & _matches(table, partition.train_on, noted)
    tested = _matches(table, partition.test_on, noted) & (table["split"].isin(TESTED) | everywhere)
    kept, other = (tested, trained) if test_first else (trained, tested)
    shared = other & (
        table["group"].isin(table.loc[kept, "group"]) | table["content_sha256"].isin(table.loc[kept, "content_sha256"])
    )
    other = other & ~shared
    trained, tested = (other, kept) if test_first else (kept, other)
    splits = table["split"].where(trained | tested, "")
    if everywhere:
        splits = splits.where(~tested, "external")
    lost = int((shared & ~kept).sum())  # a case that fits both filters is not lost: the other side has it
    side = "trained on" if test_first else "tested on"
    return splits, f"{lost} cases are not {side}, because the other side holds their lesion." if lost else ""


def _matches(table: pd.DataFrame, wanted: CaseFilter, noted: Collection[str]) -> pd.Series:
    matches = ~table["source"].isin(wanted.without)
    if wanted.sources is not None:
        matches &= table["source"].isin(wanted.sources)
    if wanted.modality is not None:
        matches &= table["modality"] == wanted.modality
    return matches & table["case_id"].isin(noted) if wanted.noted else matches


def digest_of(table: pd.DataFrame, columns: Sequence[str], prefix: str = "") -> str:
    """Return the sha256 of columns of a table, as hex."""
    digest = hashlib.sha256(prefix.encode())
    for column in columns:
        digest.update("\n".join(map(str, table[column])).encode())
    return digest.hexdigest()


def _is_written(folder: Path, fingerprint: str) -> bool:
    try:
        return bool(json.loads((folder / MARK).read_text(encoding="utf-8"))["fingerprint"] == fingerprint)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write_parts(
    data: Path, parts: Sequence[Path], tables: Sequence[pd.DataFrame], shown: Sequence[np.ndarray]
) -> None:
    data.mkdir()
    for number, (part, table, splits) in enumerate(zip(parts, tables, shown, strict=True)):
        unchanged = (splits == table["split"].to_numpy()).all()
        for split in sorted(set(splits) - {""}):
            path = data / f"{split}-{number:05d}-of-{len(parts):05d}.parquet"
            if not unchanged:
                _copy_rows(part, splits, split, path)
                continue
            try:
                path.symlink_to(part.resolve())
            except OSError:  # Windows allows links to few users
                shutil.copyfile(part, path)


def _copy_rows(part: Path, splits: np.ndarray, split: str, path: Path) -> None:
    """Copy the rows of one split, a row group at a time."""
    with pq.ParquetFile(part) as source, pq.ParquetWriter(path, source.schema_arrow, compression="zstd") as writer:
        start, column = 0, source.schema_arrow.get_field_index("split")
        for number in range(source.num_row_groups):
            rows = source.read_row_group(number)
            kept = rows.filter(pa.array(splits[start : start + rows.num_rows] == split))
            start += rows.num_rows
            writer.write_table(kept.set_column(column, "split", pa.array([split] * len(kept), pa.string())))
