"""Derm7pt: each lesion twice, by dermoscopy and as a clinical photo, with the seven-point checklist.

Reads `release_v0/` (`meta/meta.csv`, three lists of row positions, `images/`). The checklist's findings become the
dermoscopic picture's description; its score, the management and the difficulty give the diagnosis away and stay in
`extra`, Breslow's thickness with them. The group is the lesion: a patient is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from train.datasets.catalogue import source
from train.datasets.diagnoses import class_of, plain, subtype_of
from train.datasets.items import make_item, person
from train.datasets.raw import Item, LeftOut
from train.datasets.tables import Row, find_table, in_words, index_pictures, number, read_table

LISTS = {"train_indexes.csv": "train", "valid_indexes.csv": "validation", "test_indexes.csv": "test"}
FINDINGS = (
    *("pigment_network", "streaks", "pigmentation", "regression_structures", "dots_and_globules"),
    *("blue_whitish_veil", "vascular_structures"),
)
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
            yield _item(row, column, position + 2, pictures, splits.get(position))


def _item(row: Row, column: str, number_of_row: int, pictures: dict[str, Path], split: str | None) -> Item:
    name, diagnosis = Path(str(row[column])).stem, str(row["diagnosis"])
    if column == "clinic" and str(row["clinic"]).lower() == str(row["derm"]).lower():
        reason = "no clinical photo: the dermoscopic one stands in its place"
        return LeftOut(f"{SOURCE.name}/{name}", SOURCE.name, reason)
    seen = {finding: in_words(row.get(finding)) for finding in FINDINGS} if column == "derm" else {}
    described = [f"{name.replace('_', ' ')} {value}" for name, value in seen.items() if value and value != "absent"]
    label = class_of(diagnosis)
    return make_item(
        SOURCE,
        name,
        code=diagnosis,
        label=label,
        picture=pictures.get(name.lower()),
        modality="dermoscopy" if column == "derm" else "clinical",
        group=row.get("case_num"),
        number=number_of_row,
        row=row,
        used=USED,
        subtype=None if " mm)" in diagnosis else subtype_of(plain(diagnosis), label),
        description="; ".join(described) or None,
        **person(row, site="location"),
        split=split,
    )
