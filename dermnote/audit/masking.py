"""Takes the diagnosis out of a note, so that what is left speaks only of what is seen.

Notes written from metadata name the true class, and retrieval counts "same class" as relevant: with the name in it
the search is nearly given. Masked notes show what findings alone are worth. One neutral mark stands for whatever
was removed, runs of it shrink to one, and articles before it are levelled, so that the gap itself tells nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from dermnote.audit import diagnosis_patterns as words
from dermnote.notes.template import DESCRIPTION

MASK = "[masked]"
_MARK = re.escape(MASK)
_JOINT = r"(?:[\s,;:/–-]|\b(?:and|or|of|with|the|an?|variant|subtype|type|class|in|not|only)\b)"
_RUN = re.compile(rf"{_MARK}(?:{_JOINT}*{_MARK})+", re.IGNORECASE)
_KIND = re.compile(rf"(?<![^\W_])(?:{words.KIND}[\s,-]+)+(?={words.KIND_BEFORE})", re.IGNORECASE)
# A template sentence of which nothing is left goes whole: having had one tells the source, and so a bit of the class.
_EMPTIED = f" {DESCRIPTION.format(description=MASK)}"
_BRACKETED = re.compile(rf"\(\s*{_MARK}\s*\)")
_ARTICLE = re.compile(rf"\b([Aa])n(?=\s+{_MARK})")


def mask_diagnosis(text: str, *, extra: Sequence[str] = ()) -> str:
    """Replaces what names a class, a subtype, a group of classes or a degree of danger with "[masked]".

    Whole words in any case, number, spacing and hyphenation, the longest name first. The words are those of
    `dermnote.taxonomy` and `dermnote.audit.diagnosis_patterns`, which also lists what is left standing and why.

    Args:
        text: A note.
        extra: More names to remove, such as the case's own label and subtype; a name with commas or brackets is
            removed whole and in its parts ("Nevus, NOS, Junctional").

    Returns:
        The note without them; unchanged where it holds none.
    """
    for pattern in _extra_patterns(tuple(extra)):  # first: a whole own name before the words it is made of
        text = pattern.sub(MASK, text)
    text = _KIND.sub(f"{MASK} ", text)
    for pattern in _patterns():
        text = pattern.sub(MASK, text)
    return _level(text)


def mask_own_diagnosis(text: str, label: object, subtype: object, classnames: Sequence[str]) -> str:
    """A case's note without its diagnosis: what training and evaluation both mean by a masked note.

    Args:
        text: The note.
        label: The case's own class; whatever a table has for a missing one is passed over.
        subtype: Its finer diagnosis, likewise.
        classnames: All classes of the cases or of the model; a folder's own may be words nobody else knows.
    """
    return mask_diagnosis(text, extra=(*classnames, *(name for name in (label, subtype) if isinstance(name, str))))


@lru_cache(maxsize=1)
def _patterns() -> tuple[re.Pattern[str], ...]:
    names = [words.inflected(name) for name in words.class_names()]
    phrases = (*words.ARCHIVE_GROUPS, *words.QUALIFIED, *words.NEVUS_KINDS)
    return (
        re.compile(words.any_of(phrases), re.IGNORECASE),
        re.compile(words.any_of((*names, *words.GROUPS, *words.DANGER)), re.IGNORECASE),
        re.compile(words.any_of(words.codes())),
    )


@lru_cache(maxsize=4096)
def _extra_patterns(extra: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    parts = {part for name in extra for part in (name, *re.split(r"[,;()]|\s[-–]\s", name))}
    known = set(words.class_names())  # the general patterns know those, and longer names they are part of
    spelled = [part for part in parts if len(re.sub(r"[\W_]", "", part)) > 1 and part.strip().lower() not in known]
    if not spelled:
        return ()
    ordered = sorted(spelled, key=lambda part: (-len(part), part))
    return (re.compile(words.any_of(map(words.inflected, ordered)), re.IGNORECASE),)


def _level(text: str) -> str:
    """Shrinks runs of marks to one and writes "a" before each, until nothing changes."""
    before = ""
    while text != before:
        before = text
        text = _RUN.sub(MASK, _BRACKETED.sub(MASK, text))
    return _ARTICLE.sub(r"\1", text.replace(_EMPTIED, ""))
