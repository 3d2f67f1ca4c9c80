"""Inputs of the measurements: embeddings of cases and class descriptions, and the settings all figures share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch

from dermnote.audit.masking import mask_own_diagnosis
from dermnote.errors import CasesError
from dermnote.taxonomy import find_class

from ..data.cases import Cases
from ..training.embedding import embed_cases, embed_texts, unit_rows
from ..training.run_folder import Trained

MASKED, AS_WRITTEN = "masked", "as_written"


@dataclass(frozen=True)
class Bootstrap:
    """Number of draws of an interval, and their seed."""

    n_boot: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Prompts:
    """Class descriptions for zero-shot answers.

    Attributes:
        texts: By class name.
        vectors: (c, d) unit rows in the order of the class names.
    """

    texts: Mapping[str, str]
    vectors: np.ndarray


@dataclass(frozen=True)
class ProbeTraining:
    """Training cases of a linear probe: cases, patients or lesions, and classes that it never predicts."""

    n_train: int
    n_groups: int
    classes_absent: tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """Settings that all figures of an evaluation share.

    Attributes:
        classnames: By class id.
        temperature: Divisor of the logits.
        bootstrap: Of all intervals.
        prompts: None without a text encoder.
        far: Distance to the training cases above which an image is flagged, of photographs (False) and of drawn lesions
            (True); without an entry where it is unknown.
        probes: Training cases of the linear probes, by percent of the training groups.
    """

    classnames: tuple[str, ...]
    temperature: float = 1.0
    bootstrap: Bootstrap = field(default_factory=Bootstrap)
    prompts: Prompts | None = None
    far: Mapping[bool, float] = field(default_factory=dict)
    probes: Mapping[str, ProbeTraining] = field(default_factory=dict)


@dataclass(frozen=True)
class Embedded:
    """Embeddings and predictions of n cases.

    Attributes:
        table: Rows of the cases (case_id, source, split, group, ...).
        labels: (n,) class ids by the model's class names.
        image: (n, d) unit rows.
        logits: (n, c) of the image alone.
        noted: (n,) whether the case has a note of the strategy evaluated.
        notes: By version ("masked", "as_written"), (n, d) unit rows, zeros where there is no note; empty if the model
            has no text encoder.
        texts: By version, the n texts, "" where there is no note.
        distance: (n,) to the nearest training cases; NaN where it is not measured.
        probes: By percent of the training groups, (n, c) probabilities of a linear probe; NaN likewise.
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
        """Return the cases under a boolean mask."""
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
    """Return the cases whose label is one of the model's classes; class ids of the cases folder do not matter.

    Raises:
        CasesError: There is none.
    """
    known = cases.table["label"].isin(trained.config.classnames).to_numpy()
    if not known.any():
        raise CasesError(
            f"No case has a class this model knows ({', '.join(trained.config.classnames)}).",
            "Prepare the cases with the --classes it was trained on.",
        )
    return cases if known.all() else cases.select(known)


def note_versions(cases: Cases, notes: Mapping[str, str], classnames: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return the n notes as written and masked, "" where a case has none.

    Masked are the general words of a diagnosis, the case's own label and subtype, and every class name of the model.
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
    """Run the model over cases and their notes; the logits use the image alone.

    All processes of a launch call it together: they share the work, and each gets all results.

    Args:
        trained: Without a text encoder there are no note vectors.
        cases: Only with classes of the model (see `known_to`).
        notes: Note by case id, or None.
        batch_size: Images or notes in one pass.
        device: Device of the model.
    """
    images = embed_cases(trained.model, cases, None, batch_size, device, shard=True)
    texts: dict[str, np.ndarray] = {}
    if notes is not None and trained.model.text_encoder is not None:
        texts = note_versions(cases, notes, trained.config.classnames)
    noted = texts[AS_WRITTEN] != "" if texts else np.zeros(len(cases), dtype=bool)
    vectors = {}
    for version, each in texts.items():
        vectors[version] = np.zeros_like(images.image)
        if noted.any():
            found = embed_texts(trained.model, list(each[noted]), batch_size, device, shard=True)
            vectors[version][noted] = unit_rows(found)
    labels = cases.table["label"].map({name: i for i, name in enumerate(trained.config.classnames)}).to_numpy(np.int64)
    return Embedded(cases.table, labels, images.image, images.logits, noted, vectors, texts)


def prompts_of(classnames: tuple[str, ...]) -> dict[str, str]:
    """Return "Melanoma: a cancer of pigment cells." by class name; the bare name of a class without a description."""
    found = {name: find_class(name) for name in classnames}
    return {
        name: name.capitalize() + (f": {each.description}." if each and each.name == name else ".")
        for name, each in found.items()
    }


def embed_prompts(trained: Trained, batch_size: int, device: torch.device) -> Prompts | None:
    """Embed the class descriptions; None without a text encoder. All processes of a launch call it together."""
    if trained.model.text_encoder is None:
        return None
    texts = prompts_of(trained.config.classnames)
    vectors = embed_texts(trained.model, list(texts.values()), batch_size, device, shard=True)
    return Prompts(texts, unit_rows(vectors))
