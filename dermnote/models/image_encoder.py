"""Image encoder: a torchvision classification network without its last layer."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights, list_models

from dermnote.errors import BundleError, ConfigError
from dermnote.hub.bundle import encoder_folder
from dermnote.images.opening import to_square
from dermnote.models.weights import load_strict, save_tensors

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MAX_IMAGE_SIZE = 4096  # px; largest input size accepted from a bundle
# Unsupported: networks that return tuples while training (the inception family), end in a convolution (squeezenet), or
# keep a version beside their weights that safetensors cannot store (mnasnet).
_UNSUPPORTED = ("googlenet", "inception_v3", "squeezenet", "mnasnet")


class ImageEncoder(nn.Module):
    """Images to features.

    Args:
        backbone: Name of a torchvision classification model, e.g. "densenet121", "vit_b_16".
        weights: Name of its torchvision weights to start from, e.g. "IMAGENET1K_V1"; None for random values.
        image_size: Side of the square input, in pixels.
        mean: Mean of each channel in 0..1, subtracted before the network.
        std: Standard deviation of each channel in 0..1.

    Raises:
        ConfigError: Unknown backbone or weights, a failed download, or a size that the network does not support.
    """

    def __init__(
        self,
        backbone: str = "densenet121",
        weights: str | None = None,
        image_size: int = 224,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.backbone, self.image_size = backbone, image_size
        self.network = _build_network(backbone, weights, image_size)
        self.feature_dim = _remove_head(self.network, backbone)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Encode normalised images (B, 3, S, S) to features (B, feature_dim)."""
        features: Tensor = self.network(pixel_values)
        return features

    def normalise(self, pixels: Tensor) -> Tensor:
        """Normalise pixels in 0..255, (B, 3, S, S), to the network's input (float32; float64 for a float64 model)."""
        # In place after one copy: three passes over new memory cost as much as cropping the images.
        wide = torch.promote_types(torch.float32, self.mean.dtype)
        return pixels.to(wide, copy=True).div_(255).sub_(self.mean).div_(self.std)

    def preprocess(self, images: Sequence[Image]) -> Tensor:
        """Convert images to (B, 3, S, S) float32 with the evaluation geometry (centre square, antialiased)."""
        squares = [np.asarray(to_square(image, self.image_size)) for image in images]
        pixels = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2)
        return self.normalise(pixels.to(self.mean.device))

    def settings(self) -> dict[str, Any]:
        """Return the contents of `config.json`."""
        # Through numpy's shortest repr: 0.485, not 0.48500001430511475.
        mean, std = ([float(str(x)) for x in each.cpu().numpy().reshape(-1)] for each in (self.mean, self.std))
        return {"backbone": self.backbone, "image_size": self.image_size, "mean": mean, "std": std}

    def save_pretrained(self, folder: str | Path, dtype: str | None = None) -> None:
        """Write `config.json` and `model.safetensors` (torchvision's tensor names); dtype "float16" halves it."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        (target / "config.json").write_text(json.dumps(self.settings(), indent=2) + "\n", encoding="utf-8")
        save_tensors(self.network.state_dict(), target / "model.safetensors", dtype)

    @classmethod
    def from_pretrained(
        cls, id_or_folder: str | Path, revision: str | None = None, *, local_files_only: bool = False
    ) -> ImageEncoder:
        """Load an encoder from its own folder, from a bundle's, or from a Hub repository that holds a bundle.

        Raises:
            BundleError: A file, a setting or a tensor is missing, unexpected or damaged.
        """
        folder = encoder_folder(id_or_folder, "image_encoder", revision, local_files_only)
        try:
            settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            mean, std = (_channel_values(settings[name]) for name in ("mean", "std"))
            backbone, size = str(settings["backbone"]), settings["image_size"]
            if isinstance(size, bool) or not isinstance(size, int) or not 8 <= size <= MAX_IMAGE_SIZE:
                raise ValueError(f"image_size is not a whole number from 8 to {MAX_IMAGE_SIZE}")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BundleError(f"{folder}/config.json does not describe an image encoder ({error}).") from error
        encoder = cls(backbone, None, size, mean, std)
        load_strict(encoder.network, folder / "model.safetensors")
        return encoder.eval()


def backbone_names() -> list[str]:
    """Return the names of the supported backbones."""
    return [name for name in list_models(module=torchvision.models) if not name.startswith(_UNSUPPORTED)]


def _channel_values(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    if not np.isfinite([red, green, blue]).all():
        raise ValueError("a channel's mean or deviation is not finite")
    return red, green, blue


def _build_network(name: str, weights: str | None, image_size: int) -> nn.Module:
    if name not in backbone_names():
        nearest = difflib.get_close_matches(name, backbone_names(), n=1, cutoff=0.0)[0]
        raise ConfigError(f"Unknown backbone '{name}'.", f"The nearest torchvision classifier is '{nearest}'.")
    if weights is not None and weights != "DEFAULT" and weights not in get_model_weights(name).__members__:
        known = ", ".join(get_model_weights(name).__members__)
        raise ConfigError(f"{name} has no weights named '{weights}'.", f"Known: {known}, or null for none.")
    arguments: dict[str, object] = {}
    if name.startswith("vit_"):
        arguments = {"image_size": image_size}
    elif name.startswith("maxvit"):
        arguments = {"input_size": (image_size, image_size)}
    try:
        network: nn.Module = get_model(name, weights=weights, **arguments)
    except (OSError, RuntimeError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        if weights is None or isinstance(error, ValueError):
            raise ConfigError(f"{name} cannot be built with {arguments} ({reason}).") from error
        raise ConfigError(  # URLError is an OSError; an incomplete download fails its checksum: RuntimeError
            f"The weights {weights} of {name} could not be downloaded ({reason}).",
            "Connect once to download them, or start without: --set backbone_weights=null",
        ) from error
    return network


def _remove_head(network: nn.Module, name: str) -> int:
    """Replace the last linear layer by the identity and return its input width."""
    linear = [(path, module) for path, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ConfigError(f"{name} does not end in a linear layer.", "Choose another backbone.")
    path, head = linear[-1]
    parent, _, last = path.rpartition(".")
    setattr(network.get_submodule(parent), last, nn.Identity())
    return head.in_features
