"""A lesion, and what is known of it without looking at the picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from dermnote.errors import NotesError
from dermnote.settings import unknown_key


@dataclass(frozen=True)
class LesionMetadata:
    """What a record says of a lesion; every field may be missing (None).

    Attributes:
        label: Diagnostic class, e.g. "melanoma" (see `dermnote.taxonomy`).
        subtype: Finer diagnosis, e.g. "lentigo maligna".
        malignancy: "benign", "pre-cancerous" or "malignant".
        description: Free words on findings or the diagnostic group.
        age: Years.
        sex: "female" or "male".
        site: Place on the body, e.g. "lower extremity".
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
        """Takes the fields it knows from a row; blanks and NaN count as missing."""
        values: dict[str, Any] = {}
        for field in fields(cls):
            value = row.get(field.name)
            if value is None or value != value or (isinstance(value, str) and not value.strip()):
                continue  # value != value: NaN, which tables use for a missing number
            values[field.name] = float(value) if field.name == "age" else str(value).strip()
        return cls(**values)

    @classmethod
    def of(cls, values: LesionMetadata | Mapping[str, Any] | None) -> LesionMetadata:
        """Metadata from what a caller wrote by hand, where an unknown field is a mistake; None is all missing.

        Raises:
            NotesError: A field nobody knows (the nearest is named), or an age that is no number.
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
        """The fields that are known, by name."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}
