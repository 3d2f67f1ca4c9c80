"""ISIC 2019 challenge: HAM10000, BCN20000 and MSK dermoscopy in one, eight classes as one-hot columns.

Beside the sources it was made of, nothing needs to be taken out by hand: its pictures are known there by their ISIC id,
and its lesions by the lesion's name. A lesion is on one side only; where another source is `--external`, or holds the
picture in its test part, this one's copy is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from train.datasets.catalogue import source
from train.datasets.items import make_item, person
from train.datasets.raw import Item
from train.datasets.tables import Row, find_table, index_pictures, number, read_table

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
    find_table(SOURCE, folder, *(f"ISIC_2019_{part}_GroundTruth.csv" for part in PARTS))
    pictures = index_pictures(folder)
    for part, split in PARTS.items():
        more: dict[str, Row] = {}
        for table in folder.rglob(f"ISIC_2019_{part}_Metadata.csv"):
            more |= {row["image"]: row for row in read_table(table, ("image",))}
        for truth in sorted(folder.rglob(f"ISIC_2019_{part}_GroundTruth.csv")):
            for number_of_row, row in enumerate(read_table(truth, ("image", *LABELS)), start=2):
                row = {**more.get(row["image"], {}), **row}
                name, lesion = str(row["image"]), row.get("lesion_id")
                code = next((code for code in (*LABELS, "UNK") if number(row.get(code)) == 1), None)
                yield make_item(
                    SOURCE,
                    name,
                    code=code,
                    label=LABELS.get(code or ""),
                    picture=pictures.get(name.lower()),
                    modality="dermoscopy",
                    group=lesion,
                    lesion_of=ORIGINS.get(str(lesion).split("_")[0]),
                    number=number_of_row,
                    row=row,
                    used=USED,
                    **person(row),
                    split=split,
                    isic_id=name.removesuffix("_downsampled"),
                )
