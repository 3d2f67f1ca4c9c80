"""A claim: something a note says of the lesion or its bearer, where, how surely, and what the record says to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from dermnote.audit.polarity_context import Polarity

Verdict = Literal["supported", "contradicted", "unsupported", "not checkable"]
VERDICTS: tuple[Verdict, ...] = ("supported", "contradicted", "unsupported", "not checkable")
DIAGNOSIS, MALIGNANCY, SUBTYPE = "diagnosis", "malignancy", "subtype"
SITE, AGE, SEX = "site", "age", "sex"


@dataclass(frozen=True)
class Claim:
    """What a note says of one thing.

    Attributes:
        kind: "diagnosis", "malignancy", "subtype", "site", "age", "sex", or a feature's claim ("border").
        value: In canonical words: a class or option name, "malignant", "53", "female".
        span: Start and end in the text; `text[start:end]` is what was read.
        polarity: Whether the note asserts, denies or hedges it.
        verdict: What the record says to it.
        weight: How firmly a diagnosis is drawn, from -1 to 3 as `dermnote.audit.assertion_strength` has it; of a
            hedged one 1 where it is put forward ("may be X"), 0 where it is a rival.
        subtypes: The canonical subtypes its words name, for a diagnosis.
    """

    kind: str
    value: str
    span: tuple[int, int]
    polarity: Polarity = "asserted"
    verdict: Verdict = "not checkable"
    weight: int = field(default=0, compare=False)
    subtypes: tuple[str, ...] = field(default=(), compare=False)

    def to_mapping(self) -> dict[str, Any]:
        """What is stored and shown, as plain JSON values."""
        return {
            "kind": self.kind,
            "value": self.value,
            "span": list(self.span),
            "polarity": self.polarity,
            "verdict": self.verdict,
        }


def contradicted(claims: Iterable[Claim]) -> list[Claim]:
    """The claims that the record or the findings speak against, in their order."""
    return [claim for claim in claims if claim.verdict == "contradicted"]
