"""Finds which stretches of a note speak of which feature under a heading: "B) Border:", "As to the border"."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from dermnote.audit.option_index import Options
from dermnote.audit.phrases import Phrases
from dermnote.audit.tokens import DASH, SENTENCE_ENDS, Word
from dermnote.audit.triggers import DETERMINERS

LONGEST_HEADING = 4
Section = tuple[int, int]  # first word, last word (exclusive)
_TOPICS = (
    *(
        "regarding",
        "concerning",
        "considering",
        "in terms of",
        "as regards",
        "as for",
        "as to",
        "as far as",
        "with regard to",
    ),
    *("with respect to", "in respect of", "when it comes to", "on the subject of"),
)


def find_sections(words: Sequence[Word], tables: Sequence[Options]) -> list[list[Section]]:
    """For each feature the stretches of words under its headings; a heading ends the stretch before it."""
    sections: list[list[Section]] = [[] for _ in tables]
    current, since = None, 0
    for start, end, which in [*_headings(words, tables), (len(words), len(words), None)]:
        if current is not None:
            sections[current].append((since, start))
        current, since = which, end
    return sections


def _headings(words: Sequence[Word], tables: Sequence[Options]) -> list[tuple[int, int, int | None]]:
    """Headings in order: first word, first word of what they head, the feature's number (None: of something else)."""
    known = {heading: number for number, table in reversed([*enumerate(tables)]) for heading in table.headings}
    found: list[tuple[int, int, int | None]] = []
    opening = 0  # first word of the sentence, behind an enumerator
    for position, word in enumerate(words):
        if position == opening and (topic := _topic(words, opening, known)) is not None:
            found.append((opening, *topic))
        if word.form in (":", DASH, "?") and 0 < position - opening <= LONGEST_HEADING:
            which = known.get(tuple(each.form for each in words[opening:position]))
            if word.form == ":" or which is not None:
                found.append((opening, position + 1, which))
        if word.form in SENTENCE_ENDS or word.form in (")", "]") or (word.form == DASH and position == opening):
            opening = position + 1
    return found


def _topic(words: Sequence[Word], opening: int, known: dict[tuple[str, ...], int]) -> tuple[int, int] | None:
    """What a sentence says it is about: "as to the border"; the word behind it, and the feature's number."""
    lead = _topics().longest_at(words, opening)
    if lead is None:
        return None
    first = lead[0]
    while first < len(words) and words[first].form in DETERMINERS:
        first += 1
    for last in (first + 2, first + 1):
        which = known.get(tuple(each.form for each in words[first:last]))
        if which is not None:
            return last, which
    return None


@cache
def _topics() -> Phrases[bool]:
    return Phrases([(topic, True) for topic in _TOPICS])
