"""DermNet (Kaggle's copy): clinical photos in 23 categories; the disease is in the file's name.

A file whose name starts with none of the stems below has no class; "melanoma-mimic" pictures are no melanomas.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from .catalogue import source
from .items import make_item, pictures_below
from .raw import Item
from .tables import official_split

LABELS = {
    "seborrheic keratos": "benign keratosis",
    "lichen planus": "benign keratosis",
    "dermatofibroma": "dermatofibroma",
    "melanocytic nevi": "melanocytic nevus",
    "atypical nevi": "melanocytic nevus",
    "blue nevus": "melanocytic nevus",
    "congenital nevus": "melanocytic nevus",
    "halo nevus": "melanocytic nevus",
    "cherry angioma": "vascular lesion",
    "angiokeratoma": "vascular lesion",
    "hemangioma": "vascular lesion",
    "pyogenic granuloma": "vascular lesion",
    "actinic keratosis": "actinic keratosis",
    "bowens disease": "actinic keratosis",
    "basal cell carcinoma": "basal cell carcinoma",
    "malignant melanoma": "melanoma",
    "lentigo maligna": "melanoma",
    "squamous cell carcinoma": "squamous cell carcinoma",
    "keratoacanthoma": "squamous cell carcinoma",
}
SOURCE = source("dermnet")


def read(where: str | Path) -> Iterator[Item]:
    """Yields every picture below train/ and test/; CasesError if there is none."""
    for path in pictures_below(SOURCE, Path(where), "*/*/*"):
        disease = re.sub(r"[-_\s]*\d+[a-z]?$", "", path.stem.lower()).replace("-", " ")
        yield make_item(
            SOURCE,
            f"{path.parent.name}/{path.stem}",
            code=disease,
            label=next((label for stem, label in LABELS.items() if disease.startswith(stem)), None),
            picture=path,
            modality="clinical",
            row={"category": path.parent.name},
            split=official_split(path.parent.parent.name),
        )
