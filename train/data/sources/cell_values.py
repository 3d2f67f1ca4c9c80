"""Skin type on the Fitzpatrick scale, from each publisher's way of writing it."""

from __future__ import annotations

import re
from typing import Any

from .tables import text

ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6"}


def fitzpatrick(value: Any) -> str | None:
    """ "Fitzpatrick 4" from 4, "4.0", "FST4", "IV" or "iv light brown skin"; "Fitzpatrick 1-2" from 12; else None."""
    found = (text(value) or "").lower()
    words = found.split()
    number = ROMAN.get(words[0]) if words else None
    digits = re.fullmatch(r"(?:fst)?([1-6])([1-6])?(?:\.0)?", found)
    if digits:
        number = "-".join(filter(None, digits.groups()))
    return f"Fitzpatrick {number}" if number else None
