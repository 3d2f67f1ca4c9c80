"""Reads where on the body a note places the lesion; place words count in a bodily phrase alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from dermnote.audit.claims import SITE, Claim
from dermnote.audit.phrases import Phrases
from dermnote.audit.polarity_context import Context
from dermnote.audit.tokens import Word, read_words
from dermnote.vocabularies.lexicon.body_sites import (
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
    """Whether a place word is led by "on the left" or a heading, or names a thing ("scalp lesion")."""
    following = [word.form for word in words[last : last + 3]]
    return not _is_other_word(words[first].form, following) and (
        _is_led(words, first) or (following[:1] != [] and following[0] in THINGS and not _has_article(words, first))
    )


def _is_other_word(form: str, following: Sequence[str]) -> bool:
    """Whether what follows shows that the word means no body part: "the face of it", "the sole feature"."""
    if following[:1] == ["of"]:
        return not ({"patient", "man", "woman"} & set(following) or _is_person(following))
    return form in OTHERWISE and bool(following) and following[0].isalpha() and following[0] not in BEHIND


def _is_led(words: Sequence[Word], first: int) -> bool:
    for position in range(first - 1, max(-1, first - _FARTHEST - 1), -1):
        form = words[position].form
        if form in ON or (form == ":" and position and words[position - 1].form in HEADINGS):
            return True
        if form == "in":  # "in the face of", "in back of"
            return words[position + 1].form in WHOSE and words[first].form not in OTHERWISE
        if form not in WHOSE:
            return False
    return False


def _has_article(words: Sequence[Word], first: int) -> bool:
    return first > 0 and words[first - 1].form == "the"


def _is_person(following: Sequence[str]) -> bool:
    """Whether "of" is followed by somebody: "of a man", "of a 56-year-old", "of 56"."""
    someone = following[1:2] and (following[1][0].isdigit() or following[1] in ("a", "an", "male", "female"))
    return bool(someone) and not NOT_BEFORE & set(following)


@cache
def _places() -> Phrases[str]:
    return Phrases([(name, place) for place, (_, others) in PLACES.items() for name in (place, *others)])
