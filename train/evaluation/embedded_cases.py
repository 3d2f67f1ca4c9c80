"""Cases as a model sees them: vectors of pictures, of notes as written, and of notes with the diagnosis masked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch

from dermnote.audit.masking import mask_own_diagnosis
from dermnote.errors import CasesError

from ..data.cases import Cases
from ..training.embedding import embed_cases, embed_texts, unit_rows
from ..training.run_folder import Trained

MASKED, AS_WRITTEN = "masked", "as_written"


@dataclass(frozen=True)
class Embedded:
    """What evaluation needs of n cases.

    Attributes:
        table: Their rows (case_id, source, split, group, ...).
        labels: (n,) class ids by the model's class names.
        image: (n, d) unit rows.
        logits: (n, c) of the picture alone.
        noted: (n,) whether the case has a note of the strategy evaluated.
        notes: By version ("masked", "as_written"), (n, d) unit rows, zeros where there is no note; empty if the model
            reads no notes.
        texts: By version, the n texts, "" where there is no note.
        distance: (n,) to the nearest training cases (see `novelty_figures`); NaN where it is not measured.
        probes: By share of the training groups, (n, c) probabilities of a linear probe; NaN likewise.
    """

    table: pd.DataFrame
    labels: np.ndarray
    image: np.ndarray
    logits: np.ndarray
    noted: np.ndarray
    notes: Mapping[str, np.ndarray]
    texts: Mapping[str, np.ndarray]
    distance: np.ndarray | None = None
    probes: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.table)

    def select(self, mask: np.ndarray) -> Embedded:
        """The cases under a boolean mask."""
        return replace(
            self,
            table=self.table[mask].reset_index(drop=True),
            labels=self.labels[mask],
            image=self.image[mask],
            logits=self.logits[mask],
            noted=self.noted[mask],
            notes={version: vectors[mask] for version, vectors in self.notes.items()},
            texts={version: texts[mask] for version, texts in self.texts.items()},
            distance=None if self.distance is None else self.distance[mask],
            probes={share: probabilities[mask] for share, probabilities in self.probes.items()},
        )


def known_to(trained: Trained, cases: Cases) -> Cases:
    """The cases whose label is one of the model's classes, whatever ids the cases folder gives them.

    Raises:
        CasesError: None is.
    """
    known = cases.table["label"].isin(trained.config.classnames).to_numpy()
    if not known.any():
        raise CasesError(
            f"No case has a class this model knows ({', '.join(trained.config.classnames)}).",
            "Prepare the cases with the --classes it was trained on.",
        )
    return cases if known.all() else cases.select(known)


def note_versions(cases: Cases, notes: Mapping[str, str], classnames: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The n notes as written and masked, "" where a case has none.

    Beside the general words a case's own label and subtype are masked, and every class name of the model.
    """
    written, masked = [], []
    columns = (cases.table[name] for name in ("case_id", "label", "subtype"))
    for case_id, label, subtype in zip(*columns, strict=True):
        text = notes.get(case_id, "")
        written.append(text)
        masked.append(mask_own_diagnosis(text, label, subtype, classnames))
    return {MASKED: np.array(masked, dtype=object), AS_WRITTEN: np.array(written, dtype=object)}


def embed(
    trained: Trained, cases: Cases, notes: Mapping[str, str] | None, batch_size: int, device: torch.device
) -> Embedded:
    """Runs the model over cases and their notes; the classes are told from the picture alone.

    All processes of a launch call it together: they share the cases, and all get the whole.

    Args:
        trained: A model of pictures alone gets no note vectors.
        cases: Only with classes the model knows (see `known_to`).
        notes: Note by case id, or None.
        batch_size: Pictures or notes in one pass.
        device: Where to compute.
    """
    seen = embed_cases(trained.model, cases, None, batch_size, device, shard=True)
    texts: dict[str, np.ndarray] = {}
    if notes is not None and trained.model.text_encoder is not None:
        texts = note_versions(cases, notes, trained.config.classnames)
    noted = texts[AS_WRITTEN] != "" if texts else np.zeros(len(cases), dtype=bool)
    vectors = {}
    for version, each in texts.items():
        vectors[version] = np.zeros_like(seen.image)
        if noted.any():
            found = embed_texts(trained.model, list(each[noted]), batch_size, device, shard=True)
            vectors[version][noted] = unit_rows(found)
    labels = cases.table["label"].map({name: i for i, name in enumerate(trained.config.classnames)}).to_numpy(np.int64)
    return Embedded(cases.table, labels, seen.image, seen.logits, noted, vectors, texts)
