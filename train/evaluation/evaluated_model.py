"""What is measured: a run of train.fit, or a published model on cases it was not made with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dermnote import DermNote
from dermnote.errors import BundleError
from dermnote.hub.manifest import is_bundle
from dermnote.models.novelty import KnownPictures

from ..training.run_folder import CONFIG, Trained, load_run
from .embedded_cases import Embedded
from .novelty_figures import Known, beside_published_pictures, beside_training_cases


@dataclass(frozen=True)
class Subject(Trained):
    """A model, and where what is found of it goes.

    Attributes:
        name: In the report's title: the run's folder, or what was asked for.
        out: Folder of metrics.json and the reports.
        seed: It was trained with; None if a published model does not say.
    """

    name: str
    out: Path
    seed: int | None

    def beside_known(self, whole: Embedded, seed: int) -> Known:
        """How far cases lie from what the model was trained on (see `train.evaluation.novelty_figures`)."""
        return beside_training_cases(whole, seed)

    def publication(self, sources: Collection[str]) -> dict[str, Any] | None:
        """For metrics.json: of a published model its commit, and which of the sources measured it was trained on."""
        return None


@dataclass(frozen=True)
class Published(Subject):
    """A bundle. The training cases of a folder are not what it was trained on.

    Attributes:
        revision: Its commit, from the Hub; else None.
        known: The pictures it was trained on, as prototypes; None if the bundle does not say.
    """

    revision: str | None
    known: KnownPictures | None

    def beside_known(self, whole: Embedded, seed: int) -> Known:
        """How far cases lie from the pictures that it brings along."""
        return Known(whole) if self.known is None else beside_published_pictures(whole, self.known)

    def publication(self, sources: Collection[str]) -> dict[str, Any]:
        """As `Subject.publication`."""
        seen = [name for name in self.config.sources if name in sources]
        return {"revision": self.revision, "trained_on_too": seen}


def subject_of_run(folder: Path) -> Subject:
    """A run, whose figures stand in its own folder.

    Raises:
        BundleError: There is none, or no epoch of it is finished.
    """
    run = load_run(folder)
    return Subject(run.model, run.config, str(folder), folder, run.train_config.seed)


def published_subject(id_or_folder: str, revision: str | None, out: Path) -> Published:
    """A published model, every file of it checked.

    Args:
        id_or_folder: Of the Hub, or a bundle's folder.
        revision: Branch, tag or commit on the Hub; None is "main".
        out: Folder for its figures; never a bundle or a run, which have figures of their own.

    Raises:
        HubError: The repository or revision cannot be had.
        BundleError: It is no bundle, is incomplete or changed; or `out` is a bundle or a run.
    """
    for taken, what in ((is_bundle(out), "bundle"), ((out / CONFIG).is_file(), "training run")):
        if taken:
            raise BundleError(f"{out} is a {what}, with figures of its own.", "Give --out another folder.")
    found = DermNote.from_pretrained(id_or_folder, revision, device="cpu")
    seed = found.metrics.get("seed")
    seed = seed if isinstance(seed, int) else None
    return Published(found.model, found.config, id_or_folder, out, seed, found.revision, found.known)
