"""Training batches: which cases, in which order, with which notes.

All randomness follows from (seed, epoch, process), so a run that goes on after a stop draws what it would have drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from dermnote.notes.masking import mask_own_diagnosis
from train.cases import Cases
from train.squares import Squares


def seeded(seed: int, epoch: int, process: int = 0, stream: int = 0) -> torch.Generator:
    """A CPU generator of its own for each (seed, epoch, process, stream)."""
    entropy = np.random.SeedSequence([seed % 2**32, epoch, process, stream]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(entropy >> np.uint64(1)))


class EpochSampler(Sampler[int]):
    """Rows of an epoch: as many as there are cases, each class equally likely (with replacement), or each case once.

    Args:
        labels: Class id of each case.
        balanced: Whether every class is drawn equally often.
        seed: Of the run.
    """

    def __init__(self, labels: np.ndarray, balanced: bool, seed: int) -> None:
        counts = np.bincount(labels)
        self._weights = torch.from_numpy(1.0 / counts[labels]) if balanced else None
        self._length, self._seed, self.epoch = len(labels), seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch to draw for."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[int]:
        generator = seeded(self._seed, self.epoch)
        if self._weights is None:
            return iter(torch.randperm(self._length, generator=generator).tolist())
        return iter(torch.multinomial(self._weights, self._length, True, generator=generator).tolist())


class LabelledSquares(Dataset[tuple[Tensor, int, int]]):
    """(3, L, L) bytes, class id, row."""

    def __init__(self, squares: Squares, labels: np.ndarray) -> None:
        self._squares, self._labels = squares, labels

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, row: int) -> tuple[Tensor, int, int]:
        return self._squares[row], int(self._labels[row]), row


def training_loader(
    squares: Squares, labels: np.ndarray, sampler: EpochSampler, batch_size: int, workers: int
) -> DataLoader:
    """Batches of (B, 3, L, L) bytes, (B,) class ids and (B,) rows; a short last batch is dropped if it is not alone."""
    return DataLoader(
        LabelledSquares(squares, labels),
        batch_size=batch_size,
        sampler=sampler,
        drop_last=len(labels) >= batch_size,  # one picture left over would break BatchNorm
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator().manual_seed(0),  # its own: an iterator must not draw from the run's numbers
    )


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

    def draw(self, rows: Sequence[int], generator: torch.Generator) -> Tensor:
        """One note a case, by number, (B,) int64; -1 for a case without one. A strategy is drawn, then masking."""
        draws = torch.rand(len(rows), 2, generator=generator).tolist()
        drawn = []
        for row, (which, mask) in zip(rows, draws, strict=True):
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
