"""What a note denies, hedges, or says of something else: how far each trigger phrase reaches, word by word.

The rules follow NegEx and ConText (Chapman 2001, Harkema 2009): trigger phrases that reach forward or backward until
the clause ends. They are our own, in two sweeps over the words, because the libraries cost more than they bring here:

- medspacy 1.3 brings 283 MB and 1.4 s to import and load, and holds spaCy at 3.7, whose thinc is built for NumPy 1:
  pip resolves it beside our pins, and the import then fails ("numpy.dtype size changed").
- negspacy 1.1 works beside our pins but adds 235 MB (spaCy 3.8) and 0.7 s, knows negation alone and no hedging, and
  expects the entities to be found already.
- Neither knows what these notes are full of: a conclusion among rejected alternatives ("favours X; Y is the main
  differential"), lists after one "no" that end where the next finding starts, findings of the surrounding skin.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache

from dermnote.audit.backward_scope import reach_behind
from dermnote.audit.forward_scope import sweep_ahead
from dermnote.audit.phrases import Phrases
from dermnote.audit.polarity_context import Context
from dermnote.audit.tokens import MARKS, SENTENCE_ENDS, Word, forms
from dermnote.audit.triggers import BE, triggers
from dermnote.vocabularies.lexicon.scope import Reach

# Some phrases reach whichever neighbour they have: "possible melanoma", "melanoma is possible".
_EITHER_WAY = {
    Reach.UNLIKELY: (Reach.DENY, Reach.DENIED),
    Reach.POSSIBLE: (Reach.MAYBE, Reach.HEDGED),
    Reach.LIKELIEST: (Reach.CONCLUDE, Reach.CONCLUDED),
}
_NEGATIONS = frozenset({"not", "never", "cannot"})
_PERCEIVING = frozenset(forms("can could may do does did"))
_MODALS = frozenset(forms("may might could"))
_CLAUSE_ENDS = MARKS | frozenset(forms("but although though while whereas"))
_CLAUSE = 12  # words looked at on either side of a "not"
_BETWEEN = 4  # words from one name of a list to the next, and on to the "not"
_AFTER_ALL = MARKS | frozenset(forms("than given because without here on in as and but by if with though although"))


def read_contexts(words: Sequence[Word], named: Collection[int]) -> list[Context]:
    """The context of every word, in time linear in their number.

    Args:
        words: A note's words.
        named: Positions where a finding or a diagnosis is named; whether one stands between a trigger and what
            follows decides whether the trigger still reaches that.
    """
    found = [_settled(words, named, *each) for each in _triggers().find(words)]
    contexts = sweep_ahead(words, found, named)
    reach_behind(words, contexts, found, named)
    return contexts


def _settled(
    words: Sequence[Word], named: Collection[int], start: int, end: int, reach: Reach
) -> tuple[int, int, Reach]:
    following = words[end].form if end < len(words) else "."
    if reach in (Reach.LACK, Reach.DENIED, Reach.DENY) and (colon := _heads_list(words, end)) is not None:
        return start, colon, Reach.DENY_ALL
    if reach is Reach.CONCLUDE and following in SENTENCE_ENDS and _named_before(words, named, start):
        return start, end, Reach.CONCLUDED  # "I consider X the most probable diagnosis."
    if reach is Reach.HEDGED and _named_ahead(words, named, end):
        return start, end, Reach.NOTHING  # "the lesion is considered malignant"
    last = following in _AFTER_ALL and not (following == "in" and words[end + 1 :] and words[end + 1].form == "situ")
    if last and (reach is Reach.LACK or (reach is Reach.DENY and words[end - 1].form == "no")):  # "network: no"
        return start, end, Reach.DENIED
    if reach is Reach.DENY and words[end - 1].form in _NEGATIONS and _denies_before(words, named, start, end):
        return start, end, Reach.DENIED
    if reach is Reach.DENIED and _named_ahead(words, named, end) and not _named_before(words, named, start):
        return start, end, Reach.DENY  # "it is not a typical X"
    tentative = reach is Reach.MAYBE and words[end - 1].form in _MODALS and following != "not"
    if tentative and _speaks_of_before(words, named, start, end):
        return start, end, Reach.HEDGED
    if reach not in _EITHER_WAY:
        return start, end, reach
    ahead, behind = _EITHER_WAY[reach]
    judged = words[start - 1].form in BE if start else False  # "X is unlikely without scale"
    return start, end, behind if last or (judged and _speaks_of_before(words, named, start, end)) else ahead


def _heads_list(words: Sequence[Word], end: int) -> int | None:
    """Where a colon follows at once, or a "not" and one more word: "none of: X, Y", "not ticked: X, Y"."""
    reach = 2 if words[end - 1].form in _NEGATIONS else 1
    return next((end + place for place, word in enumerate(words[end : end + reach]) if word.form == ":"), None)


def _named_ahead(words: Sequence[Word], named: Collection[int], end: int) -> bool:
    """Whether something is named in what is left of the clause."""
    for position in range(end, min(len(words), end + _CLAUSE)):
        if words[position].form in _CLAUSE_ENDS:
            return False
        if position in named:
            return True
    return False


def _named_before(words: Sequence[Word], named: Collection[int], start: int) -> list[int]:
    """The names that stand before in the sentence, the last first."""
    before: list[int] = []
    for position in range(start - 1, max(-1, start - _CLAUSE - 1), -1):
        if words[position].form in SENTENCE_ENDS:
            break
        if position in named:
            before.append(position)
    return before


def _speaks_of_before(words: Sequence[Word], named: Collection[int], start: int, end: int) -> list[int]:
    """What a verb is said of: the names before it, if none stands behind it in its clause."""
    return [] if _named_ahead(words, named, end) else _named_before(words, named, start)


def _denies_before(words: Sequence[Word], named: Collection[int], start: int, end: int) -> bool:
    """Whether a "not" speaks of what stands before it: "dots and globules are not part of it", "X did not turn up".

    It does of a list, and of what could not be perceived; of one thing alone, or with "not evenly", it may as well
    tell how that is: "the network is not regular".
    """
    before = _speaks_of_before(words, named, start, end)
    if not before or (end < len(words) and words[end].form.endswith("ly")):
        return False
    listed = len(before) > 1 and before[0] - before[1] <= _BETWEEN and start - before[0] <= _BETWEEN
    return listed or words[end - 1].form == "cannot" or words[start - 1].form in _PERCEIVING


@cache
def _triggers() -> Phrases[Reach]:
    return triggers()
