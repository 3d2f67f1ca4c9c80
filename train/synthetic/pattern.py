"""What a subtype may show: the form in which the knowledge behind the drawings is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Odds = Mapping[str, float]


@dataclass(frozen=True)
class Pattern:
    """One subtype.

    Attributes:
        label: Diagnostic class.
        subtype: Finer diagnosis.
        always: Structures that are always drawn.
        odds: Chance of each further structure.
        symmetric: Chance of a symmetric lesion.
        borders: Odds of each border.
        base: Odds of the colour that fills the lesion.
        patches: Chance of each further colour laid over parts.
        sites: Odds of each site; the sites not named keep 1.
        age: Mean age in years.
    """

    label: str
    subtype: str
    always: tuple[str, ...]
    odds: Odds
    symmetric: float
    borders: Odds
    base: Odds
    patches: Odds = field(default_factory=dict)
    sites: Odds = field(default_factory=dict)
    age: float = 58.0


ANY_BORDER = {"sharp": 1, "indistinct": 1, "mixed": 1}
SHARP = {"sharp": 8, "mixed": 1, "indistinct": 1}
BLURRED = {"indistinct": 5, "mixed": 2, "sharp": 1}
FACE = {"head/neck": 6}
LEGS = {"lower extremity": 4, "upper extremity": 2}
