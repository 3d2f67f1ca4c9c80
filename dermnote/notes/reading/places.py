"""Reads where on the body a note places the lesion; place words count in a bodily phrase alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from dermnote.notes.claims import SITE, Claim
from dermnote.notes.lexicon.places import (
    ADJECTIVES,
    BEHIND,
    HEADINGS,
    NOT_BEFORE,
    ON,
    OTHERWISE,
    PLACES,
    THINGS,
    WHOSE,
)
from dermnote.notes.reading.context import Context
from dermnote.notes.reading.phrases import Phrases
from dermnote.notes.reading.words import Word, read_words

_FARTHEST = 6  # words between "on" and the place


def place_claims(words: Sequence[Word], contexts: Sequence[Context]) -> list[Claim]:
    """The claims of site."""
    claims = []
    for first, last, place in _places().find(words):
        if _is_bodily(words, first, last) and not contexts[first].elsewhere:
            span = words[first].start, words[last - 1].end
            claims.append(Claim(SITE, place, span, contexts[first].polarity))
    for position, word in enumerate(words[:-1]):
        if word.form in ADJECTIVES and words[position + 1].form in THINGS:
            span = word.start, words[position + 1].end
            claims.append(Claim(SITE, ADJECTIVES[word.form], span, contexts[position].polarity))
    return claims


def places_in(cell: str) -> frozenset[str]:
    """The places a table's cell names; empty where it names none that is known."""
    words = read_words(cell.lower())
    found = {place for _, _, place in _places().find(words)}
    return frozenset(found | {ADJECTIVES[word.form] for word in words if word.form in ADJECTIVES})


def compatible(one: str, other: str) -> bool:
    """Whether two places are one, or one holds the other."""
    return one == other or one in PLACES[other][0] or other in PLACES[one][0]


def _is_bodily(words: Sequence[Word], first: int, last: int) -> bool:
    """Whether a place word is led by "on the left" or a heading, and means no part of the lesion or picture."""
    following = [word.form for word in words[last : last + 3]]
    if following[:1] == ["of"] and not ({"patient", "man", "woman"} & set(following) or _is_person(following)):
        return False
    if following and words[first].form in OTHERWISE and following[0].isalpha() and following[0] not in BEHIND:
        return False
    position = first - 1
    while position >= max(0, first - _FARTHEST):
        form = words[position].form
        if form in ON or (
            form == "in" and words[position + 1].form in WHOSE and words[first].form not in ("face", "back")
        ):
            return True
        if form == ":" and position and words[position - 1].form in HEADINGS:
            return True
        if form not in WHOSE:
            return (
                first == position + 1 and last < len(words) and words[last].form in THINGS and form not in ("the", ",")
            )
        position -= 1
    return last < len(words) and words[last].form in THINGS


def _is_person(forms: Sequence[str]) -> bool:
    return any(form[:1].isdigit() or form in ("a", "an", "male", "female") for form in forms[1:2]) and not (
        NOT_BEFORE & set(forms)
    )


@cache
def _places() -> Phrases[str]:
    return Phrases([(name, place) for place, (_, others) in PLACES.items() for name in (place, *others)])
