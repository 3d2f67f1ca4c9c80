"""Diagnostic classes and lesion metadata."""

from __future__ import annotations

import math

import pytest

from dermnote.errors import ConfigError
from dermnote.metadata import LesionMetadata
from dermnote.taxonomy import EIGHT, classnames, find_class


def test_class_ids_are_the_authors() -> None:
    assert classnames("eight") == (
        *("benign keratosis", "dermatofibroma", "melanocytic nevus", "vascular lesion"),
        *("actinic keratosis", "basal cell carcinoma", "melanoma", "squamous cell carcinoma"),
    )
    assert classnames("five") == tuple(classnames("eight")[i] for i in (0, 2, 4, 5, 6))
    with pytest.raises(ConfigError, match="seven"):
        classnames("seven")


def test_every_synonym_belongs_to_one_class() -> None:
    words = [word for each in EIGHT for word in (each.name, *each.words)]
    assert len(words) == len(set(words))
    for each in EIGHT:
        assert all(find_class(word.upper()) is each for word in (each.name, *each.words))
    assert find_class("psoriasis") is None


def test_metadata_round_trip_and_missing_values() -> None:
    row = {"label": " melanoma ", "subtype": "  ", "age": math.nan, "sex": None, "colour": "ignored"}
    assert LesionMetadata.from_mapping(row) == LesionMetadata(label="melanoma")
    metadata = LesionMetadata(label="melanoma", age=55.0, site="trunk")
    assert LesionMetadata.from_mapping(metadata.to_mapping()) == metadata
    assert metadata.to_mapping() == {"label": "melanoma", "age": 55.0, "site": "trunk"}
