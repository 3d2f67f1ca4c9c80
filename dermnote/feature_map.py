"""What an image encoder sees at each place of a picture, before it takes the mean over places."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from dermnote.errors import ConfigError

if TYPE_CHECKING:
    from dermnote.encoders import ImageEncoder

TOLERANCE = 1e-3  # of the features' size: what sums in another order may differ by, in half precision ten times that


class _LastMap(TorchFunctionMode):
    """Keeps the last map of features that a network makes. In its own thread alone, unlike a hook on the network."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.found: Tensor | None = None

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor) and made.dim() == 4 and made.shape[1] == self.channels and made[0, 0].numel() > 1:
            self.found = made
        return made


def feature_map(encoder: ImageEncoder, pixel_values: Tensor) -> Tensor:
    """Normalised pictures (B, 3, S, S) to (B, feature_dim, h, w), whose mean over the places is the features.

    Raises:
        ConfigError: The network does more than take the mean of its last map (mobilenet_v3, convnext, vit, ...): what
            it says cannot be divided among places exactly.
    """
    watching = _LastMap(encoder.feature_dim)
    with watching:
        features = encoder(pixel_values)
    places = watching.found
    if places is not None:
        off = (places.float().mean(dim=(2, 3)) - features.float()).abs().max()
        scale = TOLERANCE * (10 if features.dtype != torch.float32 else 1)
        if off <= scale * features.float().abs().max():
            return places
    raise ConfigError(
        f"{encoder.backbone} does not end in the mean of a map of features, so its answers have no exact heat map.",
        "densenet, resnet, regnet, efficientnet, shufflenet and swin do.",
    )
