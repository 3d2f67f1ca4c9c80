"""Finds known phrases among the words of a text: the longest at each place, in one pass."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Generic, TypeVar

from dermnote.audit.tokens import Word, forms

T = TypeVar("T")
LONGEST = 14  # words a match may span; bounds the work at each place


class Phrases(Generic[T]):
    """Phrases and what each stands for.

    Args:
        entries: Phrases in any spelling, with their meanings; of two alike the first is kept.
        skipping: Words that may stand inside a phrase without breaking it ("cannot be entirely excluded").
    """

    def __init__(self, entries: Iterable[tuple[str, T]], skipping: Iterable[str] = ()) -> None:
        self._skipped = frozenset(form for word in skipping for form in forms(word))
        self._root: _Node[T] = _Node()
        for phrase, meaning in entries:
            node = self._root
            for form in forms(phrase):
                node = node.following.setdefault(form, _Node())
            if node is not self._root and node.meaning is None:
                node.meaning = meaning

    def longest_at(self, words: Sequence[Word], start: int) -> tuple[int, T] | None:
        """The longest phrase that begins at a word: where it ends (exclusive) and what it stands for."""
        node = self._root.following.get(words[start].form)
        if node is None:
            return None
        found, open_nodes = (start + 1, node.meaning) if node.meaning is not None else None, [node]
        for position in range(start + 1, min(len(words), start + LONGEST)):
            form = words[position].form
            reached = [each.following[form] for each in open_nodes if form in each.following]
            found = next(((position + 1, each.meaning) for each in reached if each.meaning is not None), found)
            open_nodes = [*reached, *open_nodes] if form in self._skipped else reached
            if not open_nodes:
                break
        return found

    def find(self, words: Sequence[Word]) -> list[tuple[int, int, T]]:
        """All phrases that do not overlap, from left to right: first word, last word (exclusive), meaning."""
        first_words, found, reached = self._root.following, [], 0
        for position in [position for position, word in enumerate(words) if word[0] in first_words]:
            match = self.longest_at(words, position) if position >= reached else None
            if match is not None:
                found.append((position, *match))
                reached = match[0]
        return found


class _Node(Generic[T]):
    __slots__ = ("following", "meaning")

    def __init__(self) -> None:
        self.following: dict[str, _Node[T]] = {}
        self.meaning: T | None = None


def spell_out(pattern: str) -> list[str]:
    """Every phrase of a pattern with alternatives: "(is|are) (|not) seen" gives four."""
    parts = [
        part.strip("()").split("|") if part.startswith("(") else [part]
        for part in re.findall(r"\([^)]*\)|[^(]+", pattern)
    ]
    return [" ".join("".join(choice).split()) for choice in product(*parts)]
