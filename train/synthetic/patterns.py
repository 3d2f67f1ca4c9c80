"""Which structures, colours and borders each subtype shows, and how often: the knowledge behind the drawings.

After the dermoscopic criteria of the consensus on standard terms (Kittler et al., J Am Acad Dermatol 2016) and the
ABCD rule. A simplification for drawing and testing, not clinical teaching.
"""

from __future__ import annotations

from .benign_patterns import BENIGN_PATTERNS
from .malignant_patterns import MALIGNANT_PATTERNS
from .pattern import Pattern

PATTERNS: tuple[Pattern, ...] = (*BENIGN_PATTERNS, *MALIGNANT_PATTERNS)


def patterns_of(label: str) -> tuple[Pattern, ...]:
    """The subtypes of a class."""
    return tuple(each for each in PATTERNS if each.label == label)
