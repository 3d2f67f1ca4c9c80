"""Mentions of diagnoses, subtypes and malignancy in a text, found with one search table per vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache

from dermnote.audit.tokens import MARKS, Phrases, Tokens, form_set, forms
from dermnote.taxonomy import EIGHT
from dermnote.vocabularies.lexicon import Subtype, load_lexicon, malignancy_words, subtypes
from dermnote.vocabularies.vocabulary import Vocabulary

_COMPARED = frozenset({"like", "specific", "mimic", "simulator", "mimicker", "associated"})  # "melanoma-specific"
_MALIGNANCY = "malignancy"  # a malignant lesion; a heading where a value follows ("malignancy: benign")
_JOINTS = frozenset({",", "and", "or", "/", "type"})
_MAX_DISTANCE = 6  # tokens searched for subtypes on either side

Adjectives = dict[tuple[str, ...], Subtype]


@dataclass(frozen=True)
class Name:
    """Meaning of a phrase.

    Attributes:
        classname: A class; "" where the phrase names a malignancy, or nothing.
        subtype: The subtype it names beside the class.
        malignancy: "benign", "pre-cancerous" or "malignant"; "" where it names a class.
        suspected: Whether a malignancy is only raised ("suspicious").
        capitals: Whether it counts in capitals alone.
    """

    classname: str = ""
    subtype: Subtype | None = None
    malignancy: str = ""
    suspected: bool = False
    capitals: bool = False


@dataclass(frozen=True)
class DiagnosisTable:
    """Search table of a vocabulary.

    Attributes:
        phrases: All names.
        adjectives: For each class, the words that name a subtype beside it.
        subtypes: Subtypes by name.
    """

    phrases: Phrases[Name]
    adjectives: dict[str, Adjectives] = field(default_factory=dict)
    subtypes: dict[str, Subtype] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Mention:
    """A name in a note; two mentions are never equal.

    Attributes:
        first: First token.
        last: Last token (exclusive).
        name: Its meaning.
        subtypes: The subtypes named with it.
        widest: First and last token (exclusive) with the words of the subtypes.
    """

    first: int
    last: int
    name: Name
    subtypes: tuple[Subtype, ...] = ()
    widest: tuple[int, int] = (0, 0)


@lru_cache(maxsize=32)
def diagnosis_table(vocabulary: Vocabulary) -> DiagnosisTable:
    """Return the names of a vocabulary's classes, with all of the lexicon for those of the built-in taxonomy."""
    classnames = {each.name for each in vocabulary.classes}
    known = [subtype for subtype in subtypes() if subtype.classname in classnames]
    adjectives: dict[str, Adjectives] = {}
    for subtype in known:
        adjectives.setdefault(subtype.classname, {}).update({forms(word): subtype for word in subtype.adjectives})
    return DiagnosisTable(
        Phrases(_with_inversions(_entries(vocabulary, known)), skipping="()"),
        adjectives,
        {subtype.name: subtype for subtype in known},
    )


def _with_inversions(entries: Iterable[tuple[str, Name]]) -> Iterator[tuple[str, Name]]:
    """Yield the entries, and the form of archives where the noun alone means something else: "keratosis, actinic"."""
    known = list(entries)
    yield from known
    alone = {phrase.lower(): name.classname for phrase, name in reversed(known)}
    for phrase, name in known:
        *qualifiers, noun = phrase.split()
        if qualifiers and name.classname and alone.get(noun.lower()) != name.classname:
            yield f"{noun}, {' '.join(qualifiers)}", name


def _entries(vocabulary: Vocabulary, known: list[Subtype]) -> Iterator[tuple[str, Name]]:
    """Yield names in order of precedence: of two equal ones the first counts."""
    lexicon, built_in = load_lexicon("diagnoses"), vocabulary.classes == EIGHT
    for each in vocabulary.classes:
        yield each.name, Name(each.name)
    if built_in:
        yield from ((phrase, Name()) for phrase in lexicon["no_diagnosis"])
    for subtype in known:
        yield from ((phrase, Name(subtype.classname, subtype)) for phrase in (*subtype.names, subtype.name))
    for each in vocabulary.classes:
        yield from ((phrase, Name(each.name)) for phrase in (*each.words, *lexicon["names"].get(each.name, ())))
        yield from ((phrase, Name(each.name, capitals=True)) for phrase in lexicon["capital_names"].get(each.name, ()))
    if built_in:
        yield from ((phrase, Name(phrase)) for phrase in lexicon["other_diagnoses"])
    for phrase, (malignancy, suspected) in malignancy_words().items():
        yield phrase, Name(malignancy=malignancy, suspected=suspected)


def find_mentions(text: str, tokens: Tokens, table: DiagnosisTable) -> list[Mention]:
    """Return all names in a text, the longest at each position; comparisons ("melanoma-like") name nothing."""
    found = []
    for first, last, name in table.phrases.find(tokens):
        if not (name.classname or name.malignancy) or (name.capitals and not _in_capitals(text, tokens, first)):
            continue
        if last < len(tokens) and tokens[last].form in _COMPARED:
            continue
        if tokens[first].form == _MALIGNANCY and _has_value(tokens, last, table):
            continue
        found.append(_with_subtypes(tokens, Mention(first, last, name), table))
    return found


def _has_value(tokens: Tokens, last: int, table: DiagnosisTable) -> bool:
    """Return whether a malignancy follows, at once or behind a mark or "is"."""
    ahead = (table.phrases.longest_at(tokens, position) for position in range(last, min(len(tokens), last + 2)))
    return any(match is not None and bool(match[1].malignancy) for match in ahead)


def _in_capitals(text: str, tokens: Tokens, first: int) -> bool:
    """Return whether an abbreviation is one: "MM" is, "5 MM" is not."""
    word = text[tokens[first].start : tokens[first].end]
    return word.rstrip("s").isupper() and not (first and tokens[first - 1].form[:1].isdigit())


def _with_subtypes(tokens: Tokens, mention: Mention, table: DiagnosisTable) -> Mention:
    own = [mention.name.subtype] if mention.name.subtype else []
    known = table.adjectives.get(mention.name.classname, {})
    left, before = _subtypes_before(tokens, mention.first, known)
    right, after = _subtypes_after(tokens, mention.last, known)
    return replace(mention, subtypes=(*own, *before, *after), widest=(left, right))


def _subtypes_before(tokens: Tokens, first: int, known: Adjectives) -> tuple[int, list[Subtype]]:
    found: list[Subtype] = []
    start = position = first
    while position > max(0, first - _MAX_DISTANCE):
        subtype, size = _adjective(tokens, position, known, backward=True)
        if subtype is not None:
            found.append(subtype)
            start = position - size
        elif tokens[position - 1].form not in _JOINTS:
            break
        position -= size
    return start, found[::-1]


def _subtypes_after(tokens: Tokens, last: int, known: Adjectives) -> tuple[int, list[Subtype]]:
    found: list[Subtype] = []
    connectors = _connectors()
    end = position = last
    while position < min(len(tokens), last + _MAX_DISTANCE):
        subtype, size = _adjective(tokens, position, known)
        following = tokens[position + size].form if position + size < len(tokens) else "."
        if subtype is not None and (position == last or following in MARKS or following in connectors):
            found.append(subtype)
            end = position + size
        elif tokens[position].form not in connectors:
            break
        position += size
    return end, found


def _adjective(
    tokens: Tokens, position: int, known: Adjectives, *, backward: bool = False
) -> tuple[Subtype | None, int]:
    """Return the subtype that two words or one word behind (or before) a position name, and how many they are."""
    for size in (2, 1):
        first = position - size if backward else position
        if known and first >= 0 and first + size <= len(tokens):
            subtype = known.get(tuple(token.form for token in tokens[first : first + size]))
            if subtype is not None:
                return subtype, size
    return None, 1


@cache
def _connectors() -> frozenset[str]:
    return form_set(*load_lexicon("diagnoses")["connectors"])
