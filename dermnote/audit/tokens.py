"""Tokenisation and phrase search: words are compared in one form, whatever their spelling, number or case."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

from dermnote.vocabularies.lexicon import load_lexicon

# A boundary is a full stop, a semicolon, a bar or dot between cells, or a line's end before a new item (a bullet, a
# number, a capital). An arrow or "=" counts as a colon, "(-)" as "absent"; a dash between spaces separates, one inside
# a word does not.
_TOKEN = re.compile(
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
SENTENCE_ENDS = frozenset(".!?;\n")
_MARK_FORMS = {"colon": ":", "dash": DASH, "bar": ";", "minus": "absent"}
_LONGEST_MATCH = 14  # tokens a phrase may span, fillers included; bounds the work at each position
T = TypeVar("T")
_Node = dict[str | None, Any]  # nodes by the next word; the value under None


class Token(NamedTuple):
    """A word or mark of a text.

    Attributes:
        form: Normalised form it is compared by: lower case, singular, American spelling.
        start: Position of its first character in the text.
        end: Position after its last character.
    """

    form: str
    start: int
    end: int


Tokens = Sequence[Token]


def tokenize(text: str) -> list[Token]:
    """Return the words and marks of a text in order, in time linear in its length; hyphens are skipped."""
    tokens = []
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        kind = match.lastgroup
        if kind == "word":
            form = normalise(match[0])
        elif kind == "short":
            form = re.sub(r"[\s.]", "", match[0].lower())
        else:
            form = _MARK_FORMS.get(kind or "", match[0])
        tokens.append(Token(form, start, end))
    return tokens


def forms(phrase: str) -> tuple[str, ...]:
    """Return the normalised words of a phrase."""
    return tuple(token.form for token in tokenize(phrase))


def form_set(*phrases: str) -> frozenset[str]:
    """Return the normalised words of all phrases."""
    return frozenset(form for phrase in phrases for form in forms(phrase))


@lru_cache(maxsize=65536)
def normalise(word: str) -> str:
    """Return one form for all spellings of a word: "Naevi" and "nevus", "colours" and "color", "Bowen's", "bowen"."""
    word = word.lower()
    if not word.isascii():
        plain = unicodedata.normalize("NFKD", word[:64])
        word = "".join(letter for letter in plain if not unicodedata.combining(letter)) if len(word) <= 64 else word
    spellings, plurals = _spelling_rules()
    for pattern, replacement in spellings:
        word = pattern.sub(replacement, word)
    for plural, singular in plurals:
        if word.endswith(plural) and len(word) > len(plural) - (plural[0] == "n"):
            return word[: -len(plural)] + singular
    if len(word) > 3 and word[-1] == "s" and word[-2] not in "sui'":
        return word[:-1]
    return word


@cache
def _spelling_rules() -> tuple[list[tuple[re.Pattern[str], str]], list[tuple[str, str]]]:
    lexicon = load_lexicon("spelling")
    spellings = [(re.compile(pattern), replacement) for pattern, replacement in lexicon["spellings"].items()]
    return spellings, list(lexicon["plurals"].items())


class Phrases(Generic[T]):
    """A search table of phrases, each with a value.

    Args:
        entries: Phrases in any spelling, with their values; of two equal phrases the first is kept.
        skipping: Words that may occur inside a phrase without breaking it ("cannot be entirely excluded").
    """

    def __init__(self, entries: Iterable[tuple[str, T]], skipping: Iterable[str] = ()) -> None:
        self._skipped = form_set(*skipping)
        self._root: _Node = {}
        for phrase, value in entries:
            node = self._root
            for form in forms(phrase):
                node = node.setdefault(form, {})
            if node is not self._root:
                node.setdefault(None, value)

    def longest_at(self, tokens: Tokens, start: int) -> tuple[int, T] | None:
        """Return the end (exclusive) and the value of the longest phrase that begins at a token, if any does."""
        node = self._root.get(tokens[start].form)
        if node is None:
            return None
        found, open_nodes = (start + 1, node[None]) if None in node else None, [node]
        for position in range(start + 1, min(len(tokens), start + _LONGEST_MATCH)):
            form = tokens[position].form
            reached = [each[form] for each in open_nodes if form in each]
            found = next(((position + 1, each[None]) for each in reached if None in each), found)
            open_nodes = [*reached, *open_nodes] if form in self._skipped else reached
            if not open_nodes:
                break
        return found

    def find(self, tokens: Tokens) -> list[tuple[int, int, T]]:
        """Return all phrases that do not overlap, from left to right: first token, last token (exclusive), value."""
        root, found, reached = self._root, [], 0
        for position in [position for position, token in enumerate(tokens) if token[0] in root]:
            match = self.longest_at(tokens, position) if position >= reached else None
            if match is not None:
                found.append((position, *match))
                reached = match[0]
        return found
