"""DERM12345: dermoscopy from Turkey, forty subclasses, from Dataverse (two parts) or as the ISIC Archive's copy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import isic_archive
from .catalogue import source
from .diagnoses import subtype_of
from .items import by_code, make_item
from .raw import Item
from .tables import index_pictures, official_split, read_table, text

TABLES = {f"derm12345_metadata_{part}{ending}": part for part in ("train", "test") for ending in (".csv", ".tab")}
LABELS = by_code(
    {
        "benign keratosis": "sk, sl, ls, isl, lk",
        "dermatofibroma": "df",
        "melanocytic nevus": "acb, acd, ajb, ajd, bdb, cb, ccb, ccd, cd, cjb, db, jb, jd, mcb, rd, srjd",
        "vascular lesion": "angk, ha, la, pg, sa",
        "actinic keratosis": "ak",
        "basal cell carcinoma": "bcc",
        "melanoma": "alm, anm, lm, lmm, mel",
        "squamous cell carcinoma": "scc, bd",
    }
)
SOURCE = source("derm12345")
USED = {"image_id", "label", "sub_class", "split", "patient_id", "lesion_id"}


def read(where: str | Path) -> Iterator[Item]:
    """Yields every row of the tables found; CasesError if there are none."""
    folder = Path(where)
    tables = [path for name in TABLES for path in sorted(folder.rglob(name))]
    if not tables:
        yield from isic_archive.read(folder, SOURCE)
        return
    pictures = index_pictures(folder)
    for table in tables:
        for number_of_row, row in enumerate(read_table(table, ("image_id", "label")), start=2):
            name, code = Path(str(row["image_id"])).stem, text(row["label"])
            label = LABELS.get(code or "")
            yield make_item(
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
                subtype=subtype_of(text(row.get("sub_class")), label),
                split=official_split(row.get("split")) or TABLES[table.name],
                isic_id=name if name.startswith("ISIC_") else None,
            )
