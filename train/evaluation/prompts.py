"""Class descriptions as a text encoder reads them, for answers without a classifier."""

from __future__ import annotations

import torch

from dermnote.taxonomy import find_class

from ..training.embedding import embed_texts, unit_rows
from ..training.run_folder import Trained
from .setting import Prompts


def prompts_of(classnames: tuple[str, ...]) -> dict[str, str]:
    """By class name, "Melanoma: a cancer of pigment cells."; a class we have no description of is named only."""
    found = {name: find_class(name) for name in classnames}
    return {
        name: name.capitalize() + (f": {each.description}." if each and each.name == name else ".")
        for name, each in found.items()
    }


def embed_prompts(trained: Trained, batch_size: int, device: torch.device) -> Prompts | None:
    """None if the model reads no text. All processes of a launch call it together."""
    if trained.model.text_encoder is None:
        return None
    texts = prompts_of(trained.config.classnames)
    vectors = embed_texts(trained.model, list(texts.values()), batch_size, device, shard=True)
    return Prompts(texts, unit_rows(vectors))
