"""The model to evaluate: a run of train.fit, or a published model on cases it was not made with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dermnote import DermNote
from dermnote.errors import BundleError
from dermnote.hub.manifest import is_bundle

from ..training.run_folder import CONFIG, Trained, load_run
from .embedded_cases import Embedded
from .novelty import Novelty, novelty_of_bundle, novelty_of_run


@dataclass(frozen=True)
class EvaluatedModel(Trained):
    """A model, and the folder for its figures.

    Attributes:
        name: Title of the report: the run's folder, or the published model as it was named.
        out: Folder of metrics.json and the reports.
        seed: Of its training; None if a published model does not state it.
        bundle: The published model; None for a run.
    """

    name: str
    out: Path
    seed: int | None
    bundle: DermNote | None = None

    def novelty(self, whole: Embedded, seed: int) -> Novelty:
        """Measure the distance of all cases to the training cases, or to the training images in a bundle.

        The training cases of a folder are not those of a published model.
        """
        return novelty_of_run(whole, seed) if self.bundle is None else novelty_of_bundle(whole, self.bundle.known)

    def publication(self, sources: Collection[str]) -> dict[str, Any] | None:
        """Return commit and known sources of a published model, for metrics.json; None for a run."""
        if self.bundle is None:
            return None
        seen = [name for name in self.config.sources if name in sources]
        return {"revision": self.bundle.revision, "trained_on_too": seen}


def load_evaluated_run(folder: Path) -> EvaluatedModel:
    """Return a run, whose figures go into its own folder.

    Raises:
        BundleError: There is none, or no epoch of it is finished.
    """
    run = load_run(folder)
    return EvaluatedModel(run.model, run.config, str(folder), folder, run.train_config.seed)


def load_published_model(id_or_folder: str, revision: str | None, out: Path) -> EvaluatedModel:
    """Return a published model, every file of it checked.

    Args:
        id_or_folder: Hub id, or a bundle's folder.
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
    return EvaluatedModel(found.model, found.config, id_or_folder, out, seed if isinstance(seed, int) else None, found)
