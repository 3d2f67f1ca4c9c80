"""Splits a note into words that compare equal whatever their spelling, number or case, each with its place."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

# A boundary is a full stop, a semicolon, a bar or dot between cells, or a line's end before what opens something new (a
# bullet, number, capital). An arrow or "=" says what a colon says, "(-)" that something is absent; a dash between
# spaces parts, one inside a word does not.
_WORD = re.compile(
    r"(?P<short>\b(?:i\.\s?e\.|e\.\s?g\.|vs\.|cf\.|viz\.|approx\.|dr\.|[rycw]/o\b))"
    r"|(?P<number>\d{1,9}(?:[.,]\d{1,9})?(?![^\W_]))"
    r"|(?P<word>[^\W_]+(?:['’ʼ][^\W_]+)*)"
    r"|(?P<minus>\([-−]\))"
    r"|(?P<colon>[-=]{1,3}>|[→⇒=])"
    r"|(?P<bar>[|·•])"
    r"|(?P<dash>(?<=\s)-{1,3}(?=\s)|[–—])"
    r"|(?P<mark>\n(?=[ \t]{0,8}(?:\n|[-*•#\d]|(?-i:[A-Z])))|[.,;:!?()\[\]/]|(?<=\s)>(?=\s))",
    re.IGNORECASE,
)
DASH = "–"
MARKS = frozenset(".,;:!?()[]/>\n" + DASH)
_ALIKE = {"colon": ":", "dash": DASH, "bar": ";", "minus": "absent"}
SENTENCE_ENDS = frozenset(".!?;\n")
_SPELLINGS = tuple(
    (re.compile(pattern), to)
    for pattern, to in (
        (r"æ", "ae"),
        (r"œ", "oe"),
        (r"['’ʼ]s$|s['’ʼ]$", ""),
        (r"^seb+h?or+h?o?e?ic", "seborrheic"),
        (r"aem(?=[aio])", "em"),
        (r"^naev", "nev"),
        (r"oedema", "edema"),
        (r"grey", "gray"),
        (r"(?<=.[lmv])our", "or"),  # colour, tumour, favour; not "hour", "pour"
        (r"yse(?=[drs]?$)|yze(?=[drs]?$)", "yze"),
        (r"(?<=[a-z]{3})is(?=(?:e|ed|es|ing|ation)$)", "iz"),
        (r"centre", "center"),
        (r"fibre", "fiber"),
        (r"(?<=el)l(?=ed$|ing$)", ""),  # labelled
        (r"judgement", "judgment"),
        (r"^homogenous", "homogeneous"),
        (r"^morphoe", "morphe"),
    )
)
_PLURALS = (
    ("oses", "osis"),
    ("mata", "ma"),
    ("nevi", "nevus"),
    ("nevuses", "nevus"),
    ("ies", "y"),
    ("xes", "x"),
    ("shes", "sh"),
)


class Word(NamedTuple):
    """A word or mark of a text.

    Attributes:
        form: What it is compared by: lower case, singular, American.
        start: Where it starts in the text.
        end: Where it ends.
    """

    form: str
    start: int
    end: int


def read_words(text: str) -> list[Word]:
    """The words and marks of a text in order, in time linear in its length; hyphens are skipped."""
    words = []
    for match in _WORD.finditer(text):
        start, end = match.span()
        kind = match.lastgroup
        if kind == "word":
            form = spelled_alike(match[0])
        elif kind == "short":
            form = re.sub(r"[\s.]", "", match[0].lower())
        else:
            form = _ALIKE.get(kind or "", match[0])
        words.append(Word(form, start, end))
    return words


def forms(phrase: str) -> tuple[str, ...]:
    """A phrase as the words it is compared by."""
    return tuple(word.form for word in read_words(phrase))


@lru_cache(maxsize=65536)
def spelled_alike(word: str) -> str:
    """One form for all spellings of a word: "Naevi" and "nevus", "colours" and "color", "Bowen's" and "bowen"."""
    word = word.lower()
    if not word.isascii():
        plain = unicodedata.normalize("NFKD", word[:64])
        word = "".join(letter for letter in plain if not unicodedata.combining(letter)) if len(word) <= 64 else word
    for pattern, to in _SPELLINGS:
        word = pattern.sub(to, word)
    for plural, singular in _PLURALS:
        if word.endswith(plural) and len(word) > len(plural) - (plural[0] == "n"):
            return word[: -len(plural)] + singular
    if len(word) > 3 and word[-1] == "s" and word[-2] not in "sui'":
        return word[:-1]
    return word
