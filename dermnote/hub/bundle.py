"""Files of a bundle, downloaded in parts of one commit: the model, the index, or one encoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dermnote import hub
from dermnote.errors import BundleError
from dermnote.hub.manifest import is_bundle

STARTER = Path(__file__).resolve().parents[1] / "starter"
_MODEL = (
    *("config.json", "model.safetensors", "image_encoder/*", "text_encoder/*", "known.safetensors"),
    *("metrics.json", "README.md"),
)
_INDEX = ("index/*",)
# Files of an encoder's repository, without TensorFlow and Flax weights. No pattern starts with an asterisk, which on
# the Hub also matches folders.
_ENCODER = (
    *("config.json", "model*.safetensors", "model.safetensors.index.json"),
    *("tokenizer*", "vocab*", "special_tokens*", "merges*"),
)


@dataclass(frozen=True)
class Bundle:
    """A bundle whose model files are available locally.

    Attributes:
        name: Repository or folder.
        folder: Local folder with at least the model's files, checked against the manifest.
        commit: On the Hub; None for a folder, which is checked completely.
        local_files_only: Whether to use the cache only, without network access.
        token: For a private repository.
        cache_dir: Download cache.
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
        id_or_folder: str | Path | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
        token: str | None = None,
        cache_dir: str | Path | None = None,
    ) -> Bundle:
        """Find a bundle and download its model (arguments as in `dermnote.hub.pull`; None is the embedded starter).

        Raises:
            HubError: The repository or revision is not available.
            BundleError: It is not a bundle, or is incomplete or changed.
        """
        if id_or_folder is None and not is_bundle(STARTER):
            raise BundleError("The embedded starter model is missing.", "Make it with `python -m train.starter`.")
        source = STARTER if id_or_folder is None else id_or_folder
        name, local = str(source), Path(source).is_dir()
        if local and not is_bundle(source):
            raise BundleError(f"{name} is not a DermNote bundle.", "Make one with `python -m train.build_index`.")
        parts = None if local else _MODEL
        folder = hub.pull(name, revision, local_files_only, token, cache_dir, parts, of_bundle=not local)
        return cls(name, folder, None if local else folder.name, local_files_only, token, cache_dir)

    def fetch_index(self) -> Path:
        """Return the index folder; on the Hub, download it from the model's commit.

        Raises:
            HubError: It is not available.
            BundleError: A file differs from the manifest.
        """
        if self.commit is not None:
            hub.pull(self.name, self.commit, self.local_files_only, self.token, self.cache_dir, _INDEX, of_bundle=True)
        return self.folder / "index"


def encoder_folder(
    id_or_folder: str | Path,
    part: Literal["image_encoder", "text_encoder"],
    revision: str | None = None,
    local_files_only: bool = False,
) -> Path:
    """Return the local folder of one encoder.

    Args:
        id_or_folder: The encoder's own folder, a bundle's folder, or a Hub repository of either.
        part: Its name inside a bundle.
        revision: Branch, tag or commit on the Hub.
        local_files_only: Whether to use the cache only, without network access.

    Raises:
        BundleError: The bundle has no such part.
        HubError: The repository is not available.
    """
    folder = Path(id_or_folder)
    if not folder.is_dir():
        patterns = [*_ENCODER, *(f"{part}/{file}" for file in _ENCODER), "image_encoder/config.json"]
        folder = hub.pull(id_or_folder, revision, local_files_only, allow_patterns=patterns)
        if not any(folder.rglob("*.safetensors")):
            # Older text models such as PubMedBERT only have PyTorch's format, which transformers reads with
            # `weights_only`: tensors, never code.
            patterns.append("pytorch_model.bin")
            folder = hub.pull(id_or_folder, revision, local_files_only, allow_patterns=patterns)
    if (folder / part).is_dir():
        return folder / part
    if (folder / "image_encoder").is_dir():  # every bundle has one
        raise BundleError(f"{id_or_folder} has no {part}.", "It was trained on images alone.")
    return folder
