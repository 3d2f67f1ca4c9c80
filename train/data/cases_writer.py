"""Writer of a cases folder (Parquet, dataset card, rejected rows, summary), and the printed report."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from dermnote.storage import inert, sha256_of

from ..runtime.card_template import fill_card
from ..runtime.console import print_summary
from .cases import SPLITS, schema
from .collection import CollectedCases
from .image_preparation import PreparedImage
from .sources import RawCase, Rejected

ROWS_A_GROUP = 256  # about 8 MB of images: what a reader holds at once
PRINTED_REASONS = 12  # a folder may have hundreds of unknown labels; the rest is in summary.json
TRAIN = (__package__ or "").rpartition(".")[0]


@dataclass(frozen=True)
class Entry:
    """A case with its image (whose bytes are at `place`: offset, length, of the spool file), split and class id.

    `group` is its group after groups that share an image were merged.
    """

    case: RawCase
    image: PreparedImage
    place: tuple[int, int]
    class_id: int
    split: str
    group: str


def write_parquet(folder: Path, entries: Iterable[Entry], spool: BinaryIO) -> dict[str, dict[str, Any]]:
    """Write one Parquet file for each split; return size and sha256 of each file by its path in the folder.

    `spool` is the file of the images' bytes.
    """
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
            for start in range(0, len(chosen), ROWS_A_GROUP):
                rows = [_row(entry, spool) for entry in chosen[start : start + ROWS_A_GROUP]]
                writer.write_table(pa.Table.from_pylist(rows, schema=schema()), row_group_size=ROWS_A_GROUP)
        written[f"data/{path.name}"] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    return written


def _row(entry: Entry, spool: BinaryIO) -> dict[str, Any]:
    case, (offset, length) = entry.case, entry.place
    spool.seek(offset)
    shared = ("case_id", "source", "modality", "label", "malignancy", "subtype", "description", "age", "sex", "site")
    return {name: getattr(case, name) for name in (*shared, "skin_type")} | {
        "image": {"bytes": spool.read(length), "path": f"{case.case_id.replace('/', '_')}.jpg"},
        "class_id": entry.class_id,
        "group": entry.group,
        "split": entry.split,
        "extra": json.dumps(case.extra, ensure_ascii=False, default=str),
        "crop": entry.image.crop,
        "content_sha256": entry.image.pixels_sha256,
    }


def write_rejected(path: Path, rejected: Iterable[Rejected]) -> None:
    """Write the rows that could not be used: source, file, row of its table, reason."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["source", "file", "row", "reason"])
        for each in rejected:
            writer.writerow(map(inert, (each.source, each.file, each.row, each.reason)))


def write_card(path: Path, summary: Mapping[str, Any]) -> None:
    """Write the dataset card; its front matter gives Hugging Face `datasets` the files of each split."""
    licences = sorted({source["licence"] for source in summary["sources"].values()})
    page = fill_card(
        "dataset_card.md",
        summary=summary,
        splits=[split for split in SPLITS if split in summary["splits"]],
        licence=licences[0] if len(licences) == 1 else "other",
        size_category=_size_category(sum(summary["splits"].values())),
    )
    path.write_text(page.removesuffix("\n"), encoding="utf-8")


def _size_category(count: int) -> str:
    steps = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    return next((name for limit, name in steps if count < limit), "1M<n<10M")


def summarise(collected: CollectedCases, entries: Sequence[Entry], classnames: Sequence[str]) -> dict[str, Any]:
    """Return counts by source, split and class, with every reason for which a row was left out."""
    sources = {}
    for name, source in collected.sources.items():
        kept = [entry for entry in entries if entry.case.source == name]
        left_out = Counter(each.reason for each in collected.left_out if each.source == name)
        rejected = sum(each.source == name for each in collected.rejected)
        sources[name] = {
            "title": source.title,
            "licence": source.licence,
            "citation": source.citation,
            "read": len(kept) + left_out.total() + rejected,
            "kept": len(kept),
            "groups": len({entry.group for entry in kept}),
            "left_out": dict(left_out.most_common()),
            "rejected": rejected,
            "modality_assumed": sum(not entry.case.modality_known for entry in kept),
            "crops": _counts(entry.image.crop for entry in kept),
            "splits": {split: found for split in SPLITS if (found := _by_class(kept, split, classnames))},
        }
    splits = Counter(entry.split for entry in entries)
    return {
        "classnames": list(classnames),
        "sources": sources,
        "splits": {split: splits[split] for split in SPLITS if splits[split]},
        "left_out": _counts(each.reason for each in collected.left_out),
        "rejected": len(collected.rejected),
        "rejected_for": _counts(each.reason for each in collected.rejected),
        "crops": _counts(entry.image.crop for entry in entries),
    }


def _by_class(entries: Sequence[Entry], split: str, classnames: Sequence[str]) -> dict[str, int]:
    found = Counter(entry.class_id for entry in entries if entry.split == split)
    return {name: found[class_id] for class_id, name in enumerate(classnames) if found[class_id]}


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())


def print_report(summary: dict[str, Any], out: Path, *, note: str = "", seconds: float = 0.0) -> None:
    """Print the summary: per source, per split and class, the reasons of rows left out, and the next command."""
    for name, source in summary["sources"].items():
        print(f"\n{name}: read {source['read']}, kept {source['kept']} in {source['groups']} groups, ", end="")
        print(f"left out {sum(source['left_out'].values())}, rejected {source['rejected']}")
        _print_classes(source["splits"], summary["classnames"])
        if assumed := source.get("modality_assumed"):
            print(f"  {assumed} have no modality: taken as clinical photos, not cropped. Are they dermoscopy? Then add")
            print("  a column `modality`, or give all of them --modality dermoscopy.")
    rows: dict[str, object] = {"cases": sum(summary["splits"].values())}
    rows |= {split: summary["splits"].get(split, 0) for split in SPLITS}
    rows["crop"] = ", ".join(f"{crop} {count}" for crop, count in summary["crops"].items())
    rows["left out"] = _reasons(summary["left_out"])
    for number, line in enumerate(summary.get("authors_splits", ()), start=1):
        rows[f"authors' splits {number}"] = line
    rejected = f" (see {out / 'rejected.csv'})" if summary["rejected"] else ""
    rows["rejected"] = _reasons(summary["rejected_for"]) + rejected
    if seconds:
        rows["time"] = f"{seconds:.1f} s, {summary['pictures_per_second']:.0f} images a second"
    rows["written"] = f"{out}: {note}" if note else str(out)
    next_command = f"python -m {TRAIN}.generate_notes --cases {out} --strategy m --out notes.jsonl"
    print_summary("Cases, for research only, never for a diagnosis", rows, next_command)


def _print_classes(splits: dict[str, dict[str, int]], classnames: Sequence[str]) -> None:
    width = max(map(len, classnames))
    print(f"  {'':<{width}}" + "".join(f"{split:>12}" for split in splits))
    for name in classnames:
        counts = [found.get(name, 0) for found in splits.values()]
        if any(counts):
            print(f"  {name:<{width}}" + "".join(f"{count:>12}" for count in counts))


def _reasons(reasons: dict[str, int]) -> str:
    shown = [f"{count} {reason}" for reason, count in list(reasons.items())[:PRINTED_REASONS]]
    more = len(reasons) - len(shown)
    total = sum(reasons.values())
    listed = "; ".join(shown) + (f"; and {more} more reasons in summary.json" if more > 0 else "")
    return f"{total}: {listed}" if total else "0"
