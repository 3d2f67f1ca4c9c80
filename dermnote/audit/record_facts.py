"""What a record says, in the words that claims use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from dermnote.audit.body_sites import places_in
from dermnote.audit.demographics import sex_of
from dermnote.audit.diagnosis_index import names_of
from dermnote.audit.diagnosis_mentions import find_names
from dermnote.audit.tokens import read_words
from dermnote.metadata import LesionMetadata
from dermnote.vocabularies.lexicon.danger import RECORDED
from dermnote.vocabularies.vocabulary import Vocabulary

_CODE_LENGTH = 6  # "MEL", "akiec": tables write codes in any case


@dataclass(frozen=True)
class Record:
    """A record in canonical words; empty where it says nothing.

    Attributes:
        classname: The class its label names, or the label as it stands where no class is known by it.
        own_words: Its label or subtype as written where the vocabulary knows neither, with the kind of claim.
        kinds: Subtypes it names.
        kind_classes: Classes that its subtype names ("Bowen's disease" under squamous cell carcinoma).
        malignancy: As written, else that of its class.
        places: Places on the body.
        age: Years.
        sex: "female" or "male".
    """

    classname: str = ""
    own_words: tuple[tuple[str, str], ...] = ()
    kinds: frozenset[str] = frozenset()
    kind_classes: frozenset[str] = frozenset()
    malignancy: str = ""
    places: frozenset[str] = frozenset()
    age: float | None = None
    sex: str = ""


def read_record(metadata: LesionMetadata | Mapping[str, Any], vocabulary: Vocabulary) -> Record:
    """Reads metadata; what it gives in words that nobody knows counts as its own words, or as missing."""
    known = metadata if isinstance(metadata, LesionMetadata) else _from_mapping(metadata)
    record = _diagnosed(known.label or "", known.subtype or "", known.malignancy or "", vocabulary)
    age = known.age if known.age is not None and math.isfinite(known.age) and known.age >= 0 else None
    places = places_in(known.site.replace("_", " ")) if known.site else frozenset[str]()
    return replace(record, places=places, age=age, sex=sex_of(known.sex or ""))


def _from_mapping(row: Mapping[str, Any]) -> LesionMetadata:
    try:
        return LesionMetadata.from_mapping(row)
    except (TypeError, ValueError):  # an age that is no number
        return LesionMetadata.from_mapping({**row, "age": None})


@lru_cache(maxsize=4096)
def _diagnosed(label: str, subtype: str, malignancy: str, vocabulary: Vocabulary) -> Record:
    """The part of a record that speaks of the diagnosis; many records share it."""
    label_classes, label_kinds = _named(label.upper() if len(label) <= _CODE_LENGTH else label, vocabulary)
    kind_classes, kinds = _named(subtype, vocabulary)
    beside = _named(f"{subtype} {label}", vocabulary)[1] if not kinds and subtype else frozenset[str]()
    classname = next(iter(label_classes)) if len(label_classes) == 1 else label.strip().lower()
    if not label and len(kind_classes) == 1:
        classname = next(iter(kind_classes))
    own = [("diagnosis", label.strip())] if label.strip() and not label_classes else []
    own += [("subtype", subtype.strip())] if subtype.strip() and not (kind_classes or beside) else []
    written = RECORDED.get(malignancy.strip().lower(), "")
    of_class = next((each.malignancy for each in vocabulary.classes if each.name == classname), "")
    return Record(classname, tuple(own), label_kinds | kinds | beside, kind_classes, written or of_class)


def _named(text: str, vocabulary: Vocabulary) -> tuple[frozenset[str], frozenset[str]]:
    """The classes and subtypes that a table's cell names."""
    namings = [each for each in find_names(text, read_words(text), names_of(vocabulary)) if each.name.classname]
    kinds = frozenset(kind.value for each in namings for kind in each.kinds)
    return frozenset(each.name.classname for each in namings), kinds
