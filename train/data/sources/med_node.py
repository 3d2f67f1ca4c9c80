"""MED-NODE: clinical photos of melanoma and nevus from Groningen, one folder a class. No patient is known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .catalogue import source
from .items import make_item, pictures_below
from .raw import Item
from .tables import not_found

LABELS = {"melanoma": "melanoma", "naevus": "melanocytic nevus"}
SOURCE = source("med_node")


def read(where: str | Path) -> Iterator[Item]:
    """Yields every picture of the two folders; CasesError if one is missing."""
    folder = Path(where)
    found = [path for path in pictures_below(SOURCE, folder, "*/*") if path.parent.name in LABELS]
    if {path.parent.name for path in found} != set(LABELS):
        raise not_found(SOURCE, folder)
    for path in found:
        code = path.parent.name
        name, label = f"{code}/{path.stem}", LABELS[code]
        yield make_item(SOURCE, name, code=code, label=label, picture=path, modality="clinical")
