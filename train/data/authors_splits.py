"""The split files of the authors' related code, as the official split of the sources they know.

The folder is their `CSV` folder: one folder a data set with `labels_train.csv`, `labels_valid.csv`, `labels_test.csv`
(no header; file name and class number), or with `labels_test.csv` alone where all pictures are for testing. Only the
side is taken from there, never the label.

What a careful reader of their figures would want, and gets:

- A picture that they do not list is left out, so that the pictures are theirs.
- A picture that stands on two of their sides counts for the later one, as do all pictures of a patient or lesion: the
  79 test pictures of Derm7pt that are also in its validation list are no validation pictures here, and a lesion of
  BCN20000 that is tested on is not trained on. `train.data.splits` leaves out what gives way and says how much that is.
- A source of whose ids none is in their files keeps its own split, and is named.
- What does not match is counted, in both directions, and so are classes that differ from ours.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dermnote import taxonomy
from dermnote.errors import CasesError

from .gather import Gathered
from .sources.raw import LeftOut, RawCase
from .splits import LATER

FOLDERS = {
    "bcn20000": ("BCN20000",),
    "ddi": ("DDI",),
    "derm12345": ("derm12345",),
    "derm7pt": ("Derm7pt",),
    "dermnet": ("DermNet",),
    "fitzpatrick17k": ("Fitzpatrick17k",),
    "fluo_sc": ("FLUO_SC",),
    "ham10000": ("HAM10000",),
    "hiba": ("Hospital_Italiano_Buenos_Aires",),
    "milk10k": ("Milk10k_clinic", "Milk10k_dermo"),
    "mra_midas": ("MRA_MIDAS",),
    "msk": ("MSK",),
    "pad_ufes_20": ("PAD_UFES_20",),
    "ph2": ("PH2",),
    "sd198": ("SD198",),
    "skinl2": ("SKINL2",),
}
FILES = {"labels_train.csv": "train", "labels_valid.csv": "validation", "labels_test.csv": "test"}
NOT_LISTED = "not in the authors' split files"


@dataclass
class Sides:
    """What the authors' files say of one source.

    Attributes:
        split: The latest side of each picture, by its name in lower case.
        label: Its class number, by the same name.
        both: Names listed on more than one side.
    """

    split: dict[str, str] = field(default_factory=dict)
    label: dict[str, str] = field(default_factory=dict)
    both: set[str] = field(default_factory=set)


def read_sides(folders: Iterable[Path]) -> Sides:
    """Reads the lists of one source's folders."""
    sides = Sides()
    for path, split in ((folder / name, split) for folder in folders for name, split in FILES.items()):
        if not path.is_file():
            continue
        with path.open(newline="", encoding="utf-8-sig") as stream:
            for row in csv.reader(stream):
                name = Path(row[0].strip()).stem.lower() if row else ""
                if not name:
                    continue
                before = sides.split.get(name, split)
                if before != split:
                    sides.both.add(name)
                sides.split[name] = max(before, split, key=LATER.index)
                sides.label[name] = row[1].strip() if len(row) > 1 else ""
    return sides


def apply_authors_splits(gathered: Gathered, folder: Path) -> list[str]:
    """Replaces the official split of every case of a source in the authors' files; what was done, in plain lines.

    Args:
        gathered: Its cases get their side, or join those left out.
        folder: The authors' folder.

    Raises:
        CasesError: The folder is not there, or knows none of the sources.
    """
    if not folder.is_dir():
        raise CasesError(f"The folder of the authors' splits, {folder}, is not there.")
    known = {name: [folder / each for each in FOLDERS.get(name, ())] for name in gathered.sources}
    found = {name: sides for name, folders in known.items() if (sides := read_sides(folders)).split}
    if not found:
        hint = f"It should hold folders such as {FOLDERS['ham10000'][0]}/labels_test.csv."
        raise CasesError(f"{folder} has no split files for {', '.join(gathered.sources)}.", hint)
    told = []
    for name, sides in found.items():
        mine = [case for case in gathered.cases if case.source == name]
        kept, others, line = _apply(name, mine, sides)
        gathered.cases[:] = [case for case in gathered.cases if case.source != name] + kept
        gathered.left_out += [LeftOut(case.case_id, name, NOT_LISTED) for case in others]
        told += line
    return told


def _apply(name: str, cases: Sequence[RawCase], sides: Sides) -> tuple[list[RawCase], list[RawCase], list[str]]:
    """(cases with their side, cases that are not listed, lines to tell) of one source."""
    listed = {case.case_id: key for case in cases if (key := _key(case, sides)) is not None}
    if not listed:
        told = (
            f"{name}: none of the authors' {len(sides.split)} ids is among its {len(cases)} cases; its own split stays"
        )
        return list(cases), [], [told]
    kept = [replace(case, split=sides.split[listed[case.case_id]]) for case in cases if case.case_id in listed]
    others = [case for case in cases if case.case_id not in listed]
    lines = [
        f"{name}: {len(kept)} cases on the authors' sides; {len(others)} are not in their files and left out; "
        f"{len(sides.split) - len(set(listed.values()))} of their {len(sides.split)} ids match no case"
    ]
    if both := len(sides.both & set(listed.values())):
        lines.append(f"{name}: {both} pictures stand on two of their sides and count for the later one")
    if parted := _parted(kept):
        lines.append(
            f"{name}: {parted} patients or lesions stand on several of their sides; the earlier side gives way"
        )
    if differing := sum(_differs(case.label, sides.label[listed[case.case_id]]) for case in kept):
        lines.append(f"{name}: {differing} have another class in their files; ours is kept")
    return kept, others, lines


def _key(case: RawCase, sides: Sides) -> str | None:
    """The name under which the authors list a case: its file's, or its id in the ISIC Archive."""
    names = (case.case_id.rsplit("/", 1)[-1].lower(), (case.isic_id or "").lower())
    return next((name for name in names if name in sides.split), None)


def _parted(cases: Iterable[RawCase]) -> int:
    sides: dict[str, set[str | None]] = defaultdict(set)
    for case in cases:
        sides[case.group].add(case.split)
    return sum(len(each) > 1 for each in sides.values())


def _differs(label: str | None, number: str) -> bool:
    names = taxonomy.classnames("eight")
    return label in names and number.isdecimal() and int(number) < len(names) and label != names[int(number)]
