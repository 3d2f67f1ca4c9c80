"""Cases and notes of a training run, read and checked before the first update."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dermnote.audit.masking import mask_own_diagnosis
from dermnote.errors import CasesError, ConfigError, NotesError
from dermnote.notes.schema import notes_by_case

from ..data.cases import Cases, cases_folder
from ..runtime.console import STEPS
from .train_config import TrainConfig

DETAIL = 256 / 224  # training images are read a little larger than their views, so that a crop keeps its detail


@dataclass(frozen=True)
class NoteTable:
    """Notes of a set of cases, as written and with the diagnosis masked.

    Attributes:
        texts: All distinct texts.
        written: For each case, the numbers of its texts as written, one for each strategy; empty without a note.
        masked: The numbers of the same texts with the diagnosis masked.
        mask_chance: Probability of drawing the masked text, 0..1.
    """

    texts: tuple[str, ...]
    written: tuple[tuple[int, ...], ...]
    masked: tuple[tuple[int, ...], ...]
    mask_chance: float

    @classmethod
    def build(cls, cases: Cases, notes: Mapping[str, Mapping[str, str]], mask_chance: float) -> NoteTable:
        """Collect the notes of cases. Masking also removes the class and subtype names of the case itself."""
        texts = [list(notes.get(case_id, {}).values()) for case_id in cases.table["case_id"]]
        masked_texts = _mask(cases, texts) if mask_chance else texts
        numbers: dict[str, int] = {}
        written, masked = (
            tuple(tuple(numbers.setdefault(text, len(numbers)) for text in of_case) for of_case in version)
            for version in (texts, masked_texts)
        )
        return cls(tuple(numbers), written, masked, mask_chance)

    @property
    def without_note(self) -> int:
        """Number of cases without a note."""
        return sum(not numbers for numbers in self.written)

    def draw(self, rows: Sequence[int], draws: Tensor) -> Tensor:
        """Return the number of one note for each case, (B,) int64; -1 for a case without one.

        Args:
            rows: B case numbers.
            draws: (B, 2) in 0..1: the first selects a strategy, the second whether the note is masked.
        """
        drawn = []
        for row, (which, mask) in zip(rows, draws.tolist(), strict=True):
            numbers = self.masked[row] if mask < self.mask_chance else self.written[row]
            drawn.append(numbers[int(which * len(numbers))] if numbers else -1)
        return torch.tensor(drawn)


def _mask(cases: Cases, texts: Sequence[Sequence[str]]) -> list[list[str]]:
    """Mask the diagnosis in the texts of each case.

    A masked text shared by all classes (a template note without findings) has no information left and would only pull
    images of all classes together, so such a note stays as written.
    """
    labels, subtypes = cases.table["label"].tolist(), cases.table["subtype"].tolist()
    masked = [
        [mask_own_diagnosis(text, label, subtype, cases.classnames) for text in of_case]
        for of_case, label, subtype in zip(texts, labels, subtypes, strict=True)
    ]
    classes_of: dict[str, set[str]] = {}
    for label, of_case in zip(labels, masked, strict=True):
        for text in of_case:
            classes_of.setdefault(text, set()).add(label)
    with_note = {label for label, of_case in zip(labels, texts, strict=True) if of_case}
    empty = {text for text, classes in classes_of.items() if len(with_note) > 1 and classes == with_note}
    return [
        [written if text in empty else text for written, text in zip(of_case, masked_of_case, strict=True)]
        for of_case, masked_of_case in zip(texts, masked, strict=True)
    ]


@dataclass(frozen=True)
class TrainingData:
    """Cases and notes of a run.

    Attributes:
        train: Cases to train on.
        validation: Cases that select the best epoch.
        notes: Notes of the training cases; None for an image-only run.
        fingerprint: sha256 of the data, so that a run is never resumed with other data.
    """

    train: Cases
    validation: Cases
    notes: NoteTable | None
    fingerprint: str

    @property
    def classnames(self) -> tuple[str, ...]:
        """Class names by class id."""
        return self.train.classnames

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources trained on."""
        return tuple(sorted(set(self.train.table["source"])))


def class_ids(cases: Cases) -> np.ndarray:
    """Return the class ids of cases, (n,) int64."""
    return np.asarray(cases.table["class_id"].to_numpy(np.int64))


def training_side(config: TrainConfig) -> int:
    """Return the side in pixels at which training images are read."""
    return round(config.training_size * DETAIL) if config.augmentation else config.training_size


def read_training_data(
    config: TrainConfig, cases: str | Path, notes_path: str | Path | None, report: Callable[[str], object]
) -> TrainingData:
    """Read training and validation cases, and the notes of the former.

    Args:
        config: Sources, strategies, masking.
        cases: Output folder of `train.prepare`, or a Hub dataset.
        notes_path: A notes.jsonl; required for a multimodal run.
        report: Prints a line about what is missing.

    Raises:
        CasesError: There are no training cases, or no validation cases.
        ConfigError: A multimodal run without a notes file.
        NotesError: No training case has a note.
    """
    if config.multimodal and notes_path is None:
        raise ConfigError("This run learns from notes too, so it needs --notes.", "Or: --set multimodal=false")
    folder = cases_folder(cases)  # resolved once: a branch on the Hub may move between two reads
    train, validation = _read_split(folder, "train", config), _read_split(folder, "validation", config)
    notes = None
    if config.multimodal and notes_path is not None:
        notes = NoteTable.build(train, notes_by_case(notes_path, config.strategies), config.mask_diagnosis)
        if notes.without_note == len(train):
            raise NotesError(
                f"{notes_path} has no note of strategy {', '.join(config.strategies)} for any training case.",
                f"Write some: python -m {STEPS}.generate_notes --help",
            )
        if notes.without_note:
            report(f"{notes.without_note} of {len(train)} training cases have no note: only their images are used.")
    present = set(train.table["class_id"])
    absent = [name for number, name in enumerate(train.classnames) if number not in present]
    if absent:
        report(f"No training case of {', '.join(absent)}: the model cannot learn it.")
    return TrainingData(train, validation, notes, _fingerprint(train, validation, notes))


def _read_split(folder: str | Path, split: str, config: TrainConfig) -> Cases:
    try:
        return Cases.read(folder, splits=[split], sources=config.sources)
    except CasesError as error:
        if "has no cases in" in error.message:
            purpose = "to train on" if split == "train" else "to select the best epoch"
            raise CasesError(f"{error.message} A run needs some {purpose}.", error.hint) from error
        raise


def _fingerprint(train: Cases, validation: Cases, notes: NoteTable | None) -> str:
    digest = hashlib.sha256(repr(train.classnames).encode())
    for cases in (train, validation):
        for column in ("case_id", "class_id", "content_sha256"):
            digest.update("\n".join(map(str, cases.table[column])).encode())
    if notes is not None:
        digest.update(repr((notes.texts, notes.written)).encode())
    return digest.hexdigest()
