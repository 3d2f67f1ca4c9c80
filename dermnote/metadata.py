"""Metadata of a lesion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from dermnote.config import unknown_key
from dermnote.errors import NotesError


@dataclass(frozen=True)
class LesionMetadata:
    """Recorded facts on a lesion; every field may be missing (None).

    Attributes:
        label: Diagnostic class, e.g. "melanoma" (see `dermnote.taxonomy`).
        subtype: Finer diagnosis, e.g. "lentigo maligna".
        malignancy: "benign", "pre-cancerous" or "malignant".
        description: Free text on findings or the diagnostic group.
        age: Years.
        sex: "female" or "male".
        site: Body site, e.g. "lower extremity".
        skin_type: Skin tone with its scale, e.g. "Fitzpatrick III" or "MILK10k 4/5".
    """

    label: str | None = None
    subtype: str | None = None
    malignancy: str | None = None
    description: str | None = None
    age: float | None = None
    sex: str | None = None
    site: str | None = None
    skin_type: str | None = None

    @classmethod
    def from_mapping(cls, row: Mapping[str, Any]) -> LesionMetadata:
        """Take the known fields from a row; blanks and NaN count as missing."""
        values: dict[str, Any] = {}
        for field in fields(cls):
            value = row.get(field.name)
            if value is None or value != value or (isinstance(value, str) and not value.strip()):
                continue  # value != value: NaN, which tables use for a missing number
            values[field.name] = float(value) if field.name == "age" else str(value).strip()
        return cls(**values)

    @classmethod
    def of(cls, values: LesionMetadata | Mapping[str, Any] | None) -> LesionMetadata:
        """Convert a caller's mapping, in which an unknown field is an error; None means all missing.

        Raises:
            NotesError: An unknown field (the message names the nearest), or an age that is not a number.
        """
        if values is None or isinstance(values, LesionMetadata):
            return values or cls()
        names = [field.name for field in fields(cls)]
        for key in values:
            if key not in names:
                error = unknown_key(str(key), names, "the metadata")
                raise NotesError(error.message, error.hint)
        try:
            return cls.from_mapping(values)
        except (TypeError, ValueError) as error:
            raise NotesError(f"The age is not a number: {values.get('age')!r}.", "Give it in years.") from error

    def to_mapping(self) -> dict[str, Any]:
        """Return the known fields by name."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}
