"""Reads which diagnoses, subtypes and degrees of danger a note claims, and which one it ends up asserting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from dermnote.notes.claims import DIAGNOSIS, MALIGNANCY, SUBTYPE, Claim
from dermnote.notes.reading.context import Context, Polarity
from dermnote.notes.reading.evidence import BARE, FIRM, weigh
from dermnote.notes.reading.namings import Naming
from dermnote.notes.reading.words import Word

_OR = frozenset({"or", "/", "versus", "vs"})


def diagnosis_claims(
    words: Sequence[Word], namings: Sequence[Naming], contexts: Sequence[Context], malignancies: Mapping[str, str]
) -> list[Claim]:
    """The claims of diagnosis, malignancy and subtype; what is said of another lesion is left out.

    Args:
        words: The note's words.
        namings: What they name, in order.
        contexts: Their contexts.
        malignancies: The malignancy of each class.
    """
    said = [each for each in namings if not contexts[each.first].elsewhere]
    rivals = _rivals(words, said)
    weights = weigh(words, said, contexts, malignancies)
    claims = []
    for each in said:
        context = contexts[each.first]
        polarity = "hedged" if each in rivals and context.polarity == "asserted" else context.polarity
        span = _span(words, each.first, each.last)
        if each.name.danger:
            polarity = "hedged" if each.name.hedged and polarity == "asserted" else polarity
            claims.append(Claim(MALIGNANCY, each.name.danger, span, polarity))
            continue
        values = tuple(dict.fromkeys(kind.value for kind in each.kinds))
        weight = weights[each] if polarity == "asserted" else int(context.tentative)
        claims.append(Claim(DIAGNOSIS, each.name.classname, span, polarity, weight=weight, subtypes=values))
        wide = _span(words, *each.widest)
        alike: Polarity = "hedged" if polarity == "asserted" and _beside_or(words, each) else polarity
        claims.extend(Claim(SUBTYPE, value, wide, alike) for value in values)
    return _one_conclusion(claims)


def _one_conclusion(claims: list[Claim]) -> list[Claim]:
    """The claims with all diagnoses but one hedged: a note asserts one, or several where it is firm on each.

    What it asserts it does not deny either: "melanoma; no melanoma in the lower part" speaks of a part.
    """
    named = [each for each in claims if each.kind == DIAGNOSIS]
    stated = _stated(named)
    turned = {
        each.span
        for each in named
        if (each.polarity == "asserted" and each.value not in stated)
        or (each.polarity == "denied" and each.value in stated)
    }
    return [
        replace(each, polarity="hedged", weight=0) if each.kind == DIAGNOSIS and each.span in turned else each
        for each in claims
    ]


def _stated(named: Sequence[Claim]) -> set[str]:
    """The classes a note states: all it is firm on, else the one it draws best, of equals the last."""
    firm = {each.value for each in named if each.polarity == "asserted" and each.weight == FIRM}
    put_forward = [each for each in named if each.polarity == "asserted" or (each.polarity == "hedged" and each.weight)]
    best = max(reversed(put_forward), key=_drawn, default=None)
    return firm or ({best.value} if best else set())


def _drawn(claim: Claim) -> int:
    return claim.weight if claim.polarity == "asserted" else BARE


def _rivals(words: Sequence[Word], namings: Sequence[Naming]) -> set[Naming]:
    """Names of different things with nothing but "or" between them: neither is asserted."""
    rivals: set[Naming] = set()
    for one, other in pairwise(namings):
        between = {word.form for word in words[one.last : other.first]}
        differ = (one.name.classname, one.name.danger) != (other.name.classname, other.name.danger)
        if (
            differ
            and bool(one.name.danger) == bool(other.name.danger)
            and other.first - one.last <= 4
            and between & _OR
        ):
            rivals |= {one, other}
    return rivals


def _beside_or(words: Sequence[Word], naming: Naming) -> bool:
    """Whether the name is one of two choices: "squamous cell carcinoma or keratoacanthoma"."""
    left, right = naming.widest
    near = [words[left - 1].form if left else "", words[right].form if right < len(words) else ""]
    return any(form in _OR for form in near)


def _span(words: Sequence[Word], first: int, last: int) -> tuple[int, int]:
    return words[first].start, words[last - 1].end
