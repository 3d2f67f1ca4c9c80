"""A bundle's files, brought in parts: what a caller never asks for is never downloaded. All parts are of one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dermnote import hub
from dermnote.errors import BundleError
from dermnote.hub.manifest import is_bundle

WORDS = ("metrics.json", "README.md")
MODEL = ("config.json", "model.safetensors", "image_encoder/*", "text_encoder/*", "known.safetensors", *WORDS)
INDEX = ("index/*",)


@dataclass(frozen=True)
class Bundle:
    """A bundle whose model is there.

    Attributes:
        name: What was asked for.
        folder: With at least the files of `MODEL`, checked against the manifest.
        commit: On the Hub; None for a folder, which was checked whole.
        local_files_only: Use what was downloaded before; send nothing.
        token: For a private repository.
        cache_dir: Where downloads are kept.
    """

    name: str
    folder: Path
    commit: str | None
    local_files_only: bool = False
    token: str | None = None
    cache_dir: str | Path | None = None

    @classmethod
    def open(
        cls,
        id_or_folder: str | Path,
        revision: str | None = None,
        local_files_only: bool = False,
        token: str | None = None,
        cache_dir: str | Path | None = None,
    ) -> Bundle:
        """Finds a bundle and fetches its model (arguments as in `dermnote.hub.pull`).

        Raises:
            HubError: The repository or revision cannot be had.
            BundleError: It is no bundle, or not whole and unchanged.
        """
        name, local = str(id_or_folder), Path(id_or_folder).is_dir()
        if local and not is_bundle(id_or_folder):
            raise BundleError(f"{name} is not a DermNote bundle.", "Make one with `python -m train.build_index`.")
        parts: Sequence[str] | None = None if local else MODEL
        folder = hub.pull(name, revision, local_files_only, token, cache_dir, parts, of_bundle=not local)
        return cls(name, folder, None if local else folder.name, local_files_only, token, cache_dir)

    def fetch_index(self) -> Path:
        """The index's folder, of the same commit as the model.

        Raises:
            HubError: It cannot be had.
            BundleError: A file is not what the manifest says.
        """
        if self.commit is not None:
            hub.pull(self.name, self.commit, self.local_files_only, self.token, self.cache_dir, INDEX, of_bundle=True)
        return self.folder / "index"
