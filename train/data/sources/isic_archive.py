"""Collections of the ISIC Archive: `metadata.csv` beside ISIC_*.JPG, one folder a collection, or several below one.

The diagnosis is the finest of diagnosis_3 to _5 (older exports: `diagnosis`) that has a class; in-situ carcinoma counts
as squamous, as in the authors' MSK. How it was confirmed (`diagnosis_confirm_type`, a biopsy) stays in `extra`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dermnote.images.opening import Modality

from .catalogue import source
from .diagnoses import SQUAMOUS, class_of, subtype_of
from .items import make_item, person
from .raw import Item, Source
from .tables import find_table, in_words, index_pictures, malignancy_of, read_table, text

SOURCE = source("isic_archive")
DIAGNOSES = ("diagnosis_5", "diagnosis_4", "diagnosis_3", "diagnosis")
KINDS: dict[str, Modality] = {"dermoscopic": "dermoscopy", "clinical": "clinical", "tbp tile": "clinical"}
USED = {
    *("isic_id", *DIAGNOSES, "diagnosis_1", "diagnosis_2", "benign_malignant", "image_type", "age_approx", "sex"),
    *("anatom_site_general", "fitzpatrick_skin_type", "patient_id", "lesion_id"),
}


def read(where: str | Path, source: Source = SOURCE) -> Iterator[Item]:
    """Yields every row of every metadata.csv; CasesError if there is none."""
    folder = Path(where)
    find_table(source, folder, "metadata.csv")  # an error if there is none
    pictures = index_pictures(folder)
    for table in sorted(folder.rglob("metadata.csv")):
        for number_of_row, row in enumerate(read_table(table, ("isic_id",)), start=2):
            isic_id = str(row["isic_id"])
            kind = (text(row.get("image_type")) or "dermoscopic").lower().split(":")[0]
            named = [name for column in DIAGNOSES if (name := text(row.get(column)))]
            found = (class_of(name, in_situ=SQUAMOUS) for name in named)
            finest, label = next(iter(named), None), next(filter(None, found), None)
            if kind not in KINDS:  # microscopy, or histology
                label, finest = None, f"a picture of type {kind}"
            yield make_item(
                source,
                isic_id,
                code=finest,
                label=label,
                picture=pictures.get(isic_id.lower()),
                modality=KINDS.get(kind, "clinical"),
                group=row.get("patient_id") or row.get("lesion_id"),
                number=number_of_row,
                row=row,
                used=USED,
                malignancy=malignancy_of(row.get("diagnosis_1") or row.get("benign_malignant")),
                subtype=subtype_of(finest, label),
                description=in_words(row.get("diagnosis_2")),
                **person(row, skin_type="fitzpatrick_skin_type"),
                isic_id=isic_id,
            )
