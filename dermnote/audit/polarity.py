"""Polarity of every token of a note: asserted, denied, hedged, or about something else than the lesion.

The rules follow NegEx and ConText (Chapman 2001, Harkema 2009): trigger phrases with a scope that ends with the clause.
They are implemented here because the libraries cost more than they bring: medspacy 1.3 adds 283 MB and needs spaCy 3.7,
which fails with NumPy 2; negspacy 1.1 adds 235 MB and knows no hedging. Neither handles a conclusion among rejected
alternatives ("favours X; Y is the main differential"), lists after one "no", or findings of the surrounding skin.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from dermnote.audit.scope import BE, Context, Effect, Trigger, add_backward_scope, forward_scope
from dermnote.audit.tokens import MARKS, SENTENCE_ENDS, Phrases, Tokens, form_set
from dermnote.vocabularies.lexicon import load_lexicon, trigger_phrases

# Effects of the phrases that apply to a neighbour on either side: "possible melanoma", "melanoma is possible".
_EITHER_SIDE = {
    Effect.UNLIKELY: (Effect.DENY, Effect.DENIED),
    Effect.POSSIBLE: (Effect.MAYBE, Effect.HEDGED),
    Effect.LIKELIEST: (Effect.CONCLUDE, Effect.CONCLUDED),
}
_NEGATIONS = frozenset({"not", "never", "cannot"})
_PERCEIVING = form_set("can could may does do did")
_MODALS = form_set("may might could")
_CLAUSE_ENDS = MARKS | form_set("but although though while whereas")
_MAX_CLAUSE = 12  # tokens searched on either side of a "not"
_MAX_LIST_GAP = 4  # tokens from one name of a list to the next, and on to the "not"
_ENDS_PHRASE = MARKS | form_set("than given because without here on in as and but by if with though although")


def read_contexts(tokens: Tokens, named: Collection[int]) -> list[Context]:
    """Return the context of every token, in time linear in their number.

    Args:
        tokens: A note's tokens.
        named: Positions of the findings and diagnoses named; a trigger's scope may end at the first of them.
    """
    triggers = [_resolve(tokens, named, *each) for each in _trigger_table().find(tokens)]
    contexts = forward_scope(tokens, triggers, named)
    add_backward_scope(tokens, contexts, triggers, named)
    return contexts


@cache
def _trigger_table() -> Phrases[Effect]:
    entries = ((phrase, Effect[effect.upper()]) for phrase, effect in trigger_phrases())
    return Phrases(entries, skipping=load_lexicon("triggers")["fillers"])


def _resolve(tokens: Tokens, named: Collection[int], start: int, end: int, effect: Effect) -> Trigger:
    """Return the trigger with its effect in this sentence; many phrases apply forward or backward."""
    following = tokens[end].form if end < len(tokens) else "."
    if effect in (Effect.LACK, Effect.DENIED, Effect.DENY) and (colon := _list_colon(tokens, end)) is not None:
        return start, colon, Effect.DENY_ALL
    if effect is Effect.CONCLUDE and following in SENTENCE_ENDS and _names_before(tokens, named, start):
        return start, end, Effect.CONCLUDED  # "I consider X the most probable diagnosis."
    if effect is Effect.HEDGED and _is_name_ahead(tokens, named, end):
        return start, end, Effect.NOTHING  # "the lesion is considered malignant"
    in_situ = following == "in" and end + 1 < len(tokens) and tokens[end + 1].form == "situ"
    last = following in _ENDS_PHRASE and not in_situ
    if last and (effect is Effect.LACK or (effect is Effect.DENY and tokens[end - 1].form == "no")):  # "network: no"
        return start, end, Effect.DENIED
    if effect is Effect.DENY and tokens[end - 1].form in _NEGATIONS and _denies_before(tokens, named, start, end):
        return start, end, Effect.DENIED
    if effect is Effect.DENIED and _is_name_ahead(tokens, named, end) and not _names_before(tokens, named, start):
        return start, end, Effect.DENY  # "it is not a typical X"
    tentative = effect is Effect.MAYBE and tokens[end - 1].form in _MODALS and following != "not"
    if tentative and _subjects_before(tokens, named, start, end):
        return start, end, Effect.HEDGED
    if effect not in _EITHER_SIDE:
        return start, end, effect
    forward, backward = _EITHER_SIDE[effect]
    is_verdict = tokens[start - 1].form in BE if start else False  # "X is unlikely without scale"
    subject_before = last or (is_verdict and _subjects_before(tokens, named, start, end))
    return start, end, backward if subject_before else forward


def _list_colon(tokens: Tokens, end: int) -> int | None:
    """Return the colon that follows at once, or one word after a "not": "none of: X, Y", "not ticked: X, Y"."""
    reach = 2 if tokens[end - 1].form in _NEGATIONS else 1
    return next((end + offset for offset, token in enumerate(tokens[end : end + reach]) if token.form == ":"), None)


def _is_name_ahead(tokens: Tokens, named: Collection[int], end: int) -> bool:
    """Return whether something is named in the rest of the clause."""
    for position in range(end, min(len(tokens), end + _MAX_CLAUSE)):
        if tokens[position].form in _CLAUSE_ENDS:
            return False
        if position in named:
            return True
    return False


def _names_before(tokens: Tokens, named: Collection[int], start: int) -> list[int]:
    """Return the names before a token in its sentence, the last first."""
    before: list[int] = []
    for position in range(start - 1, max(-1, start - _MAX_CLAUSE - 1), -1):
        if tokens[position].form in SENTENCE_ENDS:
            break
        if position in named:
            before.append(position)
    return before


def _subjects_before(tokens: Tokens, named: Collection[int], start: int, end: int) -> list[int]:
    """Return the subjects of a verb: the names before it, if none follows in its clause."""
    return [] if _is_name_ahead(tokens, named, end) else _names_before(tokens, named, start)


def _denies_before(tokens: Tokens, named: Collection[int], start: int, end: int) -> bool:
    """Return whether a "not" denies what precedes: "dots and globules are not part of it", "X did not turn up".

    It does after a list, and after a verb of perception; after one thing alone, or with an adverb ("not evenly"), it
    may as well describe that: "the network is not regular".
    """
    before = _subjects_before(tokens, named, start, end)
    if not before or (end < len(tokens) and tokens[end].form.endswith("ly")):
        return False
    is_list = len(before) > 1 and before[0] - before[1] <= _MAX_LIST_GAP and start - before[0] <= _MAX_LIST_GAP
    return is_list or tokens[end - 1].form == "cannot" or tokens[start - 1].form in _PERCEIVING
