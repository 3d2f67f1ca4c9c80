"""Provenance of figures: software, device and command; and their conversion to JSON."""

from __future__ import annotations

import math
import platform
import shlex
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import numpy as np
import torch

PACKAGES = ("torch", "torchvision", "transformers", "numpy", "pillow")


def versions() -> dict[str, str]:
    """Return the versions of DermNote, Python and the packages that shape a result."""
    from dermnote import __version__

    found = {"dermnote": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "unknown"
    return found


def device_name(device: torch.device) -> str:
    """Return the name of the GPU, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def command(module: str, argv: Sequence[str]) -> str:
    """Return the command line that repeats a step."""
    return shlex.join(["python", "-m", module, *argv])


def plain(value: Any) -> Any:
    """Return a value for JSON: numpy numbers become Python numbers, NaN and infinities become None."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
