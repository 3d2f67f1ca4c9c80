"""What people encode pictures with elsewhere, with random weights: speed does not ask what they know."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

Encode = Callable[[Sequence[Image.Image]], np.ndarray]


def installed_peers(folder: Path) -> dict[str, Encode]:
    """By title, how each peer that is installed turns pictures into vectors, by its own way of doing it.

    Args:
        folder: Empty; what a peer must be loaded from is written here.
    """
    return {title: made(folder) for title, (package, made) in PEERS.items() if importlib.util.find_spec(package)}


def missing_peers() -> list[str]:
    """Titles of those that are not installed."""
    return [title for title, (package, _) in PEERS.items() if not importlib.util.find_spec(package)]


def _open_clip(folder: Path) -> Encode:
    import open_clip

    made = open_clip.create_model("ViT-B-16", load_weights=False)
    model, preprocess = made.eval(), open_clip.image_transform(made.visual.image_size, is_train=False)

    def encode(pictures: Sequence[Image.Image]) -> np.ndarray:
        with torch.inference_mode():
            vectors: np.ndarray = model.encode_image(torch.stack([preprocess(each) for each in pictures])).numpy()
        return vectors

    return encode


def _sentence_transformers(folder: Path) -> Encode:
    from sentence_transformers import SentenceTransformer
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

    CLIPModel(CLIPConfig()).save_pretrained(folder)  # ViT-B/32
    letters = ["<|startoftext|>", "<|endoftext|>", "a", "a</w>"]  # a tokenizer must be there; it reads nothing here
    tokenizer = CLIPTokenizer(vocab={letter: at for at, letter in enumerate(letters)}, merges=[])
    CLIPProcessor(CLIPImageProcessor(), tokenizer).save_pretrained(folder)
    model = SentenceTransformer(str(folder), device="cpu")
    return lambda pictures: model.encode(list(pictures), batch_size=len(pictures), show_progress_bar=False)


PEERS: dict[str, tuple[str, Callable[[Path], Encode]]] = {
    "open_clip ViT-B/16": ("open_clip", _open_clip),
    "sentence-transformers CLIP ViT-B/32": ("sentence_transformers", _sentence_transformers),
}
