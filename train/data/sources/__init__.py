"""Sources of cases: the known ones of `sources.yaml`, drawn lesions, and any folder of images with a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from dermnote.images.opening import Modality

from . import image_folder
from .catalogue import entries, layouts, source
from .raw_case import Item, LeftOut, RawCase, Rejected, Source
from .table_reader import read_layouts

NAMED = tuple(entries())


@dataclass(frozen=True)
class Reader:
    """A source with its reading function; the argument is a folder, or for `drawn` a spec such as "800,seed=1"."""

    source: Source
    read: Callable[[str], Iterator[Item]]


def get_reader(name: str, modality: Modality | None = None) -> Reader:
    """Return the reader of a known source; any other name is a folder of images.

    `modality` is that of the images of a folder whose table does not give it.
    """
    if name == "drawn":
        from . import drawn

        return Reader(source(name), drawn.read)
    if name in NAMED:
        known = source(name)
        return Reader(known, lambda folder: read_layouts(known, layouts(name), Path(folder)))
    own = replace(image_folder.SOURCE, name=name, title=name)
    return Reader(own, lambda folder: image_folder.read(folder, own, modality))


__all__ = ["NAMED", "Item", "LeftOut", "RawCase", "Reader", "Rejected", "Source", "get_reader"]
