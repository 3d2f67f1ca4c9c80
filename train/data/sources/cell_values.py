"""Conversion of table cells to the values of a case: every spelling of "unknown" becomes None."""

from __future__ import annotations

import re
from typing import Any

from dermnote.taxonomy import PRECANCEROUS

MISSING = {"", "unk", "unknown", "nan", "none", "n/a", "na", "-"}
SPLITS = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}
SEXES = {"female": "female", "f": "female", "male": "male", "m": "male"}
ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6"}


def blank_to_none(value: Any) -> Any:
    """Return None for an empty string or NaN, a string without outer blanks, and anything else unchanged."""
    if isinstance(value, str):
        return value.strip() or None
    return None if value is None or (isinstance(value, float) and value != value) else value


def text(value: Any) -> str | None:
    """Return a known value as text; None for blanks and for "unknown", "UNK" and the like."""
    value = blank_to_none(value)
    return None if value is None or str(value).strip().lower() in MISSING else str(value).strip()


def number(value: Any) -> float | None:
    """Return a finite number, or None."""
    try:
        found = float(text(value) or "nan")
    except ValueError:
        return None
    return found if abs(found) < float("inf") else None  # NaN compares false too


def age_in_years(value: Any) -> float | None:
    """Return an age from 0 to 120 years, or None."""
    age = number(value)
    return age if age is not None and 0 <= age <= 120 else None


def sex(value: Any) -> str | None:
    """Return "female" or "male" from any case or initial, else None."""
    return SEXES.get((text(value) or "").lower())


def plain_words(value: Any) -> str | None:
    """Return a body site or finding in plain words ("lower_extremity" -> "lower extremity"), or None."""
    found = text(value)
    return found.replace("_", " ").lower() if found else None


def malignancy(value: Any) -> str | None:
    """Return "benign", "pre-cancerous" (also from "indeterminate") or "malignant", or None."""
    found = (text(value) or "").lower()
    if found.startswith(("indeterminate", "pre")):
        return PRECANCEROUS
    return {"benign": "benign", "malignant": "malignant"}.get(found)


def official_split(value: Any) -> str | None:
    """Return "train", "validation" or "test" from a publisher's word for it, or None."""
    return SPLITS.get((text(value) or "").lower())


def fitzpatrick(value: Any) -> str | None:
    """Return the skin type on the Fitzpatrick scale, or None.

    "Fitzpatrick 4" from 4, "4.0", "FST4", "IV" or "iv light brown skin"; "Fitzpatrick 1-2" from 12.
    """
    found = (text(value) or "").lower()
    words = found.split()
    number = ROMAN.get(words[0]) if words else None
    digits = re.fullmatch(r"(?:fst)?([1-6])([1-6])?(?:\.0)?", found)
    if digits:
        number = "-".join(filter(None, digits.groups()))
    return f"Fitzpatrick {number}" if number else None
