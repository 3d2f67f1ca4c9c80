"""What a bundle says of itself, taken only in the shape expected: anybody may have written it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

LONGEST = 120  # letters of a name
MOST = 60  # entries of a list or table; what comes after is not shown
LARGEST = 1e9


def table(value: Any, most: int = MOST) -> Mapping[str, Any]:
    """A JSON object's first entries; empty if it is none."""
    return dict(islice(value.items(), most)) if isinstance(value, Mapping) else {}


def sequence(value: Any, most: int = MOST) -> Sequence[Any]:
    """A JSON array; empty if it is none, or too long to be shown."""
    return value if isinstance(value, list | tuple) and len(value) <= most else ()


def number(value: Any, low: float = -LARGEST, high: float = LARGEST) -> float | None:
    """A number within the range; None for anything else, NaN and infinities included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if low <= value <= high else None  # NaN lies nowhere


def share(value: Any) -> float | None:
    """A number from 0 to 1, else None."""
    return number(value, 0, 1)


def count(value: Any) -> int | None:
    """A whole number from 0, else None."""
    found = number(value, 0)
    return None if found is None or found != int(found) else int(found)


def words(value: Any, longest: int = LONGEST) -> str:
    """A text on one line, without what cannot be sent (lone surrogates) or seen (controls); "" if it is none."""
    if not isinstance(value, str):
        return ""
    line = " ".join(value[: 4 * longest].split())
    plain = "".join(letter for letter in line if not unicodedata.category(letter).startswith("C"))
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"
