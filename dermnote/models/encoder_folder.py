"""Where an encoder's files are: a folder of its own, its part of a bundle, or a Hub repository of either kind."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from dermnote.errors import BundleError

# What a repository may hold of use: never the TensorFlow and Flax twins of a text model. None starts with an asterisk,
# which on the Hub stands for folders too.
_FILES = (
    "config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "tokenizer*",
    "vocab*",
    "special_tokens*",
    "merges*",
)


def encoder_folder(
    id_or_folder: str | Path,
    part: Literal["image_encoder", "text_encoder"],
    revision: str | None = None,
    local_files_only: bool = False,
) -> Path:
    """The local folder of one encoder.

    Args:
        id_or_folder: The encoder's own folder, a bundle's folder, or a Hub repository that holds either.
        part: Its name inside a bundle.
        revision: Branch, tag or commit on the Hub.
        local_files_only: Whether to do without the network.

    Raises:
        BundleError: The folder is a bundle without that part.
        HubError: The repository cannot be had.
    """
    folder = Path(id_or_folder)
    if not folder.is_dir():
        folder = _pull(str(id_or_folder), part, revision, local_files_only)
    if (folder / part).is_dir():
        return folder / part
    if (folder / "image_encoder").is_dir():  # every bundle has one
        raise BundleError(f"{id_or_folder} has no {part}.", "It was trained on pictures alone.")
    return folder


def _pull(name: str, part: str, revision: str | None, local_files_only: bool) -> Path:
    from dermnote import hub

    patterns = [*_FILES, *(f"{part}/{file}" for file in _FILES), "image_encoder/config.json"]
    folder = hub.pull(name, revision=revision, local_files_only=local_files_only, allow_patterns=patterns)
    if any(folder.rglob("*.safetensors")):
        return folder
    # Older text models, PubMedBERT among them, have PyTorch's own format only. Transformers reads it with
    # `weights_only`: tensors, never code.
    patterns.append("pytorch_model.bin")
    return hub.pull(name, revision=revision, local_files_only=local_files_only, allow_patterns=patterns)
