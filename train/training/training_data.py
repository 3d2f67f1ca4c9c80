"""What a run learns from and is judged by, read and checked before the first step."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dermnote.errors import CasesError, ConfigError, NotesError
from dermnote.notes.schema import notes_by_case

from ..data.cases import Cases, cases_folder
from .note_table import NoteTable
from .train_config import TrainConfig

DETAIL = 256 / 224  # training pictures are read a little larger than they are shown, so that a crop keeps its detail


@dataclass(frozen=True)
class TrainingData:
    """The cases and notes of a run.

    Attributes:
        train: Cases to learn from.
        validation: Cases that choose the best epoch.
        notes: Notes of the training cases; None for an image-only run.
        fingerprint: sha256 of what was read, so that a run never goes on with other data.
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
        """Names of the sources learnt from."""
        return tuple(sorted(set(self.train.table["source"])))

    @property
    def train_labels(self) -> np.ndarray:
        """Class ids, (n,)."""
        return self.train.table["class_id"].to_numpy(np.int64)

    @property
    def validation_labels(self) -> np.ndarray:
        """Class ids, (n,)."""
        return self.validation.table["class_id"].to_numpy(np.int64)


def training_side(config: TrainConfig) -> int:
    """Side in pixels at which training pictures are read."""
    return round(config.training_size * DETAIL) if config.augmentation else config.training_size


def read_training_data(
    config: TrainConfig, cases: str | Path, notes_path: str | Path | None, say: Callable[[str], object]
) -> TrainingData:
    """Reads training and validation cases, and the notes of the former.

    Args:
        config: Sources, strategies, masking.
        cases: What `train.prepare` wrote: a folder, or a Hub dataset.
        notes_path: A notes.jsonl; needed for a multimodal run.
        say: Takes one line for each thing a person should know before the first step.

    Raises:
        CasesError: There are no cases to train on, or none to validate on.
        ConfigError: A multimodal run without a notes file.
        NotesError: No training case has a note.
    """
    if config.multimodal and notes_path is None:
        raise ConfigError("This run learns from notes too, so it needs --notes.", "Or: --set multimodal=false")
    folder = cases_folder(cases)  # once: a branch on the Hub may move between two looks
    train, validation = _split(folder, "train", config), _split(folder, "validation", config)
    notes = None
    if config.multimodal and notes_path is not None:
        notes = NoteTable.build(train, notes_by_case(notes_path, config.strategies), config.mask_diagnosis)
        _check_notes(notes, train, config, notes_path, say)
    present = set(train.table["class_id"])
    absent = [name for number, name in enumerate(train.classnames) if number not in present]
    if absent:
        say(f"No training case of {', '.join(absent)}: the model cannot learn it.")
    return TrainingData(train, validation, notes, _fingerprint(train, validation, notes))


def _split(folder: str | Path, split: str, config: TrainConfig) -> Cases:
    try:
        return Cases.read(folder, splits=[split], sources=config.sources)
    except CasesError as error:
        if "has no cases in" in error.message:
            purpose = "to learn from" if split == "train" else "to choose the best epoch by"
            raise CasesError(f"{error.message} A run needs some {purpose}.", error.hint) from error
        raise


def _check_notes(
    notes: NoteTable, train: Cases, config: TrainConfig, path: str | Path, say: Callable[[str], object]
) -> None:
    if notes.without_note == len(train):
        raise NotesError(
            f"{path} has no note of strategy {', '.join(config.strategies)} for any training case.",
            "Write some: python -m train.generate_notes --help",
        )
    if notes.without_note:
        say(f"{notes.without_note} of {len(train)} training cases have no note: they take part by picture alone.")


def _fingerprint(train: Cases, validation: Cases, notes: NoteTable | None) -> str:
    digest = hashlib.sha256(repr(train.classnames).encode())
    for cases in (train, validation):
        for column in ("case_id", "class_id", "content_sha256"):
            digest.update("\n".join(map(str, cases.table[column])).encode())
    if notes is not None:
        digest.update(repr((notes.texts, notes.written)).encode())
    return digest.hexdigest()
