"""Heat maps: the exact contribution of each image location to a class score or to the similarity with a text.

From the last feature map to the output this model is linear: mean over locations, projection, shared layer, classifier
or dot product. So each location has an output of its own, and the image's is their mean (class activation mapping, Zhou
et al. 2016, through all layers). The receptive field of a location is wider than its square.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.overrides import TorchFunctionMode

from dermnote.errors import ConfigError

if TYPE_CHECKING:
    from dermnote.models.image_encoder import ImageEncoder
    from dermnote.models.joint_model import DermNoteModel

TOLERANCE = 1e-3  # relative; for sums in another order, in half precision ten times that


@dataclass(frozen=True)
class Grid:
    """Geometry of a feature map, in pixels of the network's input.

    Attributes:
        shape: (h, w).
        first: Offset of the first location's centre from the upper left pixel's, down and right.
        step: Distance between neighbouring centres.
    """

    shape: tuple[int, int]
    first: float
    step: float


@dataclass(frozen=True)
class Evidence:
    """Contribution of each image location to a score. Research use only, never a diagnosis.

    Attributes:
        of: The class, or the text.
        score: Of a class: its logit minus the mean of all logits (softmax of these over `config.temperature` gives the
            probabilities). Of a text: the cosine.
        heat: (h, w) float32, from the top left; sums to `score`. Negative values lower the score.
        grid: Positions of the locations in `picture`.
        picture: The network's input, (S, S) RGB.
    """

    of: str
    score: float
    heat: NDArray[np.float32]
    grid: Grid
    picture: Image.Image


def place_embeddings(model: DermNoteModel, pixel_values: Tensor) -> tuple[Tensor, Grid]:
    """Encode one normalised image (1, 3, S, S) to one embedding for each location (h * w, embed_dim), and their grid.

    Their mean is the image's embedding.

    Raises:
        ConfigError: As `feature_map`.
    """
    features, grid = feature_map(model.image_encoder, pixel_values)
    embeddings: Tensor = model.shared(model.image_projection(features[0].flatten(1).T))
    return embeddings.float(), grid


def predicted_class(model: DermNoteModel, places: Tensor) -> int:
    """Return an image's most probable class from the embeddings of its locations (p, embed_dim)."""
    with torch.inference_mode():
        return int(model.classify(places.mean(dim=0).to(model.classifier.weight.dtype)).argmax())


def class_heat(model: DermNoteModel, places: Tensor, class_id: int) -> Tensor:
    """Compute what each location (p, embed_dim) adds to a class's logit minus the mean logit, (p,)."""
    with torch.inference_mode():
        logits = model.classify(places.to(model.classifier.weight.dtype)).float()  # (p, classes)
        heat: Tensor = (logits[:, class_id] - logits.mean(dim=1)) / len(places)
    return heat


def text_heat(places: Tensor, text_vector: Tensor) -> Tensor:
    """Compute what each location (p, embed_dim) adds to the cosine with a text's unit vector, (p,)."""
    heat: Tensor = places @ text_vector / (len(places) * places.mean(dim=0).norm())
    return heat


def feature_map(encoder: ImageEncoder, pixel_values: Tensor) -> tuple[Tensor, Grid]:
    """Encode normalised images (B, 3, S, S) to a feature map (B, feature_dim, h, w) whose mean is the features.

    Raises:
        ConfigError: The network does more than average its last map (mobilenet_v3, convnext, vit, ...), so that its
            output cannot be divided exactly among locations.
    """
    recorder = _MapRecorder(encoder.feature_dim, pixel_values.shape[2])
    with recorder:
        features = encoder(pixel_values)
    last = recorder.last
    if last is not None:
        off = (last.float().mean(dim=(2, 3)) - features.float()).abs().max()
        scale = TOLERANCE * (10 if features.dtype != torch.float32 else 1)
        if off <= scale * features.float().abs().max():
            return last, recorder.grid(last.shape[2], last.shape[3], pixel_values.shape[2])
    raise ConfigError(
        f"{encoder.backbone} does not end in the mean of a feature map, so it has no exact heat map.",
        "densenet, resnet, regnet, efficientnet, shufflenet and swin do.",
    )


class _MapRecorder(TorchFunctionMode):
    """Recorder of a network's last feature map and of the grid that its strides produce.

    Unlike a hook on the network, it sees only its own thread.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.channels, self.side = channels, side
        self.last: Tensor | None = None
        self.first, self.step = 0.0, 1.0  # of the smallest map so far

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.dim() == 4:
            if result.shape[1] == self.channels and result[0, 0].numel() > 1:
                self.last = result
            window = _WINDOWS.get(getattr(func, "__name__", ""))
            # Of parallel branches, the first determines the grid.
            if window and result.shape[2] < self.side == args[0].shape[2]:
                size, stride, padding = window(args, kwargs or {})
                self.first += ((size - 1) / 2 - padding) * self.step
                self.step, self.side = self.step * stride, result.shape[2]
        return result

    def grid(self, height: int, width: int, side: int) -> Grid:
        """Return the last map's grid in an input of `side` pixels; evenly spaced if the strides are unknown."""
        if self.side == height:
            return Grid((height, width), self.first, self.step)
        return Grid((height, width), (side / height - 1) / 2, side / height)


def _convolution(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[int, int, int]:
    named = dict(zip(("input", "weight", "bias", "stride", "padding", "dilation"), args, strict=False)) | dict(kwargs)
    dilation = _one(named.get("dilation", 1))
    return dilation * (named["weight"].shape[2] - 1) + 1, _one(named.get("stride", 1)), _one(named.get("padding", 0))


def _pooling(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[int, int, int]:
    named = dict(zip(("input", "kernel_size", "stride", "padding"), args, strict=False)) | dict(kwargs)
    size = _one(named["kernel_size"])
    return size, _one(named.get("stride") or size), _one(named.get("padding", 0))


def _one(value: Any) -> int:
    return int(value if isinstance(value, int) else value[0])


# Width, stride and padding of the window, by name of the torch function.
_WINDOWS: dict[str, Callable[[Sequence[Any], Mapping[str, Any]], tuple[int, int, int]]] = {
    "conv2d": _convolution,
    "max_pool2d": _pooling,
    "avg_pool2d": _pooling,
}
