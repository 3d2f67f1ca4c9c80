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

from dermnote.notes.lexicon.reach import Reach
from dermnote.notes.lexicon.triggers import triggers
from dermnote.notes.reading.ahead import sweep_ahead
from dermnote.notes.reading.behind import reach_behind
from dermnote.notes.reading.context import Context
from dermnote.notes.reading.phrases import Phrases
from dermnote.notes.reading.words import MARKS, Word, forms

# Some phrases reach whichever neighbour they have: "possible melanoma", "melanoma is possible".
_EITHER_WAY = {
    Reach.UNLIKELY: (Reach.DENY, Reach.DENIED),
    Reach.POSSIBLE: (Reach.MAYBE, Reach.HEDGED),
    Reach.LIKELIEST: (Reach.CONCLUDE, Reach.CONCLUDED),
}
_AFTER_ALL = MARKS | frozenset(forms("than given because here on in as and but by if with though although"))


def read_contexts(words: Sequence[Word], named: Collection[int]) -> list[Context]:
    """The context of every word, in time linear in their number.

    Args:
        words: A note's words.
        named: Positions where a finding or a diagnosis is named; whether one stands between a trigger and what
            follows decides whether the trigger still reaches that.
    """
    found = [_settled(words, *each) for each in _triggers().find(words)]
    contexts = sweep_ahead(words, found, named)
    reach_behind(words, contexts, found, named)
    return contexts


def _settled(words: Sequence[Word], start: int, end: int, reach: Reach) -> tuple[int, int, Reach]:
    last = end == len(words) or words[end].form in _AFTER_ALL
    if last and (reach is Reach.LACK or (reach is Reach.DENY and words[end - 1].form == "no")):  # "network: no"
        return start, end, Reach.DENIED
    if reach not in _EITHER_WAY:
        return start, end, reach
    ahead, behind = _EITHER_WAY[reach]
    return start, end, behind if last else ahead


@cache
def _triggers() -> Phrases[Reach]:
    return triggers()
