"""ISIC 2020 challenge: dermoscopy with the patient known, melanoma against the rest.

Most benign pictures have no diagnosis ("unknown") and so no class. Where the publisher's list of duplicates lies beside
the table, the second picture of each pair is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .catalogue import source
from .diagnoses import class_of, subtype_of
from .items import make_item, person
from .raw import Item, LeftOut
from .tables import Row, find_table, index_pictures, malignancy_of, read_table, text

TABLES = ("ISIC_2020_Training_GroundTruth_v2.csv", "ISIC_2020_Training_GroundTruth.csv", "train.csv")
SOURCE = source("isic2020")
USED = {
    *("image_name", "isic_id", "patient_id", "lesion_id", "sex", "age_approx", "anatom_site_general_challenge"),
    *("anatom_site_general", "diagnosis", "benign_malignant", "target"),
}


def read(where: str | Path) -> Iterator[Item]:
    """Yields every row of the first table found; CasesError if there is none."""
    folder = Path(where)
    table = find_table(SOURCE, folder, *TABLES)
    pictures = index_pictures(folder)
    doubles: dict[str, str] = {}
    for listed in sorted(folder.rglob("ISIC_2020_Training_Duplicates.csv")):
        doubles |= {row["image_name_2"]: row["image_name_1"] for row in read_table(listed, ("image_name_2",))}
    for number_of_row, row in enumerate(read_table(table, ("image_name", "diagnosis")), start=2):
        yield _item(row, number_of_row, pictures, doubles)


def _item(row: Row, number_of_row: int, pictures: dict[str, Path], doubles: dict[str, str]) -> Item:
    name, code = str(row["image_name"]), text(row["diagnosis"])
    if name in doubles:
        return LeftOut(f"{SOURCE.name}/{name}", SOURCE.name, "listed by the publisher as a duplicate")
    label = class_of(code)
    return make_item(
        SOURCE,
        name,
        code=code,
        label=label,
        picture=pictures.get(name.lower()),
        modality="dermoscopy",
        group=row.get("patient_id") or row.get("lesion_id"),
        number=number_of_row,
        row=row,
        used=USED,
        malignancy=malignancy_of(row.get("benign_malignant")),
        subtype=subtype_of(code, label),
        **person(row, site="anatom_site_general_challenge"),
        isic_id=name,
    )
