"""Any torchvision classification network by name, its last layer taken off."""

from __future__ import annotations

import difflib

import torchvision
from torch import nn
from torchvision.models import get_model, get_model_weights, list_models

from dermnote.errors import ConfigError

# They return tuples while training (the inception family), end in a convolution with no linear layer to take off
# (squeezenet), or keep a version beside their weights that safetensors has no room for (mnasnet).
_UNFIT = ("googlenet", "inception_v3", "squeezenet", "mnasnet")
_OFFLINE_HINT = "Connect once to fetch them, or start without: --set backbone_weights=null"


def backbone_names() -> list[str]:
    """Names `build_backbone` accepts."""
    return [name for name in list_models(module=torchvision.models) if not name.startswith(_UNFIT)]


def build_backbone(name: str, weights: str | None, image_size: int) -> tuple[nn.Module, int]:
    """Builds a network that ends in its pooled features.

    Args:
        name: A torchvision classification model, e.g. "densenet121", "regnet_y_400mf", "vit_b_16".
        weights: Name of torchvision weights, e.g. "IMAGENET1K_V1" or "DEFAULT"; None starts from random values.
        image_size: Side of the input in pixels; some transformers are built for one size.

    Returns:
        The network (B, 3, S, S) -> (B, width), and its width.

    Raises:
        ConfigError: Unknown name or weights, weights that cannot be fetched, or a size the network cannot take.
    """
    if name not in backbone_names():
        nearest = difflib.get_close_matches(name, backbone_names(), n=1, cutoff=0.0)[0]
        raise ConfigError(f"Unknown backbone '{name}'.", f"The nearest torchvision classifier is '{nearest}'.")
    if weights is not None and weights != "DEFAULT" and weights not in get_model_weights(name).__members__:
        known = ", ".join(get_model_weights(name).__members__)
        raise ConfigError(f"{name} has no weights named '{weights}'.", f"Known: {known}, or null for none.")
    network = _fetch(name, weights, _size_arguments(name, image_size))
    return network, _take_head_off(network, name)


def _size_arguments(name: str, image_size: int) -> dict[str, object]:
    if name.startswith("vit_"):
        return {"image_size": image_size}
    return {"input_size": (image_size, image_size)} if name.startswith("maxvit") else {}


def _fetch(name: str, weights: str | None, arguments: dict[str, object]) -> nn.Module:
    try:
        network: nn.Module = get_model(name, weights=weights, **arguments)
    except (OSError, RuntimeError) as error:  # URLError is an OSError; a torn download fails its hash: RuntimeError
        if weights is None:
            raise ConfigError(f"{name} cannot be built with {arguments} ({_first_line(error)}).") from error
        raise ConfigError(
            f"The weights {weights} of {name} could not be fetched ({_first_line(error)}).", _OFFLINE_HINT
        ) from error
    except ValueError as error:
        raise ConfigError(f"{name} cannot be built with {arguments} ({_first_line(error)}).") from error
    return network


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _take_head_off(network: nn.Module, name: str) -> int:
    """Replaces the last linear layer by nothing and returns the width that went into it."""
    linear = [(path, module) for path, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ConfigError(f"{name} has no linear layer at its end.", "Choose another backbone.")
    path, head = linear[-1]
    parent, _, last = path.rpartition(".")
    setattr(network.get_submodule(parent), last, nn.Identity())
    return head.in_features
