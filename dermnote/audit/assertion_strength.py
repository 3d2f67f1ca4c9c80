"""How firmly a note draws a diagnosis it names: by its words, and by where and how the name stands.

A note names many diagnoses and ends up with one. No list holds every way to say so; but a conclusion is mostly a
title, a sentence of its own, what something "is", or a name with its malignancy beside it, and a rival is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from dermnote.audit.diagnosis_mentions import Naming
from dermnote.audit.polarity_context import Context
from dermnote.audit.tokens import DASH, MARKS, SENTENCE_ENDS, Word, forms
from dermnote.audit.triggers import BE, DETERMINERS, FINITE
from dermnote.vocabularies.lexicon.conclusions import SOURCES
from dermnote.vocabularies.lexicon.danger import DANGER
from dermnote.vocabularies.lexicon.scope import Reach

# Weights of a diagnosis: what the note settles on; what findings point to, or is put as one puts a conclusion; the
# first named, in the first sentence; a mention; what would be, were things otherwise.
FIRM, DRAWN, OPENING, BARE, IMAGINED = 3, 2, 1, 0, -1
_TRIGGERED = (BARE, DRAWN, FIRM)  # by a context's weight
_LIGHT = frozenset(forms(phrase)[0] for phrase in DANGER if len(forms(phrase)) == 1) | DETERMINERS
_LIGHT |= frozenset(forms("early type most my more typical classic small probable likely clear")) | {DASH}
_EQUALS = frozenset(forms("is was remains became"))
_NO_VERDICT = frozenset(forms("such well same much far known seen mistaken misread confused"))  # before "as"
_CLAUSE_ENDS = SENTENCE_ENDS | frozenset({",", ":", "(", ")", DASH, "but", "than"})
# In a clause that says what would be: "which would suggest X", "X had been thought of", "were it X".
_OTHERWISE = frozenset({"would", "wouldn't", "will", "had"})
_WRITERS = frozenset({"i", "we"})  # "I would sign this out as X" is meant
_INVERTED = frozenset({"were", "should"})
_OF_ITS_KIND = frozenset(forms("need lack has have does do can"))  # "SCC needs more keratin" tells of no lesion
_FARTHEST = 12  # words of a clause looked at on either side
_RANKED = frozenset(forms("second third fourth other else alternative next against similar"))  # of a heading
_LEADS = 3  # words before a name that has a sentence of its own
_LEADS_NOT = FINITE | frozenset(forms("( ) : of in with by like and or than no not from against beyond over"))
_NEAR = 3  # words between a name and its malignancy


def weigh(
    words: Sequence[Word], namings: Sequence[Naming], contexts: Sequence[Context], malignancies: Mapping[str, str]
) -> dict[Naming, int]:
    """The weight of each class named, taken as asserted.

    Args:
        words: The note's words.
        namings: What it names of the lesion, in order.
        contexts: The words' contexts.
        malignancies: The classes' own, for which a name beside it speaks.
    """
    judged = _judged(words, namings, malignancies)
    end = next((position for position, word in enumerate(words) if word.form in SENTENCE_ENDS), len(words))
    asserted = (each for each in namings if each.name.classname and contexts[each.first].polarity == "asserted")
    opening = next((each for each in asserted if each.first < end), None)
    if opening and opening.last < end and words[opening.last].form in _OF_ITS_KIND:
        opening = None
    return {
        each: _weight(words, each, contexts[each.first], opening=each is opening, judged=each in judged)
        for each in namings
        if each.name.classname
    }


def _weight(words: Sequence[Word], naming: Naming, context: Context, *, opening: bool, judged: bool) -> int:
    weight = FIRM if context.behind is Reach.CONCLUDED else _TRIGGERED[context.weight]
    clause = _clause(words, naming)
    if weight == FIRM or not SOURCES.isdisjoint(clause):  # "X by record", "the label says X"
        return FIRM
    if clause[0] in _INVERTED or (not _OTHERWISE.isdisjoint(clause) and _WRITERS.isdisjoint(clause)):
        return IMAGINED
    alone = judged or _is_headline(words, naming, opening=opening)
    if alone and opening:
        return FIRM
    if alone or weight or _is_equated(words, naming):
        return DRAWN
    if opening:
        return OPENING
    return IMAGINED if _is_general(words, naming) else BARE


def _is_headline(words: Sequence[Word], naming: Naming, *, opening: bool) -> bool:
    """Whether a name stands for a sentence of its own: "Dermatofibroma.", "Still, a nevus.", "Facial angioma."."""
    right = naming.widest[1]
    following = words[right].form if right < len(words) else "."
    if following not in (MARKS - {"?"} if opening else SENTENCE_ENDS | {"(", DASH, "/"}):
        return False
    left = _before(words, naming)
    leads = 0
    while left >= 0 and words[left].form not in SENTENCE_ENDS:
        leads += 1
        if leads > _LEADS or words[left].form in _LEADS_NOT:
            return False
        left -= 1
    return True


def _is_equated(words: Sequence[Word], naming: Naming) -> bool:
    """Whether a name is what something is called: "what remains is X", "-> X", "filed as X"."""
    left = _before(words, naming)
    form = words[left].form if left >= 0 else ""
    if form == ":":
        return not _RANKED.intersection(word.form for word in words[max(0, left - 2) : left])
    return form in _EQUALS or (form == "as" and left > 0 and words[left - 1].form not in _NO_VERDICT)


def _is_general(words: Sequence[Word], naming: Naming) -> bool:
    """Whether a sentence opens with the name and a verb of its own: "Lentigo maligna looks like this as well."."""
    left, right = _before(words, naming), naming.widest[1]
    opens = left < 0 or words[left].form in SENTENCE_ENDS
    return opens and right < len(words) and words[right].form not in BE | MARKS


def _before(words: Sequence[Word], naming: Naming) -> int:
    """The position before a name and its articles and adjectives; -1 at the text's start."""
    position = naming.widest[0] - 1
    while position >= 0 and words[position].form in _LIGHT:
        position -= 1
    return position


def _clause(words: Sequence[Word], naming: Naming) -> list[str]:
    """The clause that a name stands in, up to some words on either side."""
    first, last = naming.first, naming.last
    while first > max(0, naming.first - _FARTHEST) and not _ends_clause(words, first - 1):
        first -= 1
    while last < min(len(words), naming.last + _FARTHEST) and not _ends_clause(words, last):
        last += 1
    return [word.form for word in words[first:last]]


def _ends_clause(words: Sequence[Word], position: int) -> bool:
    form = words[position].form
    if form != "and":
        return form in _CLAUSE_ENDS
    return position + 1 < len(words) and words[position + 1].form in DETERMINERS


def _judged(words: Sequence[Word], namings: Sequence[Naming], malignancies: Mapping[str, str]) -> set[Naming]:
    """Names with their own malignancy set beside them: "X, malignant", "benign: X", "X (benign)"."""
    judged = set()
    for one, other in pairwise(namings):
        between = [word.form for word in words[one.widest[1] : other.widest[0]]]
        parted = 0 < len(between) <= _NEAR and bool(MARKS.intersection(between))
        named, danger = (one, other) if other.name.danger else (other, one)
        if parted and danger.name.danger and malignancies.get(named.name.classname) == danger.name.danger:
            judged.add(named)
    return judged
