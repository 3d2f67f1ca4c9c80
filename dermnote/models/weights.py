"""Tensors to and from safetensors, with nothing missing, nothing extra and nothing of another shape."""

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

DTYPES = {"float32": torch.float32, "float16": torch.float16}


def rounded(tensor: Tensor, dtype: str | None) -> Tensor:
    """A tensor on the CPU as it will be stored: floating values in `dtype` ("float16", "float32"; None as they are)."""
    tensor = tensor.detach().cpu()
    return tensor.to(DTYPES[dtype]) if dtype and tensor.is_floating_point() else tensor


def save_tensors(tensors: Mapping[str, Tensor], path: Path, dtype: str | None = None) -> None:
    """Writes named tensors as safetensors."""
    save_file({name: rounded(tensor, dtype).contiguous() for name, tensor in tensors.items()}, path)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Reads named tensors.

    Raises:
        BundleError: The file is missing or is not whole.
    """
    with _damage_told(path):
        return load_file(path)


def check_whole(path: Path) -> None:
    """Opens a file of tensors without reading them: its header tells whether it is all there.

    Raises:
        BundleError: The file is missing or is not whole.
    """
    with _damage_told(path), safe_open(path, "pt"):
        pass


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    if not path.is_file():
        raise BundleError(f"{path} is missing.", "Download or build the bundle again.")
    try:
        yield
    except (SafetensorError, OSError) as error:
        raise BundleError(f"{path} is damaged ({error}).", "Download or build the bundle again.") from error


def load_strict(module: nn.Module, path: Path) -> None:
    """Fills a module from a safetensors file; floating tensors take the module's own dtype.

    Raises:
        BundleError: A tensor is missing, extra or of another shape. A head is never left at random values.
    """
    found, wanted = load_tensors(path), module.state_dict()
    shapes = [name for name in wanted if name in found and found[name].shape != wanted[name].shape]
    check_names(path, missing=wanted.keys() - found.keys(), extra=found.keys() - wanted.keys(), shapes=shapes)
    module.load_state_dict(found, strict=True)


def check_names(path: Path, missing: Iterable[str], extra: Iterable[str], shapes: Iterable[str]) -> None:
    """Raises `BundleError` naming the tensors that are missing, extra or of another shape, if there are any."""
    faults = {"missing": sorted(missing), "unexpected": sorted(extra), "of another shape": sorted(shapes)}
    said = [f"{len(names)} {fault} ({', '.join(names[:3])})" for fault, names in faults.items() if names]
    if said:
        raise BundleError(
            f"{path} does not fit the model: tensors {', '.join(said)}.",
            "It was written by another model or version; download or build the bundle again.",
        )


def hash_tensors(digest: hashlib._Hash, tensors: Mapping[str, Tensor], dtype: str | None = None) -> None:
    """Feeds name, dtype, shape and bytes of every tensor to a hash, in name order.

    With a `dtype` the values are hashed as they come back from a file of that dtype.
    """
    for name in sorted(tensors):
        tensor = rounded(tensors[name], dtype)
        tensor = tensor.float() if tensor.is_floating_point() else tensor
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
