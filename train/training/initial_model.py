"""Initial model of a run: built from the config, or loaded from a published bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from torch import nn

from dermnote.errors import BundleError, ConfigError, HubError
from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.text_encoder import TextEncoder

from .train_config import TrainConfig


def new_model(config: TrainConfig, classes: int, texts: Sequence[str]) -> DermNoteModel:
    """Build the model described by the config; a new text encoder learns its vocabulary from the training notes.

    Raises:
        ConfigError: A name is unknown or cannot be fetched.
    """
    image_encoder = ImageEncoder(config.backbone, config.backbone_weights, config.image_size)
    text_encoder = new_text_encoder(config, texts) if config.multimodal else None
    return DermNoteModel(image_encoder, text_encoder, classes, config.embed_dim)


def new_text_encoder(config: TrainConfig, texts: Sequence[str]) -> TextEncoder:
    """Build the text encoder described by the config (see `new_model`)."""
    if config.text_config is not None:
        return TextEncoder.from_scratch(
            texts, max_length=config.max_length, pooling=config.text_pooling, **asdict(config.text_config)
        )
    try:
        name = config.text_model or ""
        return TextEncoder.from_pretrained(name, max_length=config.max_length, pooling=config.text_pooling)
    except (HubError, BundleError) as error:
        raise ConfigError(
            f"The text model {config.text_model} could not be loaded: {error.message}",
            f"{error.hint} Or name a folder that holds one: --set text_model=FOLDER",
        ) from error


def model_from_bundle(
    id_or_folder: str,
    config: TrainConfig,
    classnames: Sequence[str],
    texts: Sequence[str],
    report: Callable[[str], object],
) -> tuple[DermNoteModel, TrainConfig]:
    """Load a published bundle, and adapt the config to it; return both.

    Args:
        id_or_folder: A Hub id or the folder of a bundle.
        config: Config of the run.
        classnames: Classes of the new cases; a bundle with other classes gets a new head.
        texts: Training notes (see `new_model`).
        report: Prints a line for each difference from the config.
    """
    folder = Path(id_or_folder)
    if not folder.is_dir():
        from dermnote import hub

        folder = hub.pull(id_or_folder, allow_patterns=["*.json", "*encoder/*", "model.safetensors"])
    model, published = DermNoteModel.from_pretrained(folder)
    config = _adapt_config(model, config, id_or_folder, report)
    if model.text_encoder is not None and not config.multimodal:
        report("The run learns from images alone: the bundle's text branch is left out.")
        model.text_encoder = model.text_projection = None
    elif model.text_encoder is None and config.multimodal:
        report("The bundle has no text branch: a new one is built from the config.")
        model.text_encoder = new_text_encoder(config, texts)
        model.text_projection = nn.Linear(model.text_encoder.feature_dim, model.embed_dim)
    if tuple(classnames) != published.classnames:
        report(f"The classes differ from those of {id_or_folder}: a new head is trained for {', '.join(classnames)}.")
        model.classifier = nn.Linear(model.embed_dim, len(classnames))
    return model, config


def _adapt_config(model: DermNoteModel, config: TrainConfig, name: str, report: Callable[[str], object]) -> TrainConfig:
    """Return the config with the bundle's image branch and widths, and report which settings change."""
    fixed: dict[str, object] = {
        "backbone": model.image_encoder.backbone,
        "image_size": model.image_encoder.image_size,
        "embed_dim": model.embed_dim,
    }
    encoder = model.text_encoder
    if config.multimodal and encoder is not None:
        fixed |= {"max_length": encoder.max_length, "text_pooling": encoder.pooling}
    changed = {key: value for key, value in fixed.items() if getattr(config, key) != value}
    if changed:
        settings = ", ".join(f"{key} {value} (config: {getattr(config, key)})" for key, value in changed.items())
        report(f"Following {name}: {settings}.")
    if config.multimodal and encoder is not None:
        changed |= {"text_model": name, "text_config": None}
    return config.with_values(**changed, backbone_weights=None)
