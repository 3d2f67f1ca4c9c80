"""SD-198: clinical photos of 198 diseases, one folder a disease. No patient is known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .catalogue import source
from .diagnoses import class_of, subtype_of
from .items import make_item, pictures_below
from .raw import Item
from .tables import not_found

SOURCE = source("sd198")


def read(where: str | Path) -> Iterator[Item]:
    """Yields every picture below a folder with a disease's name; CasesError if no folder bears one of a class."""
    pictures = list(pictures_below(SOURCE, Path(where), "*/*"))
    if not any(class_of(path.parent.name) for path in pictures):
        raise not_found(SOURCE, Path(where))
    for path in pictures:
        disease = path.parent.name
        label = class_of(disease)
        yield make_item(
            SOURCE,
            f"{disease}/{path.stem}",
            code=disease,
            label=label,
            picture=path,
            modality="clinical",
            subtype=subtype_of(disease, label),
        )
