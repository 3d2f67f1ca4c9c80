"""One search table a feature for what its options are called, and the words that tell which feature is spoken of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from dermnote.audit.phrases import Phrases
from dermnote.audit.tokens import forms
from dermnote.vocabularies.vocabulary import Feature, Option, Vocabulary

# What else a feature is called, by the kind of its claims.
NOUNS: dict[str, tuple[str, ...]] = {
    "border": ("margin", "edge", "outline", "contour", "demarcation", "perimeter", "boundary", "limit", "delimitation"),
    "asymmetry": ("symmetry",),
    "colour": ("colouration", "pigmentation", "hue", "shade"),
    "structure": ("dermoscopy", "pattern", "dermoscopic feature", "dermoscopic finding", "feature"),
}
# Phrases that hold an option's word and mean something else.
MISLEADING: dict[str, tuple[str, ...]] = {
    "structure": (
        *("negative network", "white network", "inverse network", "vascular network", "negative pigment network"),
        *("white streak", "shiny streak", "shiny white streak", "pink streak", "red streak", "vascular streak"),
    ),
    "colour": (
        *(
            "blue white veil",
            "blue white",
            "white blue",
            "whitish blue",
            "bluish white",
            "gray white",
            "white gray",
            "reddish brown",
            "red brown",
            "brown red",
        ),
        *("gray brown", "brown gray", "grayish brown", "grayish white", "whitish gray", "pinkish brown", "pink brown"),
        *("white balance", "red flag", "black and white", "blue nevus", "black hair", "white hair", "dark hair"),
    ),
    "border": ("sharply focused", "sharp focus", "in focus", "sharply in focus"),
    "asymmetry": (),
}
STEM = 6  # letters that an option shares with its feature's name where it needs no other context


@dataclass(frozen=True)
class Options:
    """A feature's table.

    Attributes:
        feature: The feature.
        phrases: Phrases with the options they name (two for "light to dark brown", none for a misleading one).
        headings: What the feature is headed by.
        nouns: Single words that say the feature is spoken of.
        plain: Option words that need no such word beside them.
        both: Options that together are another one, where a word of that names them: "sharp and indistinct".
    """

    feature: Feature
    phrases: Phrases[tuple[str, ...]]
    headings: frozenset[tuple[str, ...]]
    nouns: frozenset[str]
    plain: frozenset[tuple[str, ...]]
    both: dict[frozenset[str], str]


@lru_cache(maxsize=32)
def options_of(vocabulary: Vocabulary) -> tuple[Options, ...]:
    """The tables of a vocabulary's features, in their order."""
    return tuple(_options(feature) for feature in vocabulary.features)


def _options(feature: Feature) -> Options:
    named: dict[tuple[str, ...], tuple[str, ...]] = {forms(each): () for each in MISLEADING.get(feature.claim, ())}
    for option in feature.options:
        for phrase in _phrases(option):
            named[phrase] = (*named.get(phrase, ()), option.name)
    both = {
        frozenset(parts): option.name
        for option in feature.options
        for word in option.words
        if len(parts := [part.strip() for part in word.split(" and ")]) > 1 and set(parts) <= set(feature.choices)
    }
    spelled = ((" ".join(phrase), names) for phrase, names in named.items())
    called = (feature.name, feature.title, feature.claim, *NOUNS.get(feature.claim, ()))
    headings = frozenset(forms(each) for each in called)
    return Options(
        feature=feature,
        phrases=Phrases(spelled),
        headings=headings,
        nouns=frozenset(each[0] for each in headings if len(each) == 1),
        plain=frozenset(
            phrase for phrase in named if feature.many or len(phrase) > 1 or _shares_stem(phrase[0], headings)
        ),
        both=both,
    )


def _phrases(option: Option) -> list[tuple[str, ...]]:
    return list(dict.fromkeys(forms(each) for each in (option.name, *option.words)))


def _shares_stem(word: str, headings: frozenset[tuple[str, ...]]) -> bool:
    return any(
        word[:STEM] in heading[0] or heading[0][:STEM] in word for heading in headings if len(heading[0]) >= STEM
    )
