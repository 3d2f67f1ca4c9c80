"""Fitzpatrick17k: clinical photos of 114 diseases from two atlases, with the skin type as lay raters saw it.

Reads `fitzpatrick17k.csv`; its pictures, fetched by address, are named by `md5hash` or by `url_alphanum`.
A patient is not known, so each picture is a group of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .catalogue import source
from .diagnoses import class_of, subtype_of
from .items import make_item
from .raw import Item, LeftOut
from .skin import fitzpatrick
from .tables import Row, find_table, index_pictures, read_table, text

SOURCE = source("fitzpatrick17k")
USED = {"md5hash", "label", "fitzpatrick_scale"}


def read(where: str | Path) -> Iterator[Item]:
    """Yields every row of the table; CasesError if it is not there."""
    folder = Path(where)
    table = find_table(SOURCE, folder, "fitzpatrick17k.csv")
    pictures = index_pictures(folder)
    for number_of_row, row in enumerate(read_table(table, ("md5hash", "label")), start=2):
        yield _item(row, number_of_row, pictures)


def _item(row: Row, number_of_row: int, pictures: dict[str, Path]) -> Item:
    name, disease = str(row["md5hash"]), text(row["label"])
    if "wrongly" in str(row.get("qc")).lower():
        return LeftOut(f"{SOURCE.name}/{name}", SOURCE.name, "wrongly labelled, says the publisher")
    label, other_name = class_of(disease), Path(str(row.get("url_alphanum"))).stem
    return make_item(
        SOURCE,
        name,
        code=disease,
        label=label,
        picture=pictures.get(name.lower()) or pictures.get(other_name.lower()),
        modality="clinical",
        number=number_of_row,
        row=row,
        used=USED,
        subtype=subtype_of(disease, label),
        skin_type=fitzpatrick(row.get("fitzpatrick_scale")),
    )
