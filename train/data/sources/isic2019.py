"""ISIC 2019 challenge: HAM10000, BCN20000 and MSK dermoscopy in one, eight classes as one-hot columns.

Its pictures are known in those sources by ISIC id, its lesions by name: what they test on is left out here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .catalogue import source
from .items import make_item, person
from .raw import Item
from .tables import find_table, index_pictures, number, read_table

PARTS = {"Training": "train", "Test": "test"}
LABELS = {
    "MEL": "melanoma",
    "NV": "melanocytic nevus",
    "BCC": "basal cell carcinoma",
    "AK": "actinic keratosis",
    "BKL": "benign keratosis",
    "DF": "dermatofibroma",
    "VASC": "vascular lesion",
    "SCC": "squamous cell carcinoma",
}
SOURCE = source("isic2019")
ORIGINS = {"HAM": "ham10000", "BCN": "bcn20000"}  # whose lesion names these are
USED = {"image", *LABELS, "UNK", "age_approx", "anatom_site_general", "lesion_id", "sex"}


def read(where: str | Path) -> Iterator[Item]:
    """Yields every row of the training part, and of the test part where it is there; CasesError if neither is."""
    folder = Path(where)
    find_table(SOURCE, folder, *(f"ISIC_2019_{part}_GroundTruth.csv" for part in PARTS))  # an error if there is none
    pictures = index_pictures(folder)
    for part, split in PARTS.items():
        tables = sorted(folder.rglob(f"ISIC_2019_{part}_Metadata.csv"))
        more = {row["image"]: row for table in tables for row in read_table(table, ("image",))}
        for truth in sorted(folder.rglob(f"ISIC_2019_{part}_GroundTruth.csv")):
            for number_of_row, row in enumerate(read_table(truth, ("image", *LABELS)), start=2):
                name, row = str(row["image"]), {**more.get(row["image"], {}), **row}
                code = next((each for each in (*LABELS, "UNK") if number(row.get(each)) == 1), None)
                yield make_item(
                    SOURCE,
                    name,
                    code=code,
                    label=LABELS.get(code or ""),
                    picture=pictures.get(name.lower()),
                    modality="dermoscopy",
                    group=row.get("lesion_id"),
                    lesion_of=ORIGINS.get(str(row.get("lesion_id")).split("_")[0]),
                    number=number_of_row,
                    row=row,
                    used=USED,
                    **person(row),
                    split=split,
                    isic_id=name.removesuffix("_downsampled"),
                )
