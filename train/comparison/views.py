"""A cases folder that shows a part of another: what a partition learns from and is tested on.

Files of which all is shown as it is are linked; of the others only the rows shown are written anew.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dermnote.errors import CasesError, ConfigError
from dermnote.storage import replacing_folder

from ..data.cases import SPLITS, cases_folder, read_summary
from .plan import Partition, Where

MARK = "view.json"
LEARNT, TESTED = ("train", "validation"), ("test", "external")
COLUMNS = ["case_id", "source", "modality", "class_id", "label", "split", "group", "content_sha256"]


@dataclass(frozen=True)
class View:
    """What a partition shows of the cases.

    Attributes:
        folder: A cases folder.
        table: One row a case shown (case_id, source, modality, class_id, label, split, group).
        fingerprint: sha256 of the cases shown, their classes and splits.
        told: One line a reader must know, on cases that are left out; may be empty.
    """

    folder: Path
    table: pd.DataFrame
    fingerprint: str
    told: str

    def count(self, *splits: str) -> int:
        """Cases shown in these splits."""
        return int(self.table["split"].isin(splits).sum())


def view_of(
    cases: str | Path, partition: Partition, folder: Path, name: str, noted: Collection[str] = (), *, write: bool = True
) -> View:
    """The view of a partition; written where it shows less than all, unless it stands there already.

    Args:
        cases: A cases folder, or a Hub dataset.
        partition: What to show.
        folder: Where a view is written.
        name: The partition's, for messages.
        noted: Ids of the cases that the query notes speak of.
        write: False only tells what would be shown.

    Raises:
        CasesError: The cases cannot be read, or nothing is left to learn from, to validate or to test on.
        ConfigError: The partition names a source that the cases do not have.
    """
    root = cases_folder(cases)
    summary = read_summary(root, cases)
    parts = [path for split in SPLITS for path in sorted((root / "data").glob(f"{split}-*.parquet"))]
    if not parts:
        raise CasesError(f"{cases} has no cases.", "Make it with `python -m train.prepare`.")
    tables = [pq.read_table(path, columns=COLUMNS, partitioning=None).to_pandas() for path in parts]
    table = pd.concat(tables, ignore_index=True)
    _check_sources(partition, summary["sources"], name)
    shown, told = choose(table, partition, noted)
    _refuse_empty(shown, name, cases)
    seen = table.assign(split=shown)[shown != ""].reset_index(drop=True)
    mark = _fingerprint(seen, summary["classnames"])
    if (shown == table["split"]).all():
        return View(root, seen, mark, told)
    if write and not _stands(folder, mark):
        lengths = np.cumsum([len(each) for each in tables])[:-1]
        with replacing_folder(folder) as aside:
            _write(aside, parts, np.split(shown.to_numpy(), lengths), tables)
            _describe(aside, seen, summary, {"fingerprint": mark, "of": str(root.resolve()), **asdict(partition)})
    return View(folder, seen, mark, told)


def choose(table: pd.DataFrame, partition: Partition, noted: Collection[str] = ()) -> tuple[pd.Series, str]:
    """The split each case is shown in, "" if it is not; and a line on what is left out so that sides stay apart.

    No patient, lesion or picture is ever on both sides.

    Args:
        table: All cases.
        partition: What to show.
        noted: Ids of the cases that the query notes speak of.
    """
    learnt = table["split"].isin(LEARNT) & _fits(table, partition.train_on, noted)
    whole = partition.test_splits == "all"
    tested = _fits(table, partition.test_on, noted) & (table["split"].isin(TESTED) | whole)
    first, second = (tested, learnt) if partition.lesions_in_both == "test" else (learnt, tested)
    shared = second & (
        table["group"].isin(table.loc[first, "group"])
        | table["content_sha256"].isin(table.loc[first, "content_sha256"])
    )
    second = second & ~shared
    tested, learnt = (first, second) if partition.lesions_in_both == "test" else (second, first)
    split = table["split"].where(learnt | tested, "")
    if whole:
        split = split.where(~tested, "external")
    side = "learnt from" if partition.lesions_in_both == "test" else "tested on"
    # a case on both sides by rule is no loss: it simply is on the other
    lost = int((shared & ~first).sum())
    return split, f"{lost} cases are not {side}, since the other side holds their lesion." if lost else ""


def _fits(table: pd.DataFrame, where: Where, noted: Collection[str]) -> pd.Series:
    fits = ~table["source"].isin(where.without)
    if where.sources is not None:
        fits &= table["source"].isin(where.sources)
    if where.modality is not None:
        fits &= table["modality"] == where.modality
    return fits & table["case_id"].isin(noted) if where.noted else fits


def _check_sources(partition: Partition, known: Collection[str], name: str) -> None:
    for where in (partition.train_on, partition.test_on):
        for source in where.sources or ():
            if source not in known:
                raise ConfigError(
                    f"Partition {name} names the source '{source}', which the cases do not have.",
                    f"They have: {', '.join(known)}.",
                )


def _refuse_empty(shown: pd.Series, name: str, cases: str | Path) -> None:
    for splits, purpose in (("train",), "learn from"), (("validation",), "validate on"), (TESTED, "test on"):
        if not shown.isin(splits).any():
            raise CasesError(f"Partition {name} has no cases of {cases} to {purpose}.", "Look at its restrictions.")


def _fingerprint(table: pd.DataFrame, classnames: list[str]) -> str:
    digest = hashlib.sha256(repr(list(classnames)).encode())
    for column in ("case_id", "split", "class_id", "content_sha256"):
        digest.update("\n".join(map(str, table[column])).encode())
    return digest.hexdigest()


def _stands(folder: Path, mark: str) -> bool:
    try:
        return str(json.loads((folder / MARK).read_text(encoding="utf-8"))["fingerprint"]) == mark
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write(folder: Path, parts: list[Path], shown: list[np.ndarray], tables: list[pd.DataFrame]) -> None:
    (folder / "data").mkdir()
    for number, (part, splits, table) in enumerate(zip(parts, shown, tables, strict=True)):
        if (splits == table["split"].to_numpy()).all():
            _link(part, folder / "data" / _file(str(splits[0]), number, len(parts)))
            continue
        for split in sorted(set(splits) - {""}):
            _filter(part, splits, split, folder / "data" / _file(split, number, len(parts)))


def _file(split: str, number: int, of: int) -> str:
    return f"{split}-{number:05d}-of-{of:05d}.parquet"


def _link(part: Path, path: Path) -> None:
    try:
        path.symlink_to(part.resolve())
    except OSError:  # Windows lets not everybody
        shutil.copyfile(part, path)


def _filter(part: Path, splits: np.ndarray, split: str, path: Path) -> None:
    """Copies the rows of one split, a row group at a time."""
    with pq.ParquetFile(part) as source, pq.ParquetWriter(path, source.schema_arrow, compression="zstd") as writer:
        start, column = 0, source.schema_arrow.get_field_index("split")
        for number in range(source.num_row_groups):
            rows = source.read_row_group(number)
            kept = rows.filter(pa.array(splits[start : start + rows.num_rows] == split))
            start += rows.num_rows
            writer.write_table(kept.set_column(column, "split", pa.array([split] * len(kept), pa.string())))


def _describe(folder: Path, table: pd.DataFrame, summary: dict[str, Any], mark: dict[str, Any]) -> None:
    present = set(table["source"])
    told = {
        **summary,
        "sources": {name: source for name, source in summary["sources"].items() if name in present},
        "splits": {split: int((table["split"] == split).sum()) for split in SPLITS},
        "view": mark,
    }
    for name, values in (("summary.json", told), (MARK, mark)):
        (folder / name).write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
