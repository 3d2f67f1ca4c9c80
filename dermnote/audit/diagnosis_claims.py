"""Reads which diagnoses, subtypes and degrees of danger a note claims, and which one it ends up asserting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from dermnote.audit.assertion_strength import BARE, FIRM, weigh
from dermnote.audit.claims import DIAGNOSIS, MALIGNANCY, SUBTYPE, Claim
from dermnote.audit.diagnosis_mentions import Naming
from dermnote.audit.polarity_context import Context, Polarity
from dermnote.audit.tokens import Word

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
    drawn = _drawn(words, said, contexts, malignancies)
    polarities = _one_conclusion(said, drawn)
    claims = []
    for each in said:
        span, polarity = _span(words, each.first, each.last), polarities[each]
        if each.name.danger:
            claims.append(Claim(MALIGNANCY, each.name.danger, span, polarity))
            continue
        values = tuple(dict.fromkeys(kind.value for kind in each.kinds))
        weight = drawn[each].weight if drawn[each].polarity == polarity else BARE
        claims.append(Claim(DIAGNOSIS, each.name.classname, span, polarity, weight=weight, subtypes=values))
        alike: Polarity = "hedged" if polarity == "asserted" and _beside_or(words, each) else polarity
        claims.extend(Claim(SUBTYPE, value, _span(words, *each.widest), alike) for value in values)
    return claims


class _Drawn(NamedTuple):
    """How a note stands to a name: its words' polarity, and the weight of the diagnosis."""

    polarity: Polarity
    weight: int


def _drawn(
    words: Sequence[Word], namings: Sequence[Naming], contexts: Sequence[Context], malignancies: Mapping[str, str]
) -> dict[Naming, _Drawn]:
    rivals, weights = _rivals(words, namings), weigh(words, namings, contexts, malignancies)
    drawn = {}
    for each in namings:
        context = contexts[each.first]
        raised = each in rivals or each.name.hedged
        polarity: Polarity = "hedged" if raised and context.polarity == "asserted" else context.polarity
        weight = weights.get(each, BARE) if polarity == "asserted" else int(context.tentative)
        drawn[each] = _Drawn(polarity, weight)
    return drawn


def _one_conclusion(namings: Sequence[Naming], drawn: Mapping[Naming, _Drawn]) -> dict[Naming, Polarity]:
    """The polarities with all diagnoses but one hedged: a note asserts one, or several where it is firm on each.

    What it asserts it does not deny either: "melanoma; no melanoma in the lower part" speaks of a part.
    """
    named = [(each.name.classname, drawn[each]) for each in namings if each.name.classname]
    stated = {value for value, (polarity, weight) in named if polarity == "asserted" and weight == FIRM}
    if not stated:  # what is put forward ("may be X") counts as a mention
        ranked = [
            (weight if polarity == "asserted" else BARE, value)
            for value, (polarity, weight) in reversed(named)
            if polarity == "asserted" or (polarity == "hedged" and weight)
        ]
        stated = {max(ranked, key=lambda each: each[0])[1]} if ranked else set()  # of equals the last
    polarities = {each: drawn[each].polarity for each in namings}
    for each in namings:
        against = "denied" if each.name.classname in stated else "asserted"
        if each.name.classname and polarities[each] == against:
            polarities[each] = "hedged"
    return polarities


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
