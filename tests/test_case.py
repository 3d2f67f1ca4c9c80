from __future__ import annotations

import math

from dermnote.metadata import LesionMetadata


def test_blank_and_nan_fields_count_as_missing() -> None:
    row = {"label": " melanoma ", "subtype": "  ", "age": math.nan, "sex": None, "colour": "ignored"}
    assert LesionMetadata.from_mapping(row) == LesionMetadata(label="melanoma")


def test_known_fields_survive_a_round_trip() -> None:
    metadata = LesionMetadata(label="melanoma", age=55.0, site="trunk")
    assert LesionMetadata.from_mapping(metadata.to_mapping()) == metadata
    assert metadata.to_mapping() == {"label": "melanoma", "age": 55.0, "site": "trunk"}
