"""Settings of a training run, read from a config file; `--set key=value` changes one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from dermnote.config import build
from dermnote.errors import ConfigError
from dermnote.notes.strategies import get_strategy

from ..runtime.console import apply_overrides

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


@dataclass(frozen=True)
class Losses:
    """Weight of each part of the loss; 0 disables it.

    Attributes:
        ce_image: Cross-entropy of the image's class.
        ce_text: Cross-entropy of the note's class.
        l1: Mean absolute difference of the embeddings of an image and its note.
        cosine: One minus their cosine.
        nt_xent: Contrastive loss against the other images and notes of the batch.
    """

    ce_image: float = 1.0
    ce_text: float = 1.0
    l1: float = 1.0
    cosine: float = 1.0
    nt_xent: float = 0.5


@dataclass(frozen=True)
class TextConfig:
    """A text encoder trained from scratch: a small BERT with a vocabulary learnt from the training notes."""

    hidden_size: int = 128
    layers: int = 2
    heads: int = 2
    vocab_size: int = 2000
    dropout: float = 0.1


@dataclass(frozen=True)
class Augmentation:
    """Strength of the augmentation; see `training.augment`.

    Attributes:
        flip: Probability of each flip (left-right, top-bottom).
        quarter_turn: Probability of a rotation by 90, 180 or 270 degrees.
        rotation: Largest additional rotation, degrees either way.
        crop_chance: Probability of a random crop.
        crop_scale_min: Smallest fraction of the area in a crop.
        crop_scale_max: Largest.
        crop_ratio: Largest ratio of the crop's sides, at least 1.
        colour_chance: Probability of the channel shift, and of the brightness and contrast change.
        shift_low: Lowest shift of a colour channel, on a scale of 0..255.
        shift_high: Highest.
        brightness: Largest relative change of brightness.
        contrast: Largest relative change of contrast.
    """

    flip: float = 0.5
    quarter_turn: float = 0.5
    rotation: float = 0.0
    crop_chance: float = 0.5
    crop_scale_min: float = 0.8
    crop_scale_max: float = 0.95
    crop_ratio: float = 1.33
    colour_chance: float = 0.5
    shift_low: float = -50.0
    shift_high: float = 10.0
    brightness: float = 0.0
    contrast: float = 0.0


@dataclass(frozen=True)
class TrainConfig:
    """All settings of a run; `configs/paper.yaml` explains each and the source of its value."""

    seed: int = 0
    multimodal: bool = True
    sources: tuple[str, ...] | None = None
    backbone: str = "densenet121"
    backbone_weights: str | None = "IMAGENET1K_V1"
    freeze_image: bool = False
    image_size: int = 224
    view_size: int | None = None
    text_model: str | None = None
    text_config: TextConfig | None = None
    text_pooling: Literal["pooler", "mean"] = "pooler"
    text_layers: int | Literal["all"] = 0
    max_length: int = 512
    embed_dim: int = 128
    strategies: tuple[str, ...] = ("m",)
    mask_diagnosis: float = 0.0
    losses: Losses = field(default_factory=Losses)
    nt_xent_temperature: float = 0.5
    nt_xent_class_aware: bool = True
    label_smoothing: float = 0.0
    epochs: int = 10
    batch_size: int = 32
    accumulate: int = 1
    sync_batchnorm: bool = True
    optimizer: Literal["adam", "adamw"] = "adam"
    lr: float = 1e-4
    weight_decay: float = 1e-5
    amsgrad: bool = True
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_epochs: float = 0.0
    clip_norm: float | None = None
    ema: float = 0.0
    class_balance: float = 1.0
    mix: float = 0.0
    augment: bool | Augmentation = True
    precision: Literal["auto", "no", "bf16", "fp16"] = "auto"
    compile: bool = False
    select_by: Literal["macro_f1", "balanced_accuracy", "kappa", "image_loss"] = "macro_f1"
    patience: int = 10
    num_workers: int = 0
    cache_gb: float = 4.0
    checkpoint_minutes: float = 10.0

    def __post_init__(self) -> None:
        limits: dict[str, tuple[str, Callable[[float], bool]]] = {
            "image_size max_length embed_dim epochs batch_size accumulate patience": ("at least 1", lambda x: x >= 1),
            "lr nt_xent_temperature checkpoint_minutes": ("above 0", lambda x: x > 0),
            "weight_decay warmup_epochs num_workers cache_gb": ("0 or more", lambda x: x >= 0),
            "mask_diagnosis label_smoothing class_balance mix": ("between 0 and 1", lambda x: 0 <= x <= 1),
            "ema": ("0 or more and below 1", lambda x: 0 <= x < 1),
        }
        for names, (rule, valid) in limits.items():
            for name in names.split():
                _require(valid(getattr(self, name)), name, rule, getattr(self, name))
        if self.view_size is not None:
            rule = f"from 16 to image_size ({self.image_size}), or null"
            _require(16 <= self.view_size <= self.image_size, "view_size", rule, self.view_size)
        weights = asdict(self.losses)
        for name, weight in weights.items():
            _require(weight >= 0, f"losses.{name}", "0 or more", weight)
        reaching = weights if self.multimodal else {"ce_image": weights["ce_image"]}
        if not any(weight for name, weight in reaching.items() if name != "ce_text"):
            raise ConfigError("No loss reaches the image branch: it would learn nothing.", "Set losses.ce_image=1")
        _require(self.clip_norm is None or self.clip_norm > 0, "clip_norm", "above 0 or null", self.clip_norm)
        layers = self.text_layers
        _require(layers == "all" or layers >= 0, "text_layers", "0 or more, or all", layers)
        if self.multimodal:
            self._check_text()

    def _check_text(self) -> None:
        if not any(weight for name, weight in asdict(self.losses).items() if name != "ce_image"):
            raise ConfigError("Every loss of the notes is 0: they would have no effect.", "Or set multimodal=false")
        if self.mix == 1:
            raise ConfigError("With mix=1 no image is left to align with its note.", "For example: --set mix=0.5")
        if not self.strategies:
            raise ConfigError("A multimodal run needs at least one strategy.", "For example: --set strategies=[m]")
        for name in self.strategies:
            get_strategy(name)
        if (self.text_model is None) == (self.text_config is None):
            raise ConfigError(
                "A multimodal run needs either text_model (a Hub id or a folder) or text_config (train from scratch).",
                "For example: --set text_model=null --set text_config.hidden_size=128",
            )
        if self.text_config and self.text_layers != "all":
            raise ConfigError("A text encoder trained from scratch needs all its layers.", "Use --set text_layers=all.")

    @property
    def training_size(self) -> int:
        """Side of the training views in pixels."""
        return self.view_size or self.image_size

    @property
    def augmentation(self) -> Augmentation | None:
        """Augmentation settings; None if images are not augmented."""
        if isinstance(self.augment, bool):
            return Augmentation() if self.augment else None
        return self.augment

    def to_yaml(self) -> str:
        """Return the settings as YAML, in the order of the fields."""
        values: dict[str, Any] = {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }
        return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))

    def with_values(self, **changes: Any) -> TrainConfig:
        """Return a copy with some settings changed."""
        return replace(self, **changes)


def _require(valid: bool, key: str, rule: str, value: object) -> None:
    if not valid:
        raise ConfigError(f"'{key}' must be {rule}, not {value}.")


def load_config(path: str | Path, overrides: list[str] | None = None) -> TrainConfig:
    """Read a config file and apply `key=value` overrides.

    Raises:
        ConfigError: The file is missing or not YAML, a key is unknown, or a value is wrong.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"The config {path} cannot be read.", f"Provided ones are in {CONFIGS}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML ({str(error).splitlines()[0]}).") from error
    if not isinstance(values or {}, dict):
        raise ConfigError(f"{path} does not hold settings by name.")
    return build(TrainConfig, apply_overrides(dict(values or {}), overrides or []), str(path))
