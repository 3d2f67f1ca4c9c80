"""Derm7pt: each lesion twice, by dermoscopy and as a clinical photo, with the seven-point checklist.

The checklist's findings become the dermoscopic picture's description; score, management, difficulty and thickness give
the diagnosis away and stay in `extra`. The group is the lesion: a patient is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dermnote.images.opening import Modality

from .catalogue import source
from .diagnoses import class_of, plain, subtype_of
from .items import make_item, person
from .raw import Item, LeftOut
from .tables import Row, find_table, index_pictures, number, read_table

LISTS = {"train_indexes.csv": "train", "valid_indexes.csv": "validation", "test_indexes.csv": "test"}
FINDINGS = (
    *("pigment_network", "streaks", "pigmentation", "regression_structures", "dots_and_globules"),
    *("blue_whitish_veil", "vascular_structures"),
)
MODALITIES: dict[str, Modality] = {"derm": "dermoscopy", "clinic": "clinical"}
SOURCE = source("derm7pt")
USED = {"clinic", "derm", "diagnosis", "location", "sex", *FINDINGS}


def read(where: str | Path) -> Iterator[Item]:
    """Yields two pictures a row of meta.csv; CasesError if it is not there."""
    folder = Path(where)
    table = find_table(SOURCE, folder, "meta/meta.csv", "meta.csv")
    pictures = index_pictures(folder)
    splits: dict[int, str] = {}
    for name, split in LISTS.items():
        positions = (number(row["indexes"]) for row in read_table(find_table(SOURCE, folder, name), ("indexes",)))
        splits |= {int(position): split for position in positions if position is not None}
    for position, row in enumerate(read_table(table, ("diagnosis", "clinic", "derm"))):
        for column in ("derm", "clinic"):
            yield _item(row, column, pictures, number=position + 2, split=splits.get(position))


def _item(row: Row, column: str, pictures: dict[str, Path], **known: Any) -> Item:
    name, diagnosis = Path(str(row[column])).stem, str(row["diagnosis"])
    label, modality = class_of(diagnosis), MODALITIES[column]
    if column == "clinic" and str(row["clinic"]).lower() == str(row["derm"]).lower():
        reason = "no clinical photo: the dermoscopic one stands in its place"
        return LeftOut(f"{SOURCE.name}/{name}", SOURCE.name, reason)
    if column == "derm":
        seen = [f"{each.replace('_', ' ')} {row[each]}" for each in FINDINGS if row.get(each) not in (None, "absent")]
        known["description"] = "; ".join(seen) or None
    known |= {"row": row, "used": USED, "group": row.get("case_num"), **person(row, site="location")}
    known["subtype"] = None if " mm)" in diagnosis else subtype_of(plain(diagnosis), label)
    picture = pictures.get(name.lower())
    return make_item(SOURCE, name, code=diagnosis, label=label, picture=picture, modality=modality, **known)
