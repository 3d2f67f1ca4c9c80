"""MSK-1 to MSK-5: dermoscopy from Memorial Sloan Kettering, five collections of the ISIC Archive below one folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import isic_archive
from .catalogue import source
from .raw import Item

SOURCE = source("msk")


def read(where: str | Path) -> Iterator[Item]:
    """Yields every row of every metadata.csv; CasesError if there is none."""
    return isic_archive.read(where, SOURCE)
