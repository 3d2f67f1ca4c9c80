"""What a search gives back: one published case."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import cached_property

from PIL import Image

from dermnote.metadata import LesionMetadata


@dataclass(frozen=True)
class Hit:
    """A published case that a search found.

    Attributes:
        case_id: Unique id, "source/id".
        score: Cosine between query and case, -1 to 1.
        label: The case's class.
        note: Its note, as written ("" if it has none).
        source: Data source.
        split: train, validation, test or external.
        malignancy: "benign", "pre-cancerous" or "malignant"; this and what follows None if not known.
        subtype: Finer diagnosis.
        description: Free words on findings or the diagnostic group.
        age: Years.
        sex: "female" or "male".
        site: Place on the body.
        skin_type: Skin tone with its scale.
        modality: "dermoscopy" or "clinical".
        thumbnail_jpeg: The picture as JPEG, at most 128 px.
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

    @property
    def metadata(self) -> LesionMetadata:
        """All that the record says of the lesion."""
        return LesionMetadata.from_mapping(vars(self))

    @cached_property
    def thumbnail(self) -> Image.Image | None:
        """The picture, RGB, decoded when first asked for."""
        if self.thumbnail_jpeg is None:
            return None
        return Image.open(io.BytesIO(self.thumbnail_jpeg)).convert("RGB")
