"""Finds the diagnoses, subtypes and degrees of danger that a text names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dermnote.audit.diagnosis_index import Name, Names
from dermnote.audit.tokens import MARKS, Word
from dermnote.vocabularies.lexicon.diagnoses import BETWEEN
from dermnote.vocabularies.lexicon.subtypes import Kind

_COMPARED = frozenset({"like", "specific", "mimic", "simulator", "mimicker", "associated"})  # "melanoma-specific"
_MEASURE = (
    "malignancy"  # of itself malignant, before a value a heading: "malignancy: benign", "malignancy indeterminate"
)
_JOINTS = frozenset({",", "and", "or", "/", "type"})
_FARTHEST = 6  # words looked at for subtypes on either side


@dataclass(frozen=True, eq=False)
class Naming:
    """A name in a note: its words (last exclusive), and the kinds with the words that give them; each is its own."""

    first: int
    last: int
    name: Name
    kinds: tuple[Kind, ...] = ()
    widest: tuple[int, int] = (0, 0)


def find_names(text: str, words: Sequence[Word], names: Names) -> list[Naming]:
    """All names in a text, the longest at each place; comparisons ("melanoma-like") name nothing."""
    found = []
    for first, last, name in names.phrases.find(words):
        if not (name.classname or name.danger) or (name.capitals and not _in_capitals(text, words, first)):
            continue
        if last < len(words) and words[last].form in _COMPARED:
            continue
        if words[first].form == _MEASURE and _has_value(words, last, names):
            continue
        found.append(_with_kinds(words, Naming(first, last, name), names))
    return found


def _has_value(words: Sequence[Word], last: int, names: Names) -> bool:
    """Whether a degree of danger follows, at once or behind a mark or "is"."""
    ahead = (names.phrases.longest_at(words, position) for position in range(last, min(len(words), last + 2)))
    return any(match is not None and bool(match[1].danger) for match in ahead)


def _in_capitals(text: str, words: Sequence[Word], first: int) -> bool:
    """Whether an abbreviation is one: "MM" is, "5 MM" is not."""
    word = text[words[first].start : words[first].end]
    return word.rstrip("s").isupper() and not (first and words[first - 1].form[:1].isdigit())


def _with_kinds(words: Sequence[Word], naming: Naming, names: Names) -> Naming:
    kinds = [naming.name.kind] if naming.name.kind else []
    known = names.adjectives.get(naming.name.classname, {})
    left, before = _kinds_before(words, naming.first, known)
    right, after = _kinds_after(words, naming.last, known)
    return replace(naming, kinds=(*kinds, *before, *after), widest=(left, right))


def _kinds_before(words: Sequence[Word], first: int, known: dict[tuple[str, ...], Kind]) -> tuple[int, list[Kind]]:
    kinds: list[Kind] = []
    start = position = first
    while position > max(0, first - _FARTHEST):
        kind, size = _adjective(words, position - 2, position, known), 2
        if kind is None:
            kind, size = _adjective(words, position - 1, position, known), 1
        if kind is not None:
            kinds.append(kind)
            start = position - size
        elif words[position - 1].form not in _JOINTS:
            break
        position -= size
    return start, kinds[::-1]


def _kinds_after(words: Sequence[Word], last: int, known: dict[tuple[str, ...], Kind]) -> tuple[int, list[Kind]]:
    kinds: list[Kind] = []
    end = position = last
    while position < min(len(words), last + _FARTHEST):
        kind, size = _adjective(words, position, position + 2, known), 2
        if kind is None:
            kind, size = _adjective(words, position, position + 1, known), 1
        following = words[position + size].form if position + size < len(words) else "."
        if kind is not None and (position == last or following in MARKS or following in BETWEEN):
            kinds.append(kind)
            end = position + size
        elif words[position].form not in BETWEEN:
            break
        position += size if kind is not None else 1
    return end, kinds


def _adjective(words: Sequence[Word], first: int, last: int, known: dict[tuple[str, ...], Kind]) -> Kind | None:
    if first < 0 or last > len(words) or not known:
        return None
    return known.get(tuple(word.form for word in words[first:last]))
