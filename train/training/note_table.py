"""The notes of training cases, as written and with the diagnosis masked, to draw from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dermnote.audit.masking import mask_own_diagnosis

from ..data.cases import Cases


@dataclass(frozen=True)
class NoteTable:
    """The notes of a set of cases, as written and with the diagnosis masked.

    Attributes:
        texts: Every distinct text.
        written: By row, the numbers of its texts as written, one for each strategy; empty for a case without a note.
        masked: The same texts with the diagnosis masked, number by number.
        mask_chance: How often a drawn note is the masked one, 0..1.
    """

    texts: tuple[str, ...]
    written: tuple[tuple[int, ...], ...]
    masked: tuple[tuple[int, ...], ...]
    mask_chance: float

    @classmethod
    def build(cls, cases: Cases, notes: Mapping[str, Mapping[str, str]], mask_chance: float) -> NoteTable:
        """Gathers the notes of cases; masking takes out the case's own class and subtype names too."""
        texts = [list(notes.get(case_id, {}).values()) for case_id in cases.table["case_id"]]
        hidden = _masked(cases, texts) if mask_chance else texts
        numbers: dict[str, int] = {}
        written, masked = (
            tuple(tuple(numbers.setdefault(text, len(numbers)) for text in some) for some in version)
            for version in (texts, hidden)
        )
        return cls(tuple(numbers), written, masked, mask_chance)

    @property
    def without_note(self) -> int:
        """Cases that have no note."""
        return sum(not numbers for numbers in self.written)

    def draw(self, rows: Sequence[int], draws: Tensor) -> Tensor:
        """One note a case, by number, (B,) int64; -1 for a case without one.

        Args:
            rows: B case numbers.
            draws: (B, 2) in 0..1: the first chooses among the strategies, the second whether the note is masked.
        """
        drawn = []
        for row, (which, mask) in zip(rows, draws.tolist(), strict=True):
            numbers = self.masked[row] if mask < self.mask_chance else self.written[row]
            drawn.append(numbers[int(which * len(numbers))] if numbers else -1)
        return torch.tensor(drawn)


def _masked(cases: Cases, texts: Sequence[Sequence[str]]) -> list[list[str]]:
    """Row by row, the texts with the diagnosis masked.

    A masked text that every class shares has nothing left to say (a template note without findings). Pictures would
    only be drawn together by it, so such a note stays as written.
    """
    labels, subtypes = cases.table["label"].tolist(), cases.table["subtype"].tolist()
    hidden = [
        [mask_own_diagnosis(text, label, subtype, cases.classnames) for text in some]
        for some, label, subtype in zip(texts, labels, subtypes, strict=True)
    ]
    classes_of: dict[str, set[str]] = {}
    for label, some in zip(labels, hidden, strict=True):
        for text in some:
            classes_of.setdefault(text, set()).add(label)
    noted = {label for label, some in zip(labels, texts, strict=True) if some}
    empty = {text for text, classes in classes_of.items() if len(noted) > 1 and classes == noted}
    return [
        [as_written if text in empty else text for as_written, text in zip(some, masked, strict=True)]
        for some, masked in zip(texts, hidden, strict=True)
    ]
