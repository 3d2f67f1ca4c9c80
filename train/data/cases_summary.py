"""What a run of `train.prepare` did: the counts in `summary.json`, and the same as a table for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..runtime.console import print_summary
from .cases import SPLITS
from .cases_folder import Entry
from .gather import Gathered

FEW_REASONS = 12  # a folder may have hundreds of labels nobody knows; the rest is in summary.json


def summarise(gathered: Gathered, entries: Sequence[Entry], classnames: Sequence[str]) -> dict[str, Any]:
    """Counts by source, split and class, with every reason for which something was left out.

    Args:
        gathered: All rows, those left out and rejected along the way included.
        entries: The cases kept.
        classnames: By class id.
    """
    sources = {}
    for name, source in gathered.sources.items():
        kept = [entry for entry in entries if entry.case.source == name]
        left_out = Counter(each.reason for each in gathered.left_out if each.source == name)
        rejected = sum(each.source == name for each in gathered.rejected)
        sources[name] = {
            "title": source.title,
            "licence": source.licence,
            "citation": source.citation,
            "read": len(kept) + left_out.total() + rejected,
            "kept": len(kept),
            "groups": len({entry.group for entry in kept}),
            "left_out": dict(left_out.most_common()),
            "rejected": rejected,
            "modality_assumed": sum(not entry.case.modality_told for entry in kept),
            "crops": _count(entry.crop for entry in kept),
            "splits": {split: found for split in SPLITS if (found := _by_class(kept, split, classnames))},
        }
    reasons = Counter(each.reason for each in gathered.left_out)
    splits = Counter(entry.split for entry in entries)
    return {
        "classnames": list(classnames),
        "sources": sources,
        "splits": {split: splits[split] for split in SPLITS if splits[split]},
        "left_out": dict(reasons.most_common()),
        "rejected": len(gathered.rejected),
        "rejected_for": _count(each.reason for each in gathered.rejected),
        "crops": _count(entry.crop for entry in entries),
    }


def print_report(summary: dict[str, Any], out: Path, *, note: str = "", seconds: float = 0.0) -> None:
    """Prints the summary: per source, per split and class, what was left out and why, and the next command."""
    for name, source in summary["sources"].items():
        print(f"\n{name}: read {source['read']}, kept {source['kept']} in {source['groups']} groups, ", end="")
        print(f"left out {sum(source['left_out'].values())}, rejected {source['rejected']}")
        _print_classes(source["splits"], summary["classnames"])
        if assumed := source.get("modality_assumed"):
            print(f"  {assumed} have no modality: taken as clinical photos, not cropped. Are they dermoscopy? Then say")
            print("  so in a column `modality`, or all at once with --modality dermoscopy.")
    rows: dict[str, object] = {"cases": sum(summary["splits"].values())}
    rows |= {split: summary["splits"].get(split, 0) for split in SPLITS}
    rows["crop"] = ", ".join(f"{crop} {count}" for crop, count in summary["crops"].items())
    rows["left out"] = _few(summary["left_out"])
    for number, line in enumerate(summary.get("authors_splits", ()), start=1):
        rows[f"authors' splits {number}"] = line
    rows["rejected"] = _few(summary["rejected_for"]) + (f" (see {out / 'rejected.csv'})" if summary["rejected"] else "")
    if seconds:
        rows["time"] = f"{seconds:.1f} s, {summary['pictures_per_second']:.0f} pictures a second"
    rows["written"] = f"{out}: {note}" if note else str(out)
    print_summary(
        "Cases, for research only, never for a diagnosis",
        rows,
        f"python -m train.generate_notes --cases {out} --strategy m --out notes.jsonl",
    )


def _print_classes(splits: dict[str, dict[str, int]], classnames: Sequence[str]) -> None:
    width = max(map(len, classnames))
    print(f"  {'':<{width}}" + "".join(f"{split:>12}" for split in splits))
    for name in classnames:
        counts = [found.get(name, 0) for found in splits.values()]
        if any(counts):
            print(f"  {name:<{width}}" + "".join(f"{count:>12}" for count in counts))


def _few(reasons: dict[str, int]) -> str:
    shown = [f"{count} {reason}" for reason, count in list(reasons.items())[:FEW_REASONS]]
    more = len(reasons) - len(shown)
    total = sum(reasons.values())
    listed = "; ".join(shown) + (f"; and {more} more reasons in summary.json" if more > 0 else "")
    return f"{total}: {listed}" if total else "0"


def _by_class(entries: Sequence[Entry], split: str, classnames: Sequence[str]) -> dict[str, int]:
    found = Counter(entry.class_id for entry in entries if entry.split == split)
    return {name: found[class_id] for class_id, name in enumerate(classnames) if found[class_id]}


def _count(values: Any) -> dict[str, int]:
    return dict(Counter(values).most_common())
