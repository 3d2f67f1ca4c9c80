"""Rows of a source: a case in the project's terms, or the reason for not having one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from dermnote.images.opening import Box, Modality


@dataclass(frozen=True)
class Source:
    """A data source and its terms of use.

    Attributes:
        name: Name on the command line and in the `source` column.
        title: Name for a reader.
        licence: Licence of the images, in the Hub's spelling where it has one ("cc-by-nc-4.0"), else "other".
        citation: Origin and how to cite it, one line.
        layout: The files looked for in its folder, for error messages.
        modality: "dermoscopy", "clinical" or "dermoscopy and clinical".
        classes: Those of the eight classes it has images of; empty if its own table decides.
        where: Address to get it from.
        known_issues: Known errors and how they are handled, one line each.
    """

    name: str
    title: str
    licence: str
    citation: str
    layout: str = ""
    modality: str = ""
    classes: tuple[str, ...] = ()
    where: str = ""
    known_issues: tuple[str, ...] = ()


@dataclass(frozen=True)
class RawCase:
    """One image and its row; None is "not known".

    Attributes:
        case_id: Unique over all sources: "source/id".
        source: Name of the source.
        modality: "dermoscopy" or "clinical".
        picture: A path, a PIL image, or a picklable callable that makes one (called in a worker process).
        group: Patient where known, else lesion; prefixed by the source.
        label: Class name (a name or alias known to `dermnote.taxonomy`, or the folder's own).
        malignancy: "benign", "pre-cancerous" or "malignant" if the table has it; else it follows from the class.
        subtype: Finer diagnosis, only where it adds to the class.
        description: Free text on findings or the diagnostic group.
        age: Years.
        sex: "female" or "male".
        site: Body site.
        skin_type: Skin tone with its scale.
        split: Official split ("train", "validation", "test"), or None.
        box: x0, y0, x1, y1 of the lesion in pixels of the stored image.
        extra: The rest of the row. Never shown to a model.
        aspect: True width / height of an image that was stored distorted; None if it was not.
        row: Row number in the table (the header is row 1).
        isic_id: Name in the ISIC Archive; identifies an image that several sources hold, sometimes at another size.
        modality_known: False if neither table nor command line gives the modality, and it is assumed.
    """

    case_id: str
    source: str
    modality: Modality
    picture: Path | Image.Image | Callable[[], Image.Image]
    group: str
    label: str | None = None
    malignancy: str | None = None
    subtype: str | None = None
    description: str | None = None
    age: float | None = None
    sex: str | None = None
    site: str | None = None
    skin_type: str | None = None
    split: str | None = None
    box: Box | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    aspect: float | None = None
    row: int | None = None
    isic_id: str | None = None
    modality_known: bool = True


@dataclass(frozen=True)
class LeftOut:
    """A valid row that is not used, and the reason ("no class for INF")."""

    case_id: str
    source: str
    reason: str


@dataclass(frozen=True)
class Rejected:
    """A row or file that cannot be used, its place in the table, and the reason."""

    source: str
    file: str
    row: int | None
    reason: str


Item = RawCase | LeftOut | Rejected
