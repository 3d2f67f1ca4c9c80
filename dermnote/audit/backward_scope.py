"""How far triggers reach back: to the clause's start, and over the commas of a list ("X, Y or Z is excluded")."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dermnote.audit.polarity_context import Context, Found
from dermnote.audit.tokens import DASH, SENTENCE_ENDS, Word, forms
from dermnote.audit.triggers import DETERMINERS, FINITE
from dermnote.vocabularies.lexicon.scope import Reach

FARTHEST = 40  # words a trigger may reach back; keeps the time linear
BEFORE_AND = 12  # words looked at to tell a list's last comma from a new clause
# What each trigger does to the words before it.
_BACK = {
    **{reach: reach for reach in (Reach.DENIED, Reach.HEDGED, Reach.CONCLUDED)},
    Reach.ABSENT_AS: Reach.DENIED,
    Reach.PREFERRED: Reach.CONCLUDED,
}
_BARRIERS = frozenset({*_BACK, Reach.STOP, Reach.POINT, Reach.CONCLUDE})
_BEFORE_SKIN = 5
_SKIN_STOPS = FINITE | frozenset(forms("the a an of in into with on against to and by from over . ; : ( ) ! ? lesion"))


def reach_behind(
    words: Sequence[Word], contexts: Sequence[Context], found: Sequence[Found], named: Collection[int]
) -> None:
    """Adds to the contexts what the words behind decide."""
    barriers = {position for start, end, reach in found if reach in _BARRIERS for position in range(start, end)}
    for start, _, reach in found:
        if reach in _BACK:
            _reach(words, contexts, start, _BACK[reach], barriers, named)
    inside = {position for start, end, _ in found for position in range(start, end)}
    for position, word in enumerate(words):
        if word.form == "?" and (position + 1 == len(words) or words[position + 1].start > word.end):
            _reach(words, contexts, position, Reach.MAYBE, barriers, named)
        elif word.form == "skin" and position not in inside:
            _mark_skin(words, contexts, position)


def _reach(
    words: Sequence[Word],
    contexts: Sequence[Context],
    start: int,
    reach: Reach,
    barriers: Collection[int],
    named: Collection[int],
) -> None:
    passed = joined = False  # a name was passed; a conjunction was, so commas part a list
    for position in range(start - 1, max(-1, start - FARTHEST - 1), -1):
        form = words[position].form
        if position in barriers or form in SENTENCE_ENDS:
            return
        if not passed and form == "and" and words[position + 1].form in DETERMINERS:
            return  # "X, and the lesion is considered ...": a clause of its own
        if passed and (form in FINITE or form in (":", DASH) or (form == "with" and _parts(words, position, reach))):
            return
        if form == "," and passed:
            following = words[position + 1].form
            if following == "and" and not _ends_list(words, position, barriers):
                return
            if following not in ("and", "or", "nor") and not joined:
                return
        joined = joined or (form in ("and", "or", "nor", "/") if passed else form in (")", ":"))
        passed = passed or position in named
        contexts[position].behind = contexts[position].behind or reach


def _parts(words: Sequence[Word], position: int, reach: Reach) -> bool:
    """Whether a "with" parts what is judged from what stands before it: "favours X, with Y as the alternative"."""
    return reach is Reach.DENIED or (position > 0 and words[position - 1].form == ",")


def _ends_list(words: Sequence[Word], comma: int, barriers: Collection[int]) -> bool:
    """Whether a comma before "and" is a list's last: another comma or the sentence's start comes before any verb."""
    for position in range(comma - 1, max(-1, comma - BEFORE_AND), -1):
        form = words[position].form
        if position in barriers or form in FINITE:
            return False
        if form == "," or form in SENTENCE_ENDS:
            return True
    return comma < BEFORE_AND


def _mark_skin(words: Sequence[Word], contexts: Sequence[Context], skin: int) -> None:
    """Marks the adjectives of "skin": what they tell is not the lesion's."""
    for position in range(skin - 1, max(-1, skin - _BEFORE_SKIN - 1), -1):
        if words[position].form in _SKIN_STOPS:
            return
        contexts[position].skin = True
