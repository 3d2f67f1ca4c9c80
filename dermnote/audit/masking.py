"""Masking of the diagnosis in a note, so that only the findings are left.

Notes written from metadata name the true class, and retrieval counts "same class" as relevant: with the name in the
note the search is trivial. Masked notes measure the findings alone. One neutral mark replaces each removed phrase, runs
of marks shrink to one, and articles before it are levelled, so that the gap itself reveals nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache

from dermnote.vocabularies.lexicon import diagnosis_names, load_lexicon

MASK = "[masked]"
DESCRIPTION = "Noted beside it: {description}."  # sentence of the template (`dermnote.notes.template`)
_MARK = re.escape(MASK)
_JOINT = r"(?:[\s,;:/–-]|\b(?:and|or|of|with|the|an?|variant|subtype|type|class|in|not|only)\b)"
_RUN = re.compile(rf"{_MARK}(?:{_JOINT}*{_MARK})+", re.IGNORECASE)
# A template sentence of which nothing is left is removed: its presence reveals the source, and so a bit of the class.
_EMPTIED = f" {DESCRIPTION.format(description=MASK)}"
_BRACKETED = re.compile(rf"\(\s*{_MARK}\s*\)")
_ARTICLE = re.compile(rf"\b([Aa])n(?=\s+{_MARK})")
_PLURALS = (("is", "(?:is|es)"), ("us", "(?:us|i|uses)"), ("a", "a(?:s|ta)?"), ("y", "(?:y|ies)"))
_Replacement = tuple[re.Pattern[str], str]


def mask_diagnosis(text: str, *, extra: Sequence[str] = ()) -> str:
    """Replace names of a class, subtype or group of classes, and words for malignancy, with "[masked]".

    Whole words in any case, number, spacing and hyphenation, the longest name first. The words are those of
    `dermnote.taxonomy` and `dermnote.vocabularies`; `masking.yaml` also lists what is kept, and why.

    Args:
        text: A note.
        extra: More names to remove, such as the case's own label and subtype; a name with commas or brackets is
            removed whole and in its parts ("Nevus, NOS, Junctional").

    Returns:
        The note without them; unchanged where it holds none.
    """
    # The extra names first: a whole name before the words it is made of.
    for pattern, mask in (*_extra_patterns(tuple(extra)), *_patterns()):
        text = pattern.sub(mask, text)
    return _level(text)


def mask_own_diagnosis(text: str, label: object, subtype: object, classnames: Sequence[str]) -> str:
    """Return a case's note without its diagnosis: the masked note of training and evaluation.

    Args:
        text: The note.
        label: The case's own class; a missing value of a table (None, NaN) is ignored.
        subtype: Its finer diagnosis, likewise.
        classnames: All classes of the cases or of the model, which may be unknown to the lexicon.
    """
    return mask_diagnosis(text, extra=(*classnames, *(name for name in (label, subtype) if isinstance(name, str))))


@cache
def _patterns() -> tuple[_Replacement, ...]:
    known = {key: ["".join(each.split()) for each in patterns] for key, patterns in load_lexicon("masking").items()}
    adjectives, nouns = "|".join(known["subtype_adjectives"]), "|".join(known["subtype_nouns"])
    qualified = (*known["archive_groups"], *known["qualified"], *known["nevus_subtypes"])
    names = (*map(_inflected, diagnosis_names()), *known["groups"], *known["malignancy"])
    capitals = [f"{name}s?" for names in load_lexicon("diagnoses")["capital_names"].values() for name in names]
    return (
        (re.compile(rf"(?<![^\W_])(?:(?:{adjectives})[\s,-]+)+(?=(?:{nouns}))", re.IGNORECASE), f"{MASK} "),
        (re.compile(_any_of(qualified), re.IGNORECASE), MASK),
        (re.compile(_any_of(names), re.IGNORECASE), MASK),
        (re.compile(_any_of((*known["codes"], *capitals))), MASK),
    )


@lru_cache(maxsize=4096)
def _extra_patterns(extra: tuple[str, ...]) -> tuple[_Replacement, ...]:
    parts = {part for name in extra for part in (name, *re.split(r"[,;()]|\s[-–]\s", name))}
    known = set(diagnosis_names())  # the general patterns know those, and longer names they are part of
    unknown = [part for part in parts if len(re.sub(r"[\W_]", "", part)) > 1 and part.strip().lower() not in known]
    ordered = sorted(unknown, key=lambda part: (-len(part), part))
    return ((re.compile(_any_of(map(_inflected, ordered)), re.IGNORECASE), MASK),) if ordered else ()


def _inflected(phrase: str) -> str:
    """Return a pattern for a phrase in any spacing, hyphenation and number ("squamous-cell carcinomas")."""
    words = re.findall(r"[^\W_]+(?:['’][^\W_]+)?", phrase.lower())
    *first, last = [re.escape(word).replace("'", "['’]?") for word in words]
    for ending, endings in _PLURALS:
        if words[-1].endswith(ending) and len(words[-1]) > len(ending) + 2:
            last = last[: -len(ending)] + endings
            break
    else:
        last += "(?:s|es)?"
    return r"[\s\-/_,]+".join([*first, last])


def _any_of(patterns: Iterable[str]) -> str:
    """Return one alternation of whole words; "non" and "pre" before a word belong to it."""
    return rf"(?<![^\W_])(?:(?:non|pre)[\s-]?)?(?:{'|'.join(patterns)})(?![^\W_])"


def _level(text: str) -> str:
    """Shrink runs of marks to one and write "a" before each, until nothing changes."""
    before = ""
    while text != before:
        before = text
        text = _RUN.sub(MASK, _BRACKETED.sub(MASK, text))
    return _ARTICLE.sub(r"\1", text.replace(_EMPTIED, ""))
