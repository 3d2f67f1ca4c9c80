"""The model a run starts from: built from the config, or from a published bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import nn

from dermnote.errors import BundleError, ConfigError, HubError
from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.text_encoder import TextEncoder

from .train_config import TrainConfig


def new_model(config: TrainConfig, classes: int, texts: Sequence[str]) -> DermNoteModel:
    """Builds the model the config describes.

    Args:
        config: Backbone, text model, widths.
        classes: Classes to predict.
        texts: Training notes, from which a text encoder that starts from nothing learns its vocabulary.

    Raises:
        ConfigError: Something is unknown or cannot be fetched.
    """
    image_encoder = ImageEncoder(config.backbone, config.backbone_weights, config.image_size)
    text_encoder = text_encoder_of(config, texts) if config.multimodal else None
    return DermNoteModel(image_encoder, text_encoder, classes, config.embed_dim)


def text_encoder_of(config: TrainConfig, texts: Sequence[str]) -> TextEncoder:
    """The text encoder the config describes (see `new_model`)."""
    if config.text_config is not None:
        text = config.text_config
        return TextEncoder.from_scratch(
            texts,
            hidden_size=text.hidden_size,
            layers=text.layers,
            heads=text.heads,
            vocab_size=text.vocab_size,
            max_length=config.max_length,
            pooling=config.text_pooling,
            dropout=text.dropout,
        )
    try:
        return TextEncoder.from_pretrained(
            config.text_model or "", max_length=config.max_length, pooling=config.text_pooling
        )
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
    say: Callable[[str], object],
) -> tuple[DermNoteModel, TrainConfig]:
    """Starts from a published bundle; what the bundle fixes, the config follows.

    Args:
        id_or_folder: A Hub id or a bundle's folder.
        config: Of the run.
        classnames: Classes of the new cases; a bundle with others gets a new head.
        texts: Training notes (see `new_model`).
        say: Takes one line for each thing that is not as the config says.

    Returns:
        The model, and the config as it now holds.
    """
    folder = Path(id_or_folder)
    if not folder.is_dir():
        from dermnote import hub

        folder = hub.pull(id_or_folder, allow_patterns=["*.json", "*encoder/*", "model.safetensors"])
    model, published = DermNoteModel.from_pretrained(folder)
    config = _follow(model, config, id_or_folder, say)
    _match_text_branch(model, config, texts, say)
    if tuple(classnames) != published.classnames:
        say(f"The classes differ from those of {id_or_folder}: the head starts anew for {', '.join(classnames)}.")
        model.classifier = nn.Linear(model.embed_dim, len(classnames))
    return model, config


def _follow(model: DermNoteModel, config: TrainConfig, name: str, say: Callable[[str], object]) -> TrainConfig:
    """The config with the bundle's picture branch and widths, saying which settings change."""
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
        said = ", ".join(f"{key} {value} (config: {getattr(config, key)})" for key, value in changed.items())
        say(f"Following {name}: {said}.")
    if config.multimodal and encoder is not None:
        changed |= {"text_model": name, "text_config": None}
    return config.with_values(**changed, backbone_weights=None)


def _match_text_branch(
    model: DermNoteModel, config: TrainConfig, texts: Sequence[str], say: Callable[[str], object]
) -> None:
    """Takes the text branch off for an image-only run, or puts a new one on a bundle that has none."""
    if model.text_encoder is not None and not config.multimodal:
        say("The run learns from pictures alone: the bundle's text branch is left out.")
        model.text_encoder = model.text_projection = None
    elif model.text_encoder is None and config.multimodal:
        say("The bundle has no text branch: a new one starts as the config says.")
        model.text_encoder = text_encoder_of(config, texts)
        model.text_projection = nn.Linear(model.text_encoder.feature_dim, model.embed_dim)
