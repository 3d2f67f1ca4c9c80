"""Files of a bundle, downloaded in parts of one commit: the model, the index, or one encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
# Files of an encoder's repository, without TensorFlow and Flax weights. No pattern starts with an asterisk, which on
# the Hub also matches folders.
_ENCODER = (
    *("config.json", "model*.safetensors", "model.safetensors.index.json"),
    *("tokenizer*", "vocab*", "special_tokens*", "merges*"),
)


def open_bundle(
    id_or_folder: str | Path | None = None,
    revision: str | None = None,
    local_files_only: bool = False,
    token: str | None = None,
    cache_dir: str | Path | None = None,
) -> tuple[Path, str | None, Callable[[], Path]]:
    """Find a bundle and download its model (arguments as in `dermnote.hub.pull`; None is the embedded starter).

    Returns:
        A checked folder with at least the model's files; its commit on the Hub (None for a local folder); and a
        function that downloads the index of the same commit and returns its folder, with the same errors.

    Raises:
        HubError: The repository or revision is not available.
        BundleError: It is not a bundle, or is incomplete or changed.
    """
    if id_or_folder is None and not is_bundle(STARTER):
        raise BundleError("The embedded starter model is missing.", "Make it with `python -m train.starter`.")
    source = STARTER if id_or_folder is None else id_or_folder
    if Path(source).is_dir():
        if not is_bundle(source):
            raise BundleError(f"{source} is not a DermNote bundle.", "Make one with `python -m train.build_index`.")
        folder = hub.pull(source)
        return folder, None, lambda: folder / "index"

    def fetch(revision: str | None, patterns: Sequence[str]) -> Path:
        return hub.pull(source, revision, local_files_only, token, cache_dir, patterns, of_bundle=True)

    folder = fetch(revision, _MODEL)
    return folder, folder.name, lambda: fetch(folder.name, ["index/*"]) / "index"


def encoder_folder(
    id_or_folder: str | Path,
    part: Literal["image_encoder", "text_encoder"],
    revision: str | None = None,
    local_files_only: bool = False,
) -> Path:
    """Return the local folder of one encoder, from its own folder, a bundle's folder, or a Hub repository of either.

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
