"""The split files of the authors' related code as official splits of the sources they know.

The folder is their `CSV` folder: one folder a data set with `labels_train.csv`, `labels_valid.csv`, `labels_test.csv`
(no header; file name and class number), or with `labels_test.csv` alone where all images are for testing. Only the
split is taken from there, never the label.

- An image that they do not list is left out.
- An image in two of their splits counts for the later one, as do all images of a patient or lesion; `splits` leaves out
  the earlier ones and counts them. (All 79 test images of Derm7pt are also in its validation list.)
- A source without any matching id keeps its own split, and is reported.
- Ids without a match, in both directions, and classes that differ are counted.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dermnote import taxonomy
from dermnote.errors import CasesError

from .collection import CollectedCases
from .sources import LeftOut, RawCase
from .sources.catalogue import authors_lists
from .splits import LATER

FILES = {"labels_train.csv": "train", "labels_valid.csv": "validation", "labels_test.csv": "test"}
NOT_LISTED = "not in the authors' split files"


@dataclass
class ListedImages:
    """Lists of one source.

    Attributes:
        split: The latest split of each image, by its lower-case name.
        label: Its class number, by the same name.
        in_several: Names listed in more than one split.
    """

    split: dict[str, str] = field(default_factory=dict)
    label: dict[str, str] = field(default_factory=dict)
    in_several: set[str] = field(default_factory=set)


def read_lists(folders: Iterable[Path]) -> ListedImages:
    """Read the lists of one source's folders."""
    listed = ListedImages()
    for path, split in ((folder / name, split) for folder in folders for name, split in FILES.items()):
        if not path.is_file():
            continue
        with path.open(newline="", encoding="utf-8-sig") as stream:
            for row in csv.reader(stream):
                name = Path(row[0].strip()).stem.lower() if row else ""
                if not name:
                    continue
                before = listed.split.get(name, split)
                if before != split:
                    listed.in_several.add(name)
                listed.split[name] = max(before, split, key=LATER.index)
                listed.label[name] = row[1].strip() if len(row) > 1 else ""
    return listed


def apply_authors_splits(collected: CollectedCases, folder: Path) -> list[str]:
    """Replace the official split of every case of a source in the authors' files; return the lines of a report.

    Cases that are not in the files are left out.

    Raises:
        CasesError: The folder does not exist, or has lists of none of the sources.
    """
    if not folder.is_dir():
        raise CasesError(f"The folder of the authors' splits, {folder}, is not there.")
    lists = {name: read_lists(folder / each for each in authors_lists(name)) for name in collected.sources}
    lists = {name: listed for name, listed in lists.items() if listed.split}
    if not lists:
        hint = f"It should hold folders such as {authors_lists('ham10000')[0]}/labels_test.csv."
        raise CasesError(f"{folder} has no split files for {', '.join(collected.sources)}.", hint)
    report = []
    for name, listed in lists.items():
        cases = [case for case in collected.cases if case.source == name]
        kept, lines = _apply(name, cases, listed)
        ids = {case.case_id for case in kept}
        collected.cases[:] = [case for case in collected.cases if case.source != name] + kept
        collected.left_out += [LeftOut(case.case_id, name, NOT_LISTED) for case in cases if case.case_id not in ids]
        report += lines
    return report


def _apply(name: str, cases: Sequence[RawCase], listed: ListedImages) -> tuple[list[RawCase], list[str]]:
    """Return (cases with their split, lines of the report) of one source."""
    key_of = {case.case_id: key for case in cases if (key := _key(case, listed)) is not None}
    count = len(listed.split)
    if not key_of:
        return list(cases), [
            f"{name}: none of the authors' {count} ids is among its {len(cases)} cases; its own split stays"
        ]
    kept = [replace(case, split=listed.split[key_of[case.case_id]]) for case in cases if case.case_id in key_of]
    lines = [
        f"{name}: {len(kept)} cases in the authors' splits; {len(cases) - len(kept)} are not in their files and left "
        f"out; {count - len(set(key_of.values()))} of their {count} ids match no case"
    ]
    if several := len(listed.in_several & set(key_of.values())):
        lines.append(f"{name}: {several} images are in two of their splits and count for the later one")
    if divided := _divided_groups(kept):
        lines.append(
            f"{name}: {divided} patients or lesions are in several of their splits; the earlier images are left out"
        )
    if differing := sum(_differs(case.label, listed.label[key_of[case.case_id]]) for case in kept):
        lines.append(f"{name}: {differing} have another class in their files; ours is kept")
    return kept, lines


def _key(case: RawCase, listed: ListedImages) -> str | None:
    """Return the name under which the authors list a case: its file's, or its id in the ISIC Archive."""
    names = (case.case_id.rsplit("/", 1)[-1].lower(), (case.isic_id or "").lower())
    return next((name for name in names if name in listed.split), None)


def _divided_groups(cases: Iterable[RawCase]) -> int:
    splits: dict[str, set[str | None]] = defaultdict(set)
    for case in cases:
        splits[case.group].add(case.split)
    return sum(len(each) > 1 for each in splits.values())


def _differs(label: str | None, number: str) -> bool:
    names = taxonomy.classnames("eight")
    return label in names and number.isdecimal() and int(number) < len(names) and label != names[int(number)]
