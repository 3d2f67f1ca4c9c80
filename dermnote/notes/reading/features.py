"""Reads which options of a vocabulary's features a note names."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from dermnote.notes.claims import Claim
from dermnote.notes.lexicon.options import Options
from dermnote.notes.reading.context import Context, Polarity
from dermnote.notes.reading.words import MARKS, SENTENCE_ENDS, Word, forms

LONGEST_HEADING = 4
Named = tuple[int, int, tuple[str, ...]]
_BEFORE_PART = 4
# A border word before one of these tells of a part: "well-defined red lacunae", "a sharp blotch".
PARTS = frozenset(
    forms(
        "lacuna lacunae vessel clod globule dot nest blotch crust focus foci opening structure telangiectasia"
        " erosion ulcer cyst follicle line streak network ring rim halo scale plug ovoid veil zone area"
    )
)

_ALL_OVER = frozenset({"all", "both", "every", "each", "two", "either"})


def find_options(words: Sequence[Word], options: Options) -> list[Named]:
    """Where a text names options of a feature: first word, last word (exclusive), the options."""
    return [each for each in options.phrases.find(words) if each[2]]


def feature_claims(
    words: Sequence[Word],
    contexts: Sequence[Context],
    options: Options,
    found: Sequence[Named],
    sections: Sequence[tuple[int, int]],
) -> list[Claim]:
    """The claims of one feature.

    Args:
        words: The note's words.
        contexts: Their contexts.
        options: The feature's table.
        found: What `find_options` found for it.
        sections: Where the note speaks of this feature under a heading of its own; what stands outside does not
            count then, and of a feature with one option the first under a heading does.
    """
    if not sections:
        return _claims_in_prose(words, contexts, options, found)
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
    claims: list[Claim] = []
    for first, last, names in found:
        if contexts[first].elsewhere:
            continue
        claims += _named(words, options, first, last, names, contexts[first].polarity)
        if not options.feature.many and claims and claims[-1].polarity == "asserted":
            break
    return claims


def _claims_in_prose(
    words: Sequence[Word], contexts: Sequence[Context], options: Options, found: Sequence[Named]
) -> list[Claim]:
    claims: list[Claim] = []
    many = options.feature.many
    for first, last, names in found:
        context = contexts[first]
        if context.elsewhere or (context.skin and many) or not _counts(words, first, last, options):
            continue
        partial = not many and context.polarity == "asserted" and _in_part(words, last)
        claims += _named(words, options, first, last, names, "hedged" if partial else context.polarity)
    return claims if many else _undecided(claims)


def _named(
    words: Sequence[Word], options: Options, first: int, last: int, names: Sequence[str], polarity: Polarity
) -> list[Claim]:
    span = words[first].start, words[last - 1].end
    return [Claim(options.feature.claim, name, span, polarity) for name in names]


def find_sections(words: Sequence[Word], tables: Sequence[Options]) -> list[list[tuple[int, int]]]:
    """For each feature the stretches of words under its headings; a heading ends the stretch before it."""
    sections: list[list[tuple[int, int]]] = [[] for _ in tables]
    current: tuple[int, int] | None = None  # feature, first word
    opening = 0  # first word of the sentence, behind an enumerator
    for position, word in enumerate(words):
        if word.form in SENTENCE_ENDS or word.form == ")":
            opening = position + 1
        elif word.form == ":" and 0 < position - opening <= LONGEST_HEADING:
            if current is not None:
                sections[current[0]].append((current[1], opening))
            heading = tuple(each.form for each in words[opening:position])
            which = next((number for number, table in enumerate(tables) if heading in table.headings), None)
            current = None if which is None else (which, position + 1)
    if current is not None:
        sections[current[0]].append((current[1], len(words)))
    return sections


def _counts(words: Sequence[Word], first: int, last: int, options: Options) -> bool:
    """Whether an option's word speaks of its feature, outside any heading."""
    if options.feature.many:
        return True
    for word in words[last : last + _BEFORE_PART]:
        if word.form in MARKS or word.form in options.nouns:
            break
        if word.form in PARTS:
            return False
    if tuple(word.form for word in words[first:last]) in options.plain:
        return True
    return _sentence_names(words, first, last, options.nouns)


def _in_part(words: Sequence[Word], last: int) -> bool:
    """Whether what was said holds in a part only: "well defined at the upper left", not "on all sides"."""
    following = [word.form for word in words[last : last + 2]]
    return bool(following) and (
        following[0] in ("above", "below") or (following[0] in ("at", "on") and following[-1] not in _ALL_OVER)
    )


def _sentence_names(words: Sequence[Word], first: int, last: int, nouns: frozenset[str]) -> bool:
    """Whether one of the nouns stands near in the same sentence."""
    for step, edge in ((-1, first - 1), (1, last)):
        for position in range(edge, edge + step * 12, step):
            if not 0 <= position < len(words) or words[position].form in SENTENCE_ENDS:
                break
            if words[position].form in nouns:
                return True
    return False


def _undecided(claims: list[Claim]) -> list[Claim]:
    """A note that asserts two options of one choice ("sharp above, blurred below") asserts neither of the whole."""
    if len({claim.value for claim in claims if claim.polarity == "asserted"}) < 2:
        return claims
    return [
        Claim(each.kind, each.value, each.span, "hedged" if each.polarity == "asserted" else each.polarity)
        for each in claims
    ]
