"""The two encoders, each loadable alone: pictures by a torchvision network, notes by a transformers model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from dermnote.errors import BundleError, ConfigError
from dermnote.models.backbones import build_backbone
from dermnote.models.encoder_folder import encoder_folder
from dermnote.models.weights import load_strict, rounded, save_tensors

if TYPE_CHECKING:
    from PIL.Image import Image
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
Pooling = Literal["pooler", "mean"]
LARGEST = 4096  # px: what a bundle may ask a picture to be scaled to


class ImageEncoder(nn.Module):
    """Pictures to features.

    Args:
        backbone: A torchvision classification model by name.
        weights: Name of its torchvision weights to start from, or None.
        image_size: Side of the square picture it sees, in pixels.
        mean: Mean of each channel in 0..1, taken off before the network.
        std: Deviation of each channel in 0..1.
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
        self.network, self.feature_dim = build_backbone(backbone, weights, image_size)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Normalised pictures (B, 3, S, S) to features (B, feature_dim)."""
        features: Tensor = self.network(pixel_values)
        return features

    def normalise(self, pixels: Tensor) -> Tensor:
        """Bytes or floats in 0..255, (B, 3, S, S), to what the network takes (float32; float64 for a float64 model)."""
        # In place after one copy: three passes over new memory cost as much as cropping the pictures did.
        wide = torch.promote_types(torch.float32, self.mean.dtype)
        return pixels.to(wide, copy=True).div_(255).sub_(self.mean).div_(self.std)

    def preprocess(self, images: Sequence[Image]) -> Tensor:
        """Pictures to (B, 3, S, S) float32, through the one evaluation geometry (centre square, antialiased)."""
        from dermnote.images.opening import to_square

        squares = [np.asarray(to_square(image, self.image_size)) for image in images]
        pixels = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2)
        return self.normalise(pixels.to(self.mean.device))

    def settings(self) -> dict[str, Any]:
        """What `config.json` holds."""
        # Through numpy's shortest repr: 0.485, not 0.48500001430511475.
        mean, std = ([float(str(x)) for x in each.cpu().numpy().reshape(-1)] for each in (self.mean, self.std))
        return {"backbone": self.backbone, "image_size": self.image_size, "mean": mean, "std": std}

    def save_pretrained(self, folder: str | Path, dtype: str | None = None) -> None:
        """Writes `config.json` and `model.safetensors` (torchvision's own tensor names); dtype "float16" halves it."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        (target / "config.json").write_text(json.dumps(self.settings(), indent=2) + "\n", encoding="utf-8")
        save_tensors(self.network.state_dict(), target / "model.safetensors", dtype)

    @classmethod
    def from_pretrained(
        cls, id_or_folder: str | Path, revision: str | None = None, *, local_files_only: bool = False
    ) -> ImageEncoder:
        """Loads an encoder from its own folder, from a bundle's, or from a Hub repository that holds a bundle.

        Raises:
            BundleError: A file, a setting or a tensor is missing, extra or damaged.
        """
        folder = encoder_folder(id_or_folder, "image_encoder", revision, local_files_only)
        try:
            settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            mean, std = (_of_channels(settings[name]) for name in ("mean", "std"))
            backbone, side = str(settings["backbone"]), _side(settings["image_size"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BundleError(f"{folder}/config.json does not describe an image encoder ({error}).") from error
        encoder = cls(backbone, None, side, mean, std)
        load_strict(encoder.network, folder / "model.safetensors")
        return encoder.eval()


def _of_channels(values: Any) -> tuple[float, float, float]:
    """Three finite numbers, or a ValueError."""
    red, green, blue = (float(value) for value in values)
    if not np.isfinite([red, green, blue]).all():
        raise ValueError("a channel's mean or deviation is not finite")
    return red, green, blue


def _side(value: Any) -> int:
    """A side in pixels that a picture can have, or a ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or not 8 <= value <= LARGEST:
        raise ValueError(f"image_size is not a whole number from 8 to {LARGEST}")
    return value


class TextEncoder(nn.Module):
    """Notes to features.

    Args:
        model: A transformers encoder.
        tokenizer: Its tokenizer.
        max_length: Tokens after which a note is cut, special tokens included.
        pooling: "pooler" takes the model's own pooled output, "mean" averages the token vectors.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        max_length: int = 512,
        pooling: Pooling = "pooler",
    ) -> None:
        super().__init__()
        most = getattr(model.config, "max_position_embeddings", max_length)
        if not 2 <= max_length <= most:
            raise ConfigError(f"max_length must be between 2 and {most} for this text model, not {max_length}.")
        if pooling not in ("pooler", "mean"):
            raise ConfigError(f"Unknown text pooling '{pooling}'.", "Known: pooler, mean.")
        if pooling == "pooler" and getattr(model, "pooler", None) is None:
            raise ConfigError(f"{type(model).__name__} has no pooler.", "Use text_pooling: mean.")
        self.model, self.tokenizer, self.max_length, self.pooling = model, tokenizer, max_length, pooling
        self.feature_dim = int(model.config.hidden_size)
        # In transformers' own config, so that the folder stands alone.
        model.config.dermnote_max_length, model.config.dermnote_pooling = max_length, pooling

    def tokenize(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Texts to `input_ids` and `attention_mask` (and what else the model asks for), each (B, longest) int64."""
        tokens = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.max_length, return_tensors="pt"
        )
        return dict(tokens)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Tokens (B, L) to features (B, feature_dim)."""
        extra = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        output = self.model(input_ids=input_ids, attention_mask=attention_mask, **extra)
        if self.pooling == "pooler":
            pooled: Tensor = output.pooler_output
            return pooled
        weights = attention_mask.unsqueeze(-1).to(output.last_hidden_state.dtype)  # (B, L, 1)
        total: Tensor = (output.last_hidden_state * weights).sum(1)
        return total / weights.sum(1).clamp(min=1)

    def save_pretrained(self, folder: str | Path, dtype: str | None = None) -> None:
        """Writes a folder that `transformers.AutoModel` and `AutoTokenizer` load by themselves."""
        from dermnote.models.language_models import forget_last_call, quiet

        forget_last_call(self.tokenizer)
        state = {name: rounded(tensor, dtype) for name, tensor in self.model.state_dict().items()}
        with quiet():
            self.model.save_pretrained(folder, state_dict=state)
            self.tokenizer.save_pretrained(folder)

    @classmethod
    def from_pretrained(
        cls,
        id_or_folder: str | Path,
        revision: str | None = None,
        *,
        local_files_only: bool = False,
        max_length: int | None = None,
        pooling: Pooling | None = None,
    ) -> TextEncoder:
        """Loads an encoder from its own folder, from a bundle's, or from the Hub (a bundle, or any BERT-like model).

        `max_length` and `pooling` are read from the folder; for a foreign model they default to its longest input
        and "pooler".

        Raises:
            BundleError: A file or tensor is missing, extra or damaged.
        """
        from dermnote.models.language_models import load_language_model

        folder = encoder_folder(id_or_folder, "text_encoder", revision, local_files_only)
        try:
            settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BundleError(f"{folder}/config.json does not describe a text model ({error}).") from error
        pooling = pooling or settings.get("dermnote_pooling", "pooler")
        ours = "dermnote_pooling" in settings
        model, tokenizer = load_language_model(folder, pooler=pooling == "pooler", exact=ours)
        length = max_length or settings.get("dermnote_max_length") or settings.get("max_position_embeddings", 512)
        return cls(model, tokenizer, length, pooling).eval()

    @classmethod
    def from_scratch(
        cls,
        texts: Iterable[str],
        *,
        hidden_size: int = 128,
        layers: int = 2,
        heads: int = 2,
        vocab_size: int = 2000,
        max_length: int = 96,
        pooling: Pooling = "mean",
        dropout: float = 0.1,
    ) -> TextEncoder:
        """Builds a small BERT with random weights, and a WordPiece vocabulary learnt from `texts`."""
        from transformers import BertConfig, BertModel

        from dermnote.models.wordpiece import train_wordpiece

        if heads < 1 or hidden_size % heads:
            raise ConfigError(f"hidden_size {hidden_size} cannot be shared by {heads} heads.")
        tokenizer = train_wordpiece(texts, vocab_size, max_length)
        config = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=hidden_size,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=4 * hidden_size,
            max_position_embeddings=max_length,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
            pad_token_id=tokenizer.pad_token_id,
        )
        return cls(BertModel(config), tokenizer, max_length, pooling)
