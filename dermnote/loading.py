"""From a bundle's files to what `DermNote` is made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dermnote.config import DermNoteConfig
from dermnote.errors import BundleError
from dermnote.hub.bundle_files import Bundle
from dermnote.hub.manifest import REFETCH, is_bundle
from dermnote.index.case_index import CaseIndex
from dermnote.models.joint_model import DermNoteModel

STARTER = Path(__file__).parent / "starter"


def find_bundle(
    id_or_folder: str | Path | None,
    revision: str | None,
    local_files_only: bool,
    token: str | None,
    cache_dir: str | Path | None,
) -> Bundle:
    """The bundle, its model's files checked; arguments and errors as in `DermNote.from_pretrained`."""
    if id_or_folder is None and not is_bundle(STARTER):
        raise BundleError("The embedded starter model is missing.", "Make it with `python -m train.starter`.")
    return Bundle.open(STARTER if id_or_folder is None else id_or_folder, revision, local_files_only, token, cache_dir)


def load_model(bundle: Bundle) -> tuple[DermNoteModel, DermNoteConfig]:
    """Weights and settings, known to belong together."""
    model, config = DermNoteModel.from_pretrained(bundle.folder)
    if model.fingerprint() != config.fingerprint:
        raise BundleError(f"The weights in {bundle.folder} are not those its config.json was written for.", REFETCH)
    return model, config


def index_of(bundle: Bundle, config: DermNoteConfig) -> CaseIndex | Callable[[], CaseIndex]:
    """A folder's index; of a bundle on the Hub, what fetches it when it is first asked for."""

    def opened() -> CaseIndex:
        return CaseIndex.load(bundle.fetch_index(), config.fingerprint)

    return opened if bundle.commit else opened()


def read_words(bundle: Bundle) -> tuple[dict[str, Any], str]:
    """metrics.json and README.md; a bundle may lack either."""
    metrics, card = bundle.folder / "metrics.json", bundle.folder / "README.md"
    try:
        measured = json.loads(metrics.read_text(encoding="utf-8")) if metrics.is_file() else {}
    except (ValueError, RecursionError) as error:  # the second: brackets within brackets without end
        raise BundleError(f"{metrics} is not valid JSON.", REFETCH) from error
    return measured, card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
