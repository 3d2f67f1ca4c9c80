"""Registry of sources. Each module has `SOURCE` and `read(folder)`, which yields `RawCase`, `LeftOut` and `Rejected`.

To add one: write a module beside this file, say in `sources.yaml` what it is, and name it below. A folder with a table
needs no module: `imagefolder`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from dermnote.images.opening import Modality

from .raw import Item, LeftOut, RawCase, Rejected, Source

NAMED = (
    *("milk10k", "ham10000", "pad_ufes_20", "isic2017", "bcn20000", "isic2019", "isic2020", "derm12345", "derm7pt"),
    *("dermnet", "fitzpatrick17k", "sd198", "skinl2", "hiba", "msk", "isic_archive", "ph2", "ddi", "scin", "med_node"),
    *("mra_midas", "fluo_sc", "drawn"),
)


@dataclass(frozen=True)
class Reader:
    """A source with its reading function; `where` is a folder, or for `drawn` a spec such as "800,seed=1"."""

    source: Source
    read: Callable[[str], Iterator[Item]]


def get_reader(name: str, modality: Modality | None = None) -> Reader:
    """The reader of a named source; any other name is an `imagefolder` under that name. Modules load when asked for.

    Args:
        name: Of the source.
        modality: Of the pictures of an `imagefolder` whose table does not say.
    """
    if name in NAMED:
        module = importlib.import_module(f"train.data.sources.{name}")
        return Reader(module.SOURCE, module.read)
    from . import imagefolder

    source = replace(imagefolder.SOURCE, name=name, title=name)
    return Reader(source, lambda where: imagefolder.read(where, source, modality))


__all__ = ["NAMED", "Item", "LeftOut", "RawCase", "Reader", "Rejected", "Source", "get_reader"]
