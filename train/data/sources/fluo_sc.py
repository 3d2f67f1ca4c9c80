"""FLUO-SC: clinical photos from Brazil (the fluorescence pictures beside them are not read), the class in the name.

Read are CLI_CODE_N.jpg. CCE, by whose name the publisher means squamous cell carcinoma, is followed as a code: the text
that the authors' table gives those 78 pictures, "nevus", contradicts their own label. No patient is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .catalogue import source
from .items import make_item, pictures_below
from .raw import Item

LABELS = {
    "ACK": "actinic keratosis",
    "BCC": "basal cell carcinoma",
    "CCE": "squamous cell carcinoma",
    "MEL": "melanoma",
    "NEV": "melanocytic nevus",
    "SEK": "benign keratosis",
}
SUBTYPES = {"SEK": "seborrheic keratosis"}
SOURCE = source("fluo_sc")


def read(where: str | Path) -> Iterator[Item]:
    """Yields every clinical photo; CasesError if there is none."""
    for path in pictures_below(SOURCE, Path(where), "CLI_*"):
        code = path.stem.split("_")[1].upper()
        yield make_item(
            SOURCE,
            path.stem,
            code=code,
            label=LABELS.get(code),
            picture=path,
            modality="clinical",
            subtype=SUBTYPES.get(code),
        )
