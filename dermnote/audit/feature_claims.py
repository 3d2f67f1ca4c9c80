"""Claims of a vocabulary's features: the options a note names, in prose or under a heading ("B) Border: sharp")."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import NamedTuple

from dermnote.audit.claims import Claim
from dermnote.audit.scope import DETERMINERS, FINITE, Context, Contexts
from dermnote.audit.tokens import DASH, MARKS, SENTENCE_ENDS, Phrases, Tokens, form_set, forms
from dermnote.vocabularies.lexicon import load_lexicon
from dermnote.vocabularies.vocabulary import Feature, Vocabulary

Found = tuple[int, int, tuple[str, ...]]  # first token, last token (exclusive), options
Section = tuple[int, int]  # first token, last token (exclusive)

_STEM = 6  # letters that an option shares with its feature's name where it needs no other context
_MAX_HEADING = 4  # tokens
_MAX_CLAUSE = 6  # tokens before or behind an option that a clause consists of
_MAX_DISTANCE = 12  # tokens between an option and its feature's name
_MAX_PART_DISTANCE = 4  # tokens between an option and the part it describes
_PARTS_END = MARKS | DETERMINERS | FINITE | form_set("and but with at on in of to from since because as")
_ALL_OVER = frozenset({"all", "both", "every", "each", "two", "either"})
_ALONE = FINITE | DETERMINERS | form_set("and or very quite rather fairly clearly lesion overall also so")


@dataclass(frozen=True)
class FeatureTable:
    """Search table of a feature.

    Attributes:
        feature: The feature.
        phrases: Phrases with the options they name (two for "light to dark brown", none for a misleading one).
        headings: Names of the feature that may head a section.
        nouns: Single words that name the feature.
        plain: Phrases that need no such noun near them.
        combined: Options that stand for several others, where one of their words says so: "sharp and indistinct".
    """

    feature: Feature
    phrases: Phrases[tuple[str, ...]]
    headings: frozenset[tuple[str, ...]]
    nouns: frozenset[str]
    plain: frozenset[tuple[str, ...]]
    combined: dict[frozenset[str], str]

    @classmethod
    def build(cls, feature: Feature) -> FeatureTable:
        """Build the table from the feature's options and the lexicon."""
        lexicon = load_lexicon("features")
        options: dict[tuple[str, ...], tuple[str, ...]] = {
            forms(each): () for each in lexicon["misleading"].get(feature.claim, ())
        }
        for option in feature.options:
            for phrase in dict.fromkeys(forms(each) for each in (option.name, *option.words)):
                options[phrase] = (*options.get(phrase, ()), option.name)
        combined = {
            frozenset(parts): option.name
            for option in feature.options
            for word in option.words
            if len(parts := [part.strip() for part in word.split(" and ")]) > 1 and set(parts) <= set(feature.choices)
        }
        names = (feature.name, feature.title, feature.claim, *lexicon["nouns"].get(feature.claim, ()))
        headings = frozenset(forms(each) for each in names)
        return cls(
            feature=feature,
            phrases=Phrases((" ".join(phrase), names) for phrase, names in options.items()),
            headings=headings,
            nouns=frozenset(each[0] for each in headings if len(each) == 1),
            plain=frozenset(
                phrase for phrase in options if feature.many or len(phrase) > 1 or _shares_stem(phrase[0], headings)
            ),
            combined=combined,
        )

    def find(self, tokens: Tokens) -> list[Found]:
        """Return the options of the feature that a text names."""
        return [each for each in self.phrases.find(tokens) if each[2]]


@lru_cache(maxsize=32)
def feature_tables(vocabulary: Vocabulary) -> tuple[FeatureTable, ...]:
    """Return the tables of a vocabulary's features, in their order."""
    return tuple(FeatureTable.build(feature) for feature in vocabulary.features)


def _shares_stem(word: str, headings: frozenset[tuple[str, ...]]) -> bool:
    return any(
        word[:_STEM] in heading[0] or heading[0][:_STEM] in word for heading in headings if len(heading[0]) >= _STEM
    )


def find_sections(tokens: Tokens, tables: Sequence[FeatureTable]) -> list[list[Section]]:
    """Return for each feature the sections under its headings; a heading ends the section before it."""
    sections: list[list[Section]] = [[] for _ in tables]
    current, since = None, 0
    for start, end, number in [*_headings(tokens, tables), (len(tokens), len(tokens), None)]:
        if current is not None:
            sections[current].append((since, start))
        current, since = number, end
    return sections


def _headings(tokens: Tokens, tables: Sequence[FeatureTable]) -> list[tuple[int, int, int | None]]:
    """Return headings in order: first token, first token of the section, the feature's number (None: another topic)."""
    known = {heading: number for number, table in reversed([*enumerate(tables)]) for heading in table.headings}
    found: list[tuple[int, int, int | None]] = []
    opening = 0  # first token of the sentence, behind an enumerator
    for position, token in enumerate(tokens):
        if position == opening and (topic := _topic(tokens, opening, known)) is not None:
            found.append((opening, *topic))
        if token.form in (":", DASH, "?") and 0 < position - opening <= _MAX_HEADING:
            number = known.get(tuple(each.form for each in tokens[opening:position]))
            if token.form == ":" or number is not None:
                found.append((opening, position + 1, number))
        if token.form in SENTENCE_ENDS or token.form in (")", "]") or (token.form == DASH and position == opening):
            opening = position + 1
    return found


def _topic(tokens: Tokens, opening: int, known: dict[tuple[str, ...], int]) -> tuple[int, int] | None:
    """Return the end and the feature's number of an announced topic: "as to the border"."""
    lead = _topic_phrases().longest_at(tokens, opening)
    if lead is None:
        return None
    first = lead[0]
    while first < len(tokens) and tokens[first].form in DETERMINERS:
        first += 1
    for last in (first + 2, first + 1):
        number = known.get(tuple(each.form for each in tokens[first:last]))
        if number is not None:
            return last, number
    return None


@cache
def _topic_phrases() -> Phrases[bool]:
    return Phrases([(topic, True) for topic in load_lexicon("features")["topics"]])


def feature_claims(
    tokens: Tokens,
    contexts: Contexts,
    table: FeatureTable,
    found: Sequence[Found],
    sections: Sequence[Section],
    all_sections: Sequence[Section],
) -> list[Claim]:
    """Return the claims of one feature.

    Args:
        tokens: The note's tokens.
        contexts: Their contexts.
        table: The feature's table.
        found: Result of its `find`.
        sections: Sections about this feature. If there are any, only they count, and of a feature with one option the
            first in a section does.
        all_sections: Sections about any feature, in order.
    """
    mentions = [_Mention(*each, contexts[each[0]]) for each in found]
    if not sections:
        inside = [
            each for each in mentions if not (each.context.elsewhere or (table.feature.many and each.context.skin))
        ]
        chosen = [each for each in inside if table.feature.many or _describes(tokens, each, table, all_sections)]
    else:
        chosen, starts = [], [each.first for each in mentions]
        for start, end in sections:
            first = bisect_left(starts, start)
            inside = mentions[first : bisect_left(starts, end)]
            heading = [each for each in mentions[max(0, first - 1) : first] if each.last == start - 1]
            chosen += _mentions_in_section(table, inside or heading)  # "Asymmetry: none"
    claims = [
        Claim(table.feature.claim, name, (tokens[each.first].start, tokens[each.last - 1].end), each.context.polarity)
        for each in chosen
        for name in each.options
    ]
    if sections or table.feature.many:
        return claims
    partial = {tokens[each.first].start for each in chosen if _in_part(tokens, each.last, table)}
    return _one_option(claims, table, partial)


class _Mention(NamedTuple):
    """Options named in a note, by first and last token (exclusive)."""

    first: int
    last: int
    options: tuple[str, ...]
    context: Context


def _mentions_in_section(table: FeatureTable, mentions: list[_Mention]) -> list[_Mention]:
    inside = [each for each in mentions if not each.context.elsewhere]
    asserted = [each.options for each in inside if each.context.polarity == "asserted"]
    if table.feature.many or not asserted:
        return inside
    combined = set(table.combined.values())  # "indistinct, sharp only below" is indistinct
    chosen = next((options for options in asserted if set(options) <= combined), asserted[0])
    return [each for each in inside if each.options == chosen or each.context.polarity != "asserted"]


def _describes(tokens: Tokens, mention: _Mention, table: FeatureTable, all_sections: Sequence[Section]) -> bool:
    """Return whether an option's word describes its feature, outside any section of another."""
    first, last, parts = mention.first, mention.last, _parts()
    for token in tokens[last : last + _MAX_PART_DISTANCE]:
        if token.form in _PARTS_END or token.form in table.nouns:
            break
        if token.form in parts:
            return False
    if tuple(token.form for token in tokens[first:last]) in table.plain:
        return True
    return _is_noun_near(tokens, first, last, table.nouns) or (
        _is_clause(tokens, first, last) and not _is_inside(first, all_sections)
    )


@cache
def _parts() -> frozenset[str]:
    return form_set(*load_lexicon("features")["parts"])


def _in_part(tokens: Tokens, last: int, table: FeatureTable) -> bool:
    """Return whether the option holds in a part only: "well defined at the upper left", not "on all sides"."""
    following = [token.form for token in tokens[last : last + 3]]
    if not following or table.nouns.intersection(following):  # "indistinct at the border"
        return False
    return following[0] in ("above", "below") or (
        following[0] in ("at", "on") and not _ALL_OVER.intersection(following[:2])
    )


def _is_clause(tokens: Tokens, first: int, last: int) -> bool:
    """Return whether a clause consists of the option alone: "Symmetric. Sharp. Red.", "(B) sharp", "it is sharp"."""
    start, end = first, last
    while start and tokens[start - 1].form not in MARKS and first - start < _MAX_CLAUSE:
        start -= 1
    while end < len(tokens) and tokens[end].form not in MARKS and end - last < _MAX_CLAUSE:
        end += 1
    return all(token.form in _ALONE or len(token.form) == 1 for token in (*tokens[start:first], *tokens[last:end]))


def _is_inside(position: int, sections: Sequence[Section]) -> bool:
    number = bisect_right(sections, (position, position)) - 1
    return number >= 0 and sections[number][0] <= position < sections[number][1]


def _is_noun_near(tokens: Tokens, first: int, last: int, nouns: frozenset[str]) -> bool:
    """Return whether one of the nouns is near in the same sentence."""
    for step, edge in ((-1, first - 1), (1, last)):
        for position in range(edge, edge + step * _MAX_DISTANCE, step):
            if not 0 <= position < len(tokens) or tokens[position].form in SENTENCE_ENDS:
                break
            if tokens[position].form in nouns:
                return True
    return False


def _one_option(claims: list[Claim], table: FeatureTable, partial: set[int]) -> list[Claim]:
    """Return the claims of a feature with one option: several become their combination, or else are hedged.

    "Sharp above, blurred below" is mixed, if the vocabulary says so; an option that holds in a part only is hedged.
    """
    asserted = {claim.value for claim in claims if claim.polarity == "asserted"}
    for parts, whole in table.combined.items():
        if len(asserted) > 1 and asserted <= {*parts, whole}:
            return [replace(each, value=whole) if each.polarity == "asserted" else each for each in claims]
    whole_values = {each.value for each in claims if each.polarity == "asserted" and each.span[0] not in partial}
    return [
        replace(each, polarity="hedged")
        if each.polarity == "asserted" and (len(whole_values) > 1 or each.span[0] in partial)
        else each
        for each in claims
    ]
