"""Reads which options of a vocabulary's features a note names."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace

from dermnote.audit.claims import Claim
from dermnote.audit.option_index import Options
from dermnote.audit.polarity_context import Context
from dermnote.audit.sections import Section
from dermnote.audit.tokens import MARKS, SENTENCE_ENDS, Word, forms
from dermnote.audit.triggers import DETERMINERS, FINITE

Named = tuple[int, int, tuple[str, ...]]
_BEFORE_PART = 4
# A border word before one of these tells of a part: "well-defined red lacunae", "a sharp blotch".
PARTS = frozenset(
    forms(
        "lacuna lacunae vessel clod globule dot nest blotch crust focus foci opening structure telangiectasia"
        " erosion ulcer cyst follicle line streak network ring rim halo scale plug ovoid veil zone area"
    )
)
_PARTS_END = MARKS | DETERMINERS | FINITE | frozenset(forms("and but with at on in of to from since because as"))
_ALL_OVER = frozenset({"all", "both", "every", "each", "two", "either"})
_ALONE = FINITE | DETERMINERS | frozenset(forms("and or very quite rather fairly clearly lesion overall also so"))
_LONGEST_ALONE = 6  # words of a clause that says an option and no more
_NEAR = 12  # words between an option and its feature's name


def find_options(words: Sequence[Word], options: Options) -> list[Named]:
    """Where a text names options of a feature: first word, last word (exclusive), the options."""
    return [each for each in options.phrases.find(words) if each[2]]


def feature_claims(
    words: Sequence[Word],
    contexts: Sequence[Context],
    options: Options,
    found: Sequence[Named],
    sections: Sequence[Section],
    others: Sequence[Section],
) -> list[Claim]:
    """The claims of one feature.

    Args:
        words: The note's words.
        contexts: Their contexts.
        options: The feature's table.
        found: What `find_options` found for it.
        sections: Where the note speaks of this feature under a heading of its own; what stands outside does not
            count then, and of a feature with one option the first under a heading does.
        others: Where it speaks of other features under theirs, in order.
    """
    if not sections:
        return _claims_in_prose(words, contexts, options, found, others)
    claims: list[Claim] = []
    starts = [first for first, _, _ in found]
    for start, end in sections:
        first = bisect_left(starts, start)
        inside = found[first : bisect_left(starts, end)]
        heading = [each for each in found[max(0, first - 1) : first] if each[1] == start - 1]
        claims += _claims_under_heading(words, contexts, options, inside or heading)  # "Asymmetry: none"
    return claims


def _claims_under_heading(
    words: Sequence[Word], contexts: Sequence[Context], options: Options, found: Sequence[Named]
) -> list[Claim]:
    inside = [each for each in found if not contexts[each[0]].elsewhere]
    asserted = [names for first, _, names in inside if contexts[first].polarity == "asserted"]
    if not options.feature.many and asserted:  # "indistinct, sharp only below" is indistinct
        chosen = next((names for names in asserted if set(names) <= set(options.both.values())), asserted[0])
        inside = [each for each in inside if each[2] == chosen or contexts[each[0]].polarity != "asserted"]
    return [claim for each in inside for claim in _named(words, contexts, options, each)]


def _claims_in_prose(
    words: Sequence[Word],
    contexts: Sequence[Context],
    options: Options,
    found: Sequence[Named],
    others: Sequence[Section],
) -> list[Claim]:
    if options.feature.many:
        inside = [each for each in found if not (contexts[each[0]].elsewhere or contexts[each[0]].skin)]
        return [claim for each in inside for claim in _named(words, contexts, options, each)]
    counting = [
        each for each in found if not contexts[each[0]].elsewhere and _counts(words, each[0], each[1], options, others)
    ]
    claims = [claim for each in counting for claim in _named(words, contexts, options, each)]
    partial = {words[first].start for first, last, _ in counting if _in_part(words, last, options)}
    return _undecided(claims, options, partial)


def _named(words: Sequence[Word], contexts: Sequence[Context], options: Options, named: Named) -> list[Claim]:
    first, last, names = named
    span = words[first].start, words[last - 1].end
    return [Claim(options.feature.claim, name, span, contexts[first].polarity) for name in names]


def _counts(words: Sequence[Word], first: int, last: int, options: Options, others: Sequence[Section]) -> bool:
    """Whether an option's word speaks of its feature, outside any heading of it."""
    for word in words[last : last + _BEFORE_PART]:
        if word.form in _PARTS_END or word.form in options.nouns:
            break
        if word.form in PARTS:
            return False
    if tuple(word.form for word in words[first:last]) in options.plain:
        return True
    return _sentence_names(words, first, last, options.nouns) or (
        _stands_alone(words, first, last) and not _is_inside(first, others)
    )


def _in_part(words: Sequence[Word], last: int, options: Options) -> bool:
    """Whether what was said holds in a part only: "well defined at the upper left", not "on all sides"."""
    following = [word.form for word in words[last : last + 3]]
    if not following or options.nouns.intersection(following):  # "indistinct at the border"
        return False
    return following[0] in ("above", "below") or (
        following[0] in ("at", "on") and not _ALL_OVER.intersection(following[:2])
    )


def _stands_alone(words: Sequence[Word], first: int, last: int) -> bool:
    """Whether a clause says the option and no more: "Symmetric. Sharp. Red.", "(B) sharp", "it is sharp"."""
    start, end = first, last
    while start and words[start - 1].form not in MARKS and first - start < _LONGEST_ALONE:
        start -= 1
    while end < len(words) and words[end].form not in MARKS and end - last < _LONGEST_ALONE:
        end += 1
    return all(word.form in _ALONE or len(word.form) == 1 for word in (*words[start:first], *words[last:end]))


def _is_inside(position: int, sections: Sequence[Section]) -> bool:
    number = bisect_right(sections, (position, position)) - 1
    return number >= 0 and sections[number][0] <= position < sections[number][1]


def _sentence_names(words: Sequence[Word], first: int, last: int, nouns: frozenset[str]) -> bool:
    """Whether one of the nouns stands near in the same sentence."""
    for step, edge in ((-1, first - 1), (1, last)):
        for position in range(edge, edge + step * _NEAR, step):
            if not 0 <= position < len(words) or words[position].form in SENTENCE_ENDS:
                break
            if words[position].form in nouns:
                return True
    return False


def _undecided(claims: list[Claim], options: Options, partial: set[int]) -> list[Claim]:
    """The claims of one choice: options that make up another are that one; else two leave it open.

    "Sharp above, blurred below" is mixed, where the vocabulary calls that so; what holds in a part only is hedged.
    """
    asserted = {claim.value for claim in claims if claim.polarity == "asserted"}
    for parts, whole in options.both.items():
        if len(asserted) > 1 and asserted <= {*parts, whole}:
            return [replace(each, value=whole) if each.polarity == "asserted" else each for each in claims]
    whole_values = {each.value for each in claims if each.polarity == "asserted" and each.span[0] not in partial}
    return [
        replace(each, polarity="hedged")
        if each.polarity == "asserted" and (len(whole_values) > 1 or each.span[0] in partial)
        else each
        for each in claims
    ]
