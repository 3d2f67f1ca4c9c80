"""MRA-MIDAS: lesions from Stanford that were biopsied, each from 30 cm, from 15 cm and by dermoscopy.

The label is the pathologist's (`midas_path`); a control was not biopsied and has none. Impressions and the report's
words give it away and stay in `extra`. Endings of file names differ from the table's; the group is `midas_record_id`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from .catalogue import source
from .diagnoses import subtype_of
from .items import by_code, make_item, person
from .raw import Item
from .tables import find_table, index_pictures, read_table, text

LABELS = by_code(
    {
        "benign keratosis": "benign-seborrheic keratosis",
        "dermatofibroma": "benign-dermatofibroma",
        "melanocytic nevus": "benign-melanocytic nevus",
        "vascular lesion": "benign-hemangioma",
        "actinic keratosis": "malignant-ak",
        "basal cell carcinoma": "malignant-bcc",
        "melanoma": "malignant-melanoma",
        "squamous cell carcinoma": "malignant-scc, malignant-sccis",
    }
)
SOURCE = source("mra_midas")
PERSON = {"age": "midas_age", "sex": "midas_gender", "site": "midas_location", "skin_type": "midas_fitzpatrick"}
USED = {"midas_file_name", "midas_record_id", "midas_distance", "midas_path", *PERSON.values()}


def read(where: str | Path) -> Iterator[Item]:
    """Yields every row of the table; CasesError if there is none."""
    folder = Path(where)
    table = find_table(SOURCE, folder, "release_midas.xlsx", "release_midas.csv")
    pictures = index_pictures(folder)
    for number_of_row, row in enumerate(read_table(table, ("midas_file_name", "midas_path")), start=2):
        name, written = Path(str(row["midas_file_name"])).stem, (text(row["midas_path"]) or "").lower()
        code = re.sub(r"\s*-\s*", "-", re.sub(r"^(0$|\d+\s*-)", "", written)) or None
        finer = "squamous cell carcinoma in situ" if code == "malignant-sccis" else (code or "").removeprefix("benign-")
        label = LABELS.get(code or "")
        yield make_item(
            SOURCE,
            name,
            code=code,
            label=label,
            picture=pictures.get(name.lower()),
            modality="dermoscopy" if row.get("midas_distance") == "dscope" else "clinical",
            group=row.get("midas_record_id"),
            number=number_of_row,
            row=row,
            used=USED,
            subtype=None if finer.startswith("malignant") else subtype_of(finer, label),
            **person(row, **PERSON),
        )
