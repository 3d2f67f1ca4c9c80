"""Tensors in safetensors files, loaded strictly: none missing, unexpected or of another shape."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dermnote.errors import BundleError

REBUILD = "Download or build the bundle again."
DTYPES = {"float32": torch.float32, "float16": torch.float16}


def rounded(tensor: Tensor, dtype: str | None) -> Tensor:
    """Return a tensor on the CPU as stored: floats as `dtype` ("float16", "float32"; None keeps theirs)."""
    tensor = tensor.detach().cpu()
    return tensor.to(DTYPES[dtype]) if dtype and tensor.is_floating_point() else tensor


def save_tensors(tensors: Mapping[str, Tensor], path: Path, dtype: str | None = None) -> None:
    """Write named tensors as safetensors."""
    save_file({name: rounded(tensor, dtype).contiguous() for name, tensor in tensors.items()}, path)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read named tensors.

    Raises:
        BundleError: The file is missing or incomplete.
    """
    with _reading(path):
        return load_file(path)


def check_whole(path: Path) -> None:
    """Check by its header that a file of tensors is complete, without reading the tensors.

    Raises:
        BundleError: The file is missing or incomplete.
    """
    with _reading(path), safe_open(path, "pt"):
        pass


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    if not path.is_file():
        raise BundleError(f"{path} is missing.", REBUILD)
    try:
        yield
    except (SafetensorError, OSError) as error:
        raise BundleError(f"{path} is damaged ({error}).", REBUILD) from error


def load_strict(module: nn.Module, path: Path) -> None:
    """Load a safetensors file into a module; floats are converted to the module's dtype.

    Raises:
        BundleError: A tensor is missing, unexpected or of another shape.
    """
    stored, needed = load_tensors(path), module.state_dict()
    shapes = [name for name in needed if name in stored and stored[name].shape != needed[name].shape]
    check_names(path, missing=needed.keys() - stored.keys(), unexpected=stored.keys() - needed.keys(), shapes=shapes)
    module.load_state_dict(stored, strict=True)


def check_names(path: Path, missing: Iterable[str], unexpected: Iterable[str], shapes: Iterable[str]) -> None:
    """Raise `BundleError` if any tensor is missing, unexpected or of another shape."""
    errors = {"missing": sorted(missing), "unexpected": sorted(unexpected), "of another shape": sorted(shapes)}
    listed = [f"{len(names)} {error} ({', '.join(names[:3])})" for error, names in errors.items() if names]
    if listed:
        raise BundleError(
            f"{path} does not fit the model: tensors {', '.join(listed)}.",
            "It was written by another model or version; download or build the bundle again.",
        )


def hash_tensors(digest: hashlib._Hash, tensors: Mapping[str, Tensor], dtype: str | None = None) -> None:
    """Update a hash with name, dtype, shape and bytes of every tensor (as a file of `dtype` restores it), by name."""
    for name in sorted(tensors):
        tensor = rounded(tensors[name], dtype)
        tensor = tensor.float() if tensor.is_floating_point() else tensor
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
