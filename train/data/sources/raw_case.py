"""What a source yields: a case as its publisher describes it, in the project's words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from dermnote.images.opening import Box, Modality


@dataclass(frozen=True)
class Source:
    """A data source, and what may be done with it.

    Attributes:
        name: Name on the command line and in the `source` column.
        title: Name for a reader.
        licence: Licence of the pictures, in the Hub's spelling where it has one ("cc-by-nc-4.0"), else "other".
        citation: Where it comes from and how to cite it, one line.
        layout: The files looked for in its folder, for error messages.
        modality: "dermoscopy", "clinical" or "dermoscopy and clinical".
        classes: Those of the eight classes it has pictures of; empty if its own table decides.
        where: Address to get it from.
        faults: What is known to be wrong with it, and what is done about it, one line each.
    """

    name: str
    title: str
    licence: str
    citation: str
    layout: str = ""
    modality: str = ""
    classes: tuple[str, ...] = ()
    where: str = ""
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class RawCase:
    """One picture and what its table says; None is "not known".

    Attributes:
        case_id: Unique over all sources: "source/id".
        source: Name of the source.
        modality: "dermoscopy" or "clinical".
        picture: A path, a PIL picture, or a picklable callable that makes one (called in a worker process).
        label: Class name (a name or alias known to `dermnote.taxonomy`, or the folder's own).
        malignancy: "benign", "pre-cancerous" or "malignant" if the table says; else it follows from the class.
        subtype: Finer diagnosis, only where it says more than the class.
        description: Free words on findings or the diagnostic group.
        age: Years.
        sex: "female" or "male".
        site: Place on the body.
        skin_type: Skin tone with its scale.
        group: Patient where known, else lesion; prefixed by the source.
        split: Official split ("train", "validation", "test"), or None.
        box: x0, y0, x1, y1 of the lesion in pixels of the picture as stored.
        extra: The rest of the row. Never shown to a model.
        aspect: True width / height of a picture that was squashed by whoever stored it; None if it was not.
        row: Its row in the table (the header is row 1), for whoever must repair it.
        isic_id: Its name in the ISIC Archive, if it has one. Several sources hold the same picture, sometimes at
            another size; by this name it is known to be the same one.
        modality_told: Whether table or user say the modality, and it is not merely assumed.
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
    modality_told: bool = True


@dataclass(frozen=True)
class LeftOut:
    """A row that is sound but not used, and why ("no class for INF")."""

    case_id: str
    source: str
    reason: str


@dataclass(frozen=True)
class Rejected:
    """A row or file that cannot be used: where it stands, and what is wrong."""

    source: str
    file: str
    row: int | None
    reason: str


Item = RawCase | LeftOut | Rejected
