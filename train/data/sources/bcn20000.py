"""BCN20000: dermoscopy from Barcelona, several pictures of most lesions.

Reads the FigShare layout (`bcn_20k_train.csv`, `bcn_20k_test.csv`, with codes or names as diagnoses) and the ISIC
Archive's collection 249. The group is the lesion, by the name that ISIC 2019 gives it too. The test part holds a class
that is in none of ours, which is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import isic2019, isic_archive
from .catalogue import source
from .diagnoses import SQUAMOUS, class_of, subtype_of
from .items import make_item, person
from .raw import Item
from .tables import Row, index_pictures, official_split, read_table, text

TABLES = {"bcn_20k_train.csv": "train", "bcn_20k_test.csv": "test"}
SOURCE = source("bcn20000")
USED = {"bcn_filename", "diagnosis", "lesion_id", "age_approx", "anatom_site_general", "sex", "split"}


def read(where: str | Path) -> Iterator[Item]:
    """Yields every row of the tables found; CasesError if there are none."""
    folder = Path(where)
    tables = [path for name in TABLES for path in sorted(folder.rglob(name))]
    if not tables:
        yield from isic_archive.read(folder, SOURCE)
        return
    pictures = index_pictures(folder)
    for table in tables:
        for number_of_row, row in enumerate(read_table(table, ("bcn_filename", "diagnosis")), start=2):
            yield _item(row, number_of_row, pictures, TABLES[table.name])


def _item(row: Row, number_of_row: int, pictures: dict[str, Path], part: str) -> Item:
    name, code = Path(str(row["bcn_filename"])).stem, text(row["diagnosis"])
    label = isic2019.LABELS.get(code or "") or class_of(code, in_situ=SQUAMOUS)
    return make_item(
        SOURCE,
        name,
        code=code,
        label=label,
        picture=pictures.get(name.lower()),
        modality="dermoscopy",
        group=row.get("lesion_id"),
        number=number_of_row,
        row=row,
        used=USED,
        subtype=None if code in isic2019.LABELS else subtype_of(code, label),
        **person(row),
        split=official_split(row.get("split")) or part,
    )
