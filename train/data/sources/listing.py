"""The known sources as a page of text: what `python -m train.prepare --list` prints."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from dermnote.taxonomy import EIGHT

from . import NAMED, imagefolder
from .catalogue import source
from .raw import Source

WIDTH = 100
INDENT = 12
EVERY = f"The eight classes: {', '.join(each.name for each in EIGHT)}."
ANY = f"""Any other name is a folder of your own, with {" or ".join(imagefolder.TABLES)}.
Licences are those of the pictures; "other" means terms of their own, to be read where they are had.
Research use only, never a diagnosis."""


def listing() -> str:
    """Every named source with modality, classes, licence, where to get it and its known faults, 100 columns wide."""
    entries = ["\n".join(_entry(source(name))) for name in NAMED]
    return "\n\n".join([*entries, "\n".join([*textwrap.wrap(EVERY, WIDTH), ANY])])


def _entry(about: Source) -> Iterator[str]:
    yield f"{about.name} - {about.title}"
    yield from _field("pictures", about.modality)
    yield from _field("classes", "all eight" if len(about.classes) == len(EIGHT) else ", ".join(about.classes))
    yield from _field("licence", about.licence)
    yield from _field("from", about.where)
    yield from _field("cite", about.citation)
    yield from _field("looks for", about.layout)
    for number, fault in enumerate(about.faults):
        yield from _field("" if number else "mind", f"- {fault}", hanging=2)


def _field(name: str, value: str, hanging: int = 0) -> list[str]:
    first, later = f"  {name:<{INDENT - 2}}", " " * (INDENT + hanging)
    return textwrap.wrap(
        value, WIDTH, initial_indent=first, subsequent_indent=later, break_long_words=False, break_on_hyphens=False
    )
