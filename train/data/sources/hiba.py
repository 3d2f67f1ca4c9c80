"""HIBA: dermoscopy and clinical photos from the Hospital Italiano de Buenos Aires, a collection of the ISIC Archive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import isic_archive
from .catalogue import source
from .raw import Item

SOURCE = source("hiba")


def read(where: str | Path) -> Iterator[Item]:
    """Yields every row of metadata.csv; CasesError if there is none."""
    return isic_archive.read(where, SOURCE)
