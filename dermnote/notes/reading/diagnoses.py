"""Reads which diagnoses, subtypes and degrees of danger a note names, and how it stands to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from dermnote.notes.claims import DIAGNOSIS, MALIGNANCY, SUBTYPE, Claim
from dermnote.notes.lexicon.diagnoses import BETWEEN
from dermnote.notes.lexicon.kinds import Kind
from dermnote.notes.lexicon.names import Name, Names
from dermnote.notes.reading.context import Context
from dermnote.notes.reading.words import MARKS, SENTENCE_ENDS, Word

_COMPARED = frozenset({"like", "specific", "mimic", "simulator", "mimicker", "associated"})  # "melanoma-specific"
_JOINTS = frozenset({",", "and", "or", "/", "type"})
_OR = frozenset({"or", "/", "versus", "vs"})
_FARTHEST = 6  # words looked at for subtypes on either side


@dataclass(frozen=True)
class Naming:
    """A name in a note: its words (last exclusive), and the kinds with the words that give them."""

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
        found.append(_with_kinds(words, Naming(first, last, name), names))
    return found


def diagnosis_claims(words: Sequence[Word], namings: Sequence[Naming], contexts: Sequence[Context]) -> list[Claim]:
    """The claims of diagnosis, malignancy and subtype; what is said of another lesion is left out."""
    said = [each for each in namings if not contexts[each.first].elsewhere]
    rivals = _rivals(words, said)
    claims = []
    for each in said:
        context = contexts[each.first]
        polarity = "hedged" if each in rivals and context.polarity == "asserted" else context.polarity
        if each.name.danger:
            polarity = "hedged" if each.name.hedged and polarity == "asserted" else polarity
            claims.append(Claim(MALIGNANCY, each.name.danger, _span(words, each.first, each.last), polarity))
            continue
        values = tuple(dict.fromkeys(kind.value for kind in each.kinds))
        span = _span(words, each.first, each.last)
        weight = int(context.tentative) if polarity == "hedged" else context.weight or int(_is_headline(words, each))
        claims.append(Claim(DIAGNOSIS, each.name.classname, span, polarity, weight=weight, subtypes=values))
        wide = _span(words, *each.widest)
        alike = "hedged" if polarity == "asserted" and _beside_or(words, each) else polarity
        claims.extend(Claim(SUBTYPE, value, wide, alike) for value in values)
    return _one_conclusion(claims)


def _one_conclusion(claims: list[Claim]) -> list[Claim]:
    """Beside an explicit conclusion, a bare mention of another class is no second diagnosis."""
    drawn = {each.value for each in claims if each.kind == DIAGNOSIS and each.weight and each.polarity == "asserted"}
    if not drawn:
        return claims
    bare = {
        each.span
        for each in claims
        if each.kind == DIAGNOSIS and not each.weight and each.polarity == "asserted" and each.value not in drawn
    }
    return [
        replace(each, polarity="hedged") if each.span in bare and each.kind == DIAGNOSIS else each for each in claims
    ]


def _is_headline(words: Sequence[Word], naming: Naming) -> bool:
    """Whether a name stands for a sentence of its own: "Dermatofibroma, benign."."""
    left, right = naming.widest
    opens = left == 0 or words[left - 1].form in SENTENCE_ENDS
    return opens and (right == len(words) or words[right].form in MARKS)


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


def _rivals(words: Sequence[Word], namings: Sequence[Naming]) -> set[Naming]:
    """Names of different things with nothing but "or" between them: neither is asserted."""
    rivals: set[Naming] = set()
    for one, other in pairwise(namings):
        between = {word.form for word in words[one.last : other.first]}
        differ = (one.name.classname, one.name.danger) != (other.name.classname, other.name.danger)
        if (
            differ
            and bool(one.name.danger) == bool(other.name.danger)
            and other.first - one.last <= 4
            and between & _OR
        ):
            rivals |= {one, other}
    return rivals


def _beside_or(words: Sequence[Word], naming: Naming) -> bool:
    """Whether the name is one of two choices: "squamous cell carcinoma or keratoacanthoma"."""
    left, right = naming.widest
    near = [words[left - 1].form if left else "", words[right].form if right < len(words) else ""]
    return any(form in _OR for form in near)


def _span(words: Sequence[Word], first: int, last: int) -> tuple[int, int]:
    return words[first].start, words[last - 1].end
