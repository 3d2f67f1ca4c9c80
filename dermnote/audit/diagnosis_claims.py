"""Claims of diagnosis, subtype and malignancy, and how firmly a note draws each diagnosis.

A note names many diagnoses and concludes one. No list holds every way to conclude; but a conclusion is mostly a title,
a sentence of its own, the object of "is", or a name with its malignancy beside it, and an alternative is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from dermnote.audit.claims import DIAGNOSIS, MALIGNANCY, SUBTYPE, Claim
from dermnote.audit.diagnosis_names import Mention
from dermnote.audit.scope import BE, DETERMINERS, FINITE, Context, Contexts, Effect, Polarity
from dermnote.audit.tokens import DASH, MARKS, SENTENCE_ENDS, Tokens, form_set, forms
from dermnote.vocabularies.lexicon import load_lexicon, malignancy_words

# Weights of an asserted diagnosis: the note's conclusion; what findings point to, or is phrased like a conclusion; the
# first named, in the first sentence; a mention; a hypothetical.
FIRM, DRAWN, OPENING, BARE, HYPOTHETICAL = 3, 2, 1, 0, -1
_TRIGGERED = (BARE, DRAWN, FIRM)  # by a context's weight
_ADJECTIVES = forms("early type most my more typical classic small probable likely clear")
_EQUALS = form_set("is was remains became")
_NO_VERDICT = form_set("such well same much far known seen mistaken misread confused")  # before "as"
_CLAUSE_ENDS = SENTENCE_ENDS | frozenset({",", ":", "(", ")", DASH, "but", "than"})
# Hypothetical clauses: "which would suggest X", "X had been thought of", "were it X"; not "I would sign this out as X".
_CONDITIONAL = frozenset({"would", "wouldn't", "will", "had"})
_WRITERS = frozenset({"i", "we"})
_INVERTED = frozenset({"were", "should"})
_GENERIC_VERBS = form_set("need lack has have does do can")  # "SCC needs more keratin" describes no lesion
_RANKED = form_set("second third fourth other else alternative next against similar")  # of a heading
_NO_HEADLINE = FINITE | form_set("( ) : of in with by like and or than no not from against beyond over")
_MAX_CLAUSE = 12  # tokens of a clause searched on either side
_MAX_LEAD = 3  # tokens before a name that has a sentence of its own
_MAX_GAP = 3  # tokens between a name and its malignancy
_MAX_OR_GAP = 4  # tokens between two names that "or" joins
_OR = frozenset({"or", "/", "versus", "vs"})


class _Strength(NamedTuple):
    """Presentation of a mention in a note: the polarity of its words, and the weight of the diagnosis."""

    polarity: Polarity
    weight: int


def diagnosis_claims(
    tokens: Tokens, mentions: Sequence[Mention], contexts: Contexts, malignancies: Mapping[str, str]
) -> list[Claim]:
    """Return the claims of diagnosis, malignancy and subtype, without those about another lesion.

    Args:
        tokens: The note's tokens.
        mentions: Its names, in order.
        contexts: The tokens' contexts.
        malignancies: The malignancy of each class.
    """
    mentions = [each for each in mentions if not contexts[each.first].elsewhere]
    strengths = _strengths(tokens, mentions, contexts, malignancies)
    polarities = _one_conclusion(mentions, strengths)
    claims = []
    for each in mentions:
        span, polarity = _span(tokens, each.first, each.last), polarities[each]
        if each.name.malignancy:
            claims.append(Claim(MALIGNANCY, each.name.malignancy, span, polarity))
            continue
        values = tuple(dict.fromkeys(subtype.name for subtype in each.subtypes))
        weight = strengths[each].weight if strengths[each].polarity == polarity else BARE
        claims.append(Claim(DIAGNOSIS, each.name.classname, span, polarity, weight=weight, subtypes=values))
        of_subtype: Polarity = "hedged" if polarity == "asserted" and _beside_or(tokens, each) else polarity
        claims.extend(Claim(SUBTYPE, value, _span(tokens, *each.widest), of_subtype) for value in values)
    return claims


def _strengths(
    tokens: Tokens, mentions: Sequence[Mention], contexts: Contexts, malignancies: Mapping[str, str]
) -> dict[Mention, _Strength]:
    alternatives, opening = _alternatives(tokens, mentions), _opening(tokens, mentions, contexts)
    with_malignancy = _with_own_malignancy(tokens, mentions, malignancies)
    strengths = {}
    for each in mentions:
        context, weight = contexts[each.first], BARE
        hedged = context.polarity == "asserted" and (each in alternatives or each.name.suspected)
        polarity: Polarity = "hedged" if hedged else context.polarity
        if polarity != "asserted":
            weight = int(context.tentative)
        elif each.name.classname:
            weight = _weight(tokens, each, context, opening=each is opening, verdict=each in with_malignancy)
        strengths[each] = _Strength(polarity, weight)
    return strengths


def _one_conclusion(mentions: Sequence[Mention], strengths: Mapping[Mention, _Strength]) -> dict[Mention, Polarity]:
    """Return the polarities with all diagnoses but one hedged: a note asserts one, or several where it is firm on each.

    An asserted class is not denied either: "melanoma; no melanoma in the lower part" describes a part.
    """
    named = [(each.name.classname, strengths[each]) for each in mentions if each.name.classname]
    stated = {value for value, (polarity, weight) in named if polarity == "asserted" and weight == FIRM}
    if not stated:  # a name put forward ("may be X") counts as a mention
        ranked = [
            (weight if polarity == "asserted" else BARE, value)
            for value, (polarity, weight) in reversed(named)
            if polarity == "asserted" or (polarity == "hedged" and weight)
        ]
        stated = {max(ranked, key=lambda each: each[0])[1]} if ranked else set()  # of equals the last
    polarities = {each: strengths[each].polarity for each in mentions}
    for each in mentions:
        conflicting = "denied" if each.name.classname in stated else "asserted"
        if each.name.classname and polarities[each] == conflicting:
            polarities[each] = "hedged"
    return polarities


def _alternatives(tokens: Tokens, mentions: Sequence[Mention]) -> set[Mention]:
    """Return names of different things with nothing but "or" between them: neither is asserted."""
    alternatives: set[Mention] = set()
    for one, other in pairwise(mentions):
        between = {token.form for token in tokens[one.last : other.first]}
        differ = (one.name.classname, one.name.malignancy) != (other.name.classname, other.name.malignancy)
        same_kind = bool(one.name.malignancy) == bool(other.name.malignancy)
        if differ and same_kind and other.first - one.last <= _MAX_OR_GAP and between & _OR:
            alternatives |= {one, other}
    return alternatives


def _beside_or(tokens: Tokens, mention: Mention) -> bool:
    """Return whether the name is one of two choices: "squamous cell carcinoma or keratoacanthoma"."""
    left, right = mention.widest
    near = [tokens[left - 1].form if left else "", tokens[right].form if right < len(tokens) else ""]
    return any(form in _OR for form in near)


def _span(tokens: Tokens, first: int, last: int) -> tuple[int, int]:
    return tokens[first].start, tokens[last - 1].end


def _opening(tokens: Tokens, mentions: Sequence[Mention], contexts: Contexts) -> Mention | None:
    """Return the first asserted class, if the first sentence names it and describes a lesion."""
    end = next((position for position, token in enumerate(tokens) if token.form in SENTENCE_ENDS), len(tokens))
    asserted = (each for each in mentions if each.name.classname and contexts[each.first].polarity == "asserted")
    opening = next((each for each in asserted if each.first < end), None)
    generic = opening and opening.last < end and tokens[opening.last].form in _GENERIC_VERBS
    return None if generic else opening


def _weight(tokens: Tokens, mention: Mention, context: Context, *, opening: bool, verdict: bool) -> int:
    """Return the weight of a class; `opening` if it is the note's first, `verdict` if its malignancy is beside it."""
    weight = FIRM if context.backward is Effect.CONCLUDED else _TRIGGERED[context.weight]
    clause = _clause(tokens, mention)
    if weight == FIRM or not _record_sources().isdisjoint(clause):  # "X by record", "the label says X"
        return FIRM
    if clause[0] in _INVERTED or (not _CONDITIONAL.isdisjoint(clause) and _WRITERS.isdisjoint(clause)):
        return HYPOTHETICAL
    alone = verdict or _is_headline(tokens, mention, opening=opening)
    if alone and opening:
        return FIRM
    if alone or weight or _is_equated(tokens, mention):
        return DRAWN
    if opening:
        return OPENING
    return HYPOTHETICAL if _is_general(tokens, mention) else BARE


def _is_headline(tokens: Tokens, mention: Mention, *, opening: bool) -> bool:
    """Return whether a name is a sentence of its own: "Dermatofibroma.", "Still, a nevus.", "Facial angioma."."""
    right = mention.widest[1]
    following = tokens[right].form if right < len(tokens) else "."
    if following not in (MARKS - {"?"} if opening else SENTENCE_ENDS | {"(", DASH, "/"}):
        return False
    left = _before(tokens, mention)
    lead = 0
    while left >= 0 and tokens[left].form not in SENTENCE_ENDS:
        lead += 1
        if lead > _MAX_LEAD or tokens[left].form in _NO_HEADLINE:
            return False
        left -= 1
    return True


def _is_equated(tokens: Tokens, mention: Mention) -> bool:
    """Return whether something is called by the name: "what remains is X", "-> X", "filed as X"."""
    left = _before(tokens, mention)
    form = tokens[left].form if left >= 0 else ""
    if form == ":":
        return not _RANKED.intersection(token.form for token in tokens[max(0, left - 2) : left])
    return form in _EQUALS or (form == "as" and left > 0 and tokens[left - 1].form not in _NO_VERDICT)


def _is_general(tokens: Tokens, mention: Mention) -> bool:
    """Return whether a sentence opens with the name and a verb of its own ("Lentigo maligna looks like this")."""
    left, right = _before(tokens, mention), mention.widest[1]
    opens = left < 0 or tokens[left].form in SENTENCE_ENDS
    return opens and right < len(tokens) and tokens[right].form not in BE | MARKS


def _before(tokens: Tokens, mention: Mention) -> int:
    """Return the position before a name and its articles and adjectives; -1 at the text's start."""
    modifiers = _modifiers()
    position = mention.widest[0] - 1
    while position >= 0 and tokens[position].form in modifiers:
        position -= 1
    return position


def _clause(tokens: Tokens, mention: Mention) -> list[str]:
    """Return the clause around a name, up to some tokens on either side."""
    first, last = mention.first, mention.last
    while first > max(0, mention.first - _MAX_CLAUSE) and not _ends_clause(tokens, first - 1):
        first -= 1
    while last < min(len(tokens), mention.last + _MAX_CLAUSE) and not _ends_clause(tokens, last):
        last += 1
    return [token.form for token in tokens[first:last]]


def _ends_clause(tokens: Tokens, position: int) -> bool:
    form = tokens[position].form
    if form != "and":
        return form in _CLAUSE_ENDS
    return position + 1 < len(tokens) and tokens[position + 1].form in DETERMINERS


def _with_own_malignancy(tokens: Tokens, mentions: Sequence[Mention], malignancies: Mapping[str, str]) -> set[Mention]:
    """Return names with their own malignancy beside them: "X, malignant", "benign: X", "X (benign)"."""
    found = set()
    for one, other in pairwise(mentions):
        between = [token.form for token in tokens[one.widest[1] : other.widest[0]]]
        separated = 0 < len(between) <= _MAX_GAP and bool(MARKS.intersection(between))
        named, beside = (one, other) if other.name.malignancy else (other, one)
        if separated and beside.name.malignancy and malignancies.get(named.name.classname) == beside.name.malignancy:
            found.add(named)
    return found


@cache
def _record_sources() -> frozenset[str]:
    return form_set(*load_lexicon("diagnoses")["record_sources"])


@cache
def _modifiers() -> frozenset[str]:
    """Return the articles and adjectives that may precede a name, among them the single words for malignancy."""
    single = (phrase[0] for word in malignancy_words() if len(phrase := forms(word)) == 1)
    return frozenset({*single, *_ADJECTIVES, DASH}) | DETERMINERS
