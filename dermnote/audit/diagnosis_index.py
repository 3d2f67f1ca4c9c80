"""One search table for what a vocabulary's diagnoses and degrees of danger are called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from dermnote.audit.phrases import Phrases
from dermnote.audit.tokens import forms
from dermnote.taxonomy import EIGHT
from dermnote.vocabularies.lexicon import diagnoses as known
from dermnote.vocabularies.lexicon.danger import DANGER
from dermnote.vocabularies.lexicon.subtypes import KINDS, Kind
from dermnote.vocabularies.vocabulary import Vocabulary


@dataclass(frozen=True)
class Name:
    """What a phrase names.

    Attributes:
        classname: A class; empty where the phrase names a danger, or nothing.
        kind: The subtype it names beside the class.
        danger: A malignancy.
        hedged: Whether a danger is only raised ("suspicious").
        capitals: Whether it counts in capitals alone.
    """

    classname: str = ""
    kind: Kind | None = None
    danger: str = ""
    hedged: bool = False
    capitals: bool = False


@dataclass(frozen=True)
class Names:
    """The table of a vocabulary.

    Attributes:
        phrases: All names.
        adjectives: For each class, the words that name a subtype beside it.
        kinds: Subtypes by value.
    """

    phrases: Phrases[Name]
    adjectives: dict[str, dict[tuple[str, ...], Kind]] = field(default_factory=dict)
    kinds: dict[str, Kind] = field(default_factory=dict)


@lru_cache(maxsize=32)
def names_of(vocabulary: Vocabulary) -> Names:
    """The names of a vocabulary's classes; for those of the built-in taxonomy, all that is known."""
    classnames = {each.name for each in vocabulary.classes}
    kinds = [kind for kind in KINDS if kind.classname in classnames]
    adjectives: dict[str, dict[tuple[str, ...], Kind]] = {}
    for kind in kinds:
        adjectives.setdefault(kind.classname, {}).update({forms(word): kind for word in kind.adjectives})
    return Names(
        Phrases(_inverted(_entries(vocabulary, kinds, built_in=vocabulary.classes == EIGHT)), skipping="()"),
        adjectives,
        {kind.value: kind for kind in kinds},
    )


def _inverted(entries: Iterable[tuple[str, Name]]) -> Iterator[tuple[str, Name]]:
    """The entries, and as archives write them where the noun alone is something else: "keratosis, actinic"."""
    known = list(entries)
    yield from known
    alone = {phrase.lower(): name.classname for phrase, name in reversed(known)}
    for phrase, name in known:
        *qualifiers, noun = phrase.split()
        if qualifiers and name.classname and alone.get(noun.lower()) != name.classname:
            yield f"{noun}, {' '.join(qualifiers)}", name


def _entries(vocabulary: Vocabulary, kinds: list[Kind], *, built_in: bool) -> Iterator[tuple[str, Name]]:
    """Names in order of precedence: of two alike the first counts."""
    for each in vocabulary.classes:
        yield each.name, Name(each.name)
    if built_in:
        yield from ((phrase, Name()) for phrase in known.NO_DIAGNOSIS)
    for kind in kinds:
        yield from ((phrase, Name(kind.classname, kind)) for phrase in (*kind.names, kind.value))
    for each in vocabulary.classes:
        yield from ((phrase, Name(each.name)) for phrase in (*each.words, *known.NAMES.get(each.name, ())))
        yield from ((phrase, Name(each.name, capitals=True)) for phrase in known.CAPITAL_NAMES.get(each.name, ()))
    if built_in:
        yield from ((phrase, Name(phrase)) for phrase in known.OTHERS)
    for phrase, (danger, hedged) in DANGER.items():
        yield phrase, Name(danger=danger, hedged=hedged)
