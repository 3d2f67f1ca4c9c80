"""Search result: one published case."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from PIL import Image

from dermnote.index.case_table import THUMBNAIL
from dermnote.metadata import LesionMetadata


@dataclass(frozen=True)
class Hit:
    """A published case found by a search.

    Attributes:
        case_id: Unique id, "source/id".
        score: Cosine between query and case, -1 to 1.
        label: The case's class.
        note: Its note, as written ("" if it has none).
        source: Data source.
        split: train, validation, test or external.
        malignancy: As in `LesionMetadata`, also the following up to `skin_type`; None if unknown.
        modality: "dermoscopy" or "clinical"; None if unknown.
        thumbnail_jpeg: The image as JPEG, at most 128 px.
    """

    case_id: str
    score: float
    label: str
    note: str
    source: str
    split: str
    malignancy: str | None = None
    subtype: str | None = None
    description: str | None = None
    age: float | None = None
    sex: str | None = None
    site: str | None = None
    skin_type: str | None = None
    modality: str | None = None
    thumbnail_jpeg: bytes | None = field(default=None, repr=False)

    @classmethod
    def from_row(cls, case: Mapping[str, Any], score: float) -> Hit:
        """Make a hit from a row of the case table."""
        known = LesionMetadata.from_mapping(case).to_mapping()
        return cls(
            case_id=str(case["case_id"]),
            score=max(-1.0, min(1.0, score)),  # rounding errors can exceed 1
            label=known.pop("label", ""),
            note=case["note"] or "",
            source=case["source"] or "",
            split=case["split"] or "",
            modality=case.get("modality"),  # missing in older indexes
            thumbnail_jpeg=case[THUMBNAIL],
            **known,
        )

    @property
    def metadata(self) -> LesionMetadata:
        """The recorded facts on the lesion."""
        return LesionMetadata.from_mapping(vars(self))

    @cached_property
    def thumbnail(self) -> Image.Image | None:
        """The image, RGB, decoded on first use."""
        if self.thumbnail_jpeg is None:
            return None
        return Image.open(io.BytesIO(self.thumbnail_jpeg)).convert("RGB")
