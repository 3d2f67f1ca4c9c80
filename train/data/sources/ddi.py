"""DDI (Diverse Dermatology Images): clinical photos from Stanford in three bands of skin type, all with a biopsy.

Reads `ddi_metadata.csv` beside 000001.png. A patient is not known. In-situ carcinoma counts as actinic keratosis.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .catalogue import source
from .diagnoses import class_of, subtype_of
from .items import make_item
from .raw import Item
from .skin import fitzpatrick
from .tables import find_table, index_pictures, read_table, text

SOURCE = source("ddi")
USED = {"DDI_file", "disease", "skin_tone"}


def read(where: str | Path) -> Iterator[Item]:
    """Yields every row of the table; CasesError if it is not there."""
    folder = Path(where)
    table = find_table(SOURCE, folder, "ddi_metadata.csv")
    pictures = index_pictures(folder)
    for number_of_row, row in enumerate(read_table(table, ("DDI_file", "disease")), start=2):
        name, code = Path(str(row["DDI_file"])).stem, text(row["disease"])
        label = class_of(code)
        yield make_item(
            SOURCE,
            name,
            code=code,
            label=label,
            picture=pictures.get(name.lower()),
            modality="clinical",
            number=number_of_row,
            row=row,
            used=USED,
            subtype=subtype_of((code or "").replace("-", " "), label),
            skin_type=fitzpatrick(row.get("skin_tone")),
        )
