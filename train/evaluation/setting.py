"""What all figures of an evaluation have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

DRAWN = "drawn"  # lesions made by a program: easy, and never pooled with photographs


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are drawn."""

    n_boot: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Prompts:
    """A sentence a class, for zero-shot answers.

    Attributes:
        texts: By class name.
        vectors: (c, d) unit rows in the order of the class names.
    """

    texts: Mapping[str, str]
    vectors: np.ndarray


@dataclass(frozen=True)
class Share:
    """The part of the training cases that a linear probe was fitted on.

    Attributes:
        n_train: Cases.
        n_groups: Patients or lesions.
        classes_absent: Classes it has no case of, so that the probe never answers them.
    """

    n_train: int
    n_groups: int
    classes_absent: tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """How cases are measured.

    Attributes:
        classnames: By class id.
        temperature: That the logits are divided by.
        bootstrap: Of all intervals.
        prompts: None without a text branch.
        far: Distance to the known cases above which a picture is flagged, of photographs (False) and of drawn lesions
            (True); lacks what cannot be told.
        shares: Of the linear probes, by their name.
    """

    classnames: tuple[str, ...]
    temperature: float = 1.0
    bootstrap: Bootstrap = field(default_factory=Bootstrap)
    prompts: Prompts | None = None
    far: Mapping[bool, float] = field(default_factory=dict)
    shares: Mapping[str, Share] = field(default_factory=dict)
