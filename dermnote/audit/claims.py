"""Claims: statements of a note on the lesion or its bearer, with position, polarity and verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from dermnote.audit.scope import Polarity

Verdict = Literal["supported", "contradicted", "unsupported", "not checkable"]
VERDICTS: tuple[Verdict, ...] = ("supported", "contradicted", "unsupported", "not checkable")
DIAGNOSIS, MALIGNANCY, SUBTYPE = "diagnosis", "malignancy", "subtype"
SITE, AGE, SEX = "site", "age", "sex"


@dataclass(frozen=True)
class Claim:
    """A statement of a note on one thing.

    Attributes:
        kind: "diagnosis", "malignancy", "subtype", "site", "age", "sex", or a feature's claim ("border").
        value: In canonical words: a class or option name, "malignant", "53", "female".
        span: Start and end in the text; `text[start:end]` is the wording.
        polarity: Whether the note asserts, denies or hedges it.
        verdict: Outcome of the comparison with the record or the findings.
        weight: How firmly a diagnosis is drawn, from -1 to 3 as in `dermnote.audit.diagnosis_claims`; of a hedged one 1
            where it is put forward ("may be X"), 0 where it is an alternative.
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
        """Return the stored fields as plain JSON values."""
        stored = {name: getattr(self, name) for name in ("kind", "value", "span", "polarity", "verdict")}
        return stored | {"span": list(self.span)}


def contradicted(claims: Iterable[Claim]) -> list[Claim]:
    """Return the claims that the record or the findings contradict, in their order."""
    return [claim for claim in claims if claim.verdict == "contradicted"]


def stated_diagnosis(claims: Sequence[Claim]) -> Claim | None:
    """Return the one diagnosis a note concludes: its firmest, of equally firm ones the last.

    A note that asserts none may put one forward ("may represent X"): that one, if there is no second. Else None.
    """
    diagnoses = [claim for claim in claims if claim.kind == DIAGNOSIS]
    asserted = [claim for claim in diagnoses if claim.polarity == "asserted"]
    tentative = [claim for claim in diagnoses if claim.polarity == "hedged" and claim.weight]
    if not asserted and len({claim.value for claim in tentative}) == 1:
        return tentative[-1]
    return max(reversed(asserted), key=lambda claim: claim.weight, default=None)
