"""SKINL2: dermoscopy (the light fields beside it are not read), v1 to v3, the class as a folder's name.

Read are `.../Dermatoscopic/CLASS/N_Dermatoscopic.png` (v1) and `N/CLASS/Dermatoscopic/N_Dermatoscopic.png` (v2, v3).
The group is the lesion, which is the number that a file's name starts with.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .catalogue import source
from .items import make_item, pictures_below
from .raw import Item

LABELS = {
    "basal-cell carcinoma": "basal cell carcinoma",
    "melanoma": "melanoma",
    "seborrheic keratosis": "benign keratosis",
    "nevus": "melanocytic nevus",
    "hemangioma": "vascular lesion",
    "dermatofibroma": "dermatofibroma",
}
SUBTYPES = {"seborrheic keratosis", "hemangioma"}
SOURCE = source("skinl2")


def read(where: str | Path) -> Iterator[Item]:
    """Yields every dermoscopic picture; CasesError if there is none."""
    folder = Path(where)
    for path in pictures_below(SOURCE, folder, "*_Dermatoscopic.*"):
        parts = [part.lower() for part in path.relative_to(folder).parts[:-1] if part.lower() != "dermatoscopic"]
        code = parts[-1] if parts else None
        lesion = path.stem.split("_")[0].lstrip("0")
        yield make_item(
            SOURCE,
            path.stem,
            code=code,
            label=LABELS.get(code or ""),
            picture=path,
            modality="dermoscopy",
            group=lesion,
            subtype=code if code in SUBTYPES else None,
        )
