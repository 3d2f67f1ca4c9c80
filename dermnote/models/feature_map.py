"""What an image encoder sees at each place of a picture, before it takes the mean over places."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from dermnote.errors import ConfigError

if TYPE_CHECKING:
    from dermnote.models.encoders import ImageEncoder

TOLERANCE = 1e-3  # of the features' size: what sums in another order may differ by, in half precision ten times that


@dataclass(frozen=True)
class Grid:
    """Where the places of a feature map lie, in pixels of the picture the network sees.

    Attributes:
        shape: (h, w).
        first: Centre of the first place, down and right from the upper left pixel's.
        step: From one centre to the next.
    """

    shape: tuple[int, int]
    first: float
    step: float


class _Watching(TorchFunctionMode):
    """Keeps the last map of features that a network makes, and how its strides laid the places out.

    It sees its own thread alone, unlike a hook on the network.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.channels, self.side = channels, side
        self.found: Tensor | None = None
        self.first, self.step = 0.0, 1.0  # of the smallest map so far

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor) and made.dim() == 4:
            if made.shape[1] == self.channels and made[0, 0].numel() > 1:
                self.found = made
            window = _WINDOWS.get(getattr(func, "__name__", ""))
            # Of branches that meet again, the first tells where they lie.
            if window and made.shape[2] < self.side == args[0].shape[2]:
                size, stride, padding = window(args, kwargs or {})
                self.first += ((size - 1) / 2 - padding) * self.step
                self.step, self.side = self.step * stride, made.shape[2]
        return made

    def grid(self, height: int, width: int, side: int) -> Grid:
        """Of the last map, for a picture of `side` pixels; evenly laid out where a network hides its strides."""
        if self.side == height:
            return Grid((height, width), self.first, self.step)
        return Grid((height, width), (side / height - 1) / 2, side / height)


def _convolution(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[int, int, int]:
    named = dict(zip(("input", "weight", "bias", "stride", "padding", "dilation"), args, strict=False)) | dict(kwargs)
    spread = _one(named.get("dilation", 1))
    return spread * (named["weight"].shape[2] - 1) + 1, _one(named.get("stride", 1)), _one(named.get("padding", 0))


def _pooling(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[int, int, int]:
    named = dict(zip(("input", "kernel_size", "stride", "padding"), args, strict=False)) | dict(kwargs)
    size = _one(named["kernel_size"])
    return size, _one(named.get("stride") or size), _one(named.get("padding", 0))


def _one(value: Any) -> int:
    return int(value if isinstance(value, int) else value[0])


# By the name of a torch function: width, stride and padding of its window.
_WINDOWS: dict[str, Callable[[Sequence[Any], Mapping[str, Any]], tuple[int, int, int]]] = {
    "conv2d": _convolution,
    "max_pool2d": _pooling,
    "avg_pool2d": _pooling,
}


def feature_map(encoder: ImageEncoder, pixel_values: Tensor) -> tuple[Tensor, Grid]:
    """Normalised pictures (B, 3, S, S) to (B, feature_dim, h, w), whose mean over the places is the features.

    Raises:
        ConfigError: The network does more than take the mean of its last map (mobilenet_v3, convnext, vit, ...): what
            it says cannot be divided among places exactly.
    """
    watching = _Watching(encoder.feature_dim, pixel_values.shape[2])
    with watching:
        features = encoder(pixel_values)
    places = watching.found
    if places is not None:
        off = (places.float().mean(dim=(2, 3)) - features.float()).abs().max()
        scale = TOLERANCE * (10 if features.dtype != torch.float32 else 1)
        if off <= scale * features.float().abs().max():
            return places, watching.grid(places.shape[2], places.shape[3], pixel_values.shape[2])
    raise ConfigError(
        f"{encoder.backbone} does not end in the mean of a map of features, so its answers have no exact heat map.",
        "densenet, resnet, regnet, efficientnet, shufflenet and swin do.",
    )
