"""Where in a picture a class score or the likeness to a text comes from: exact, and without gradients.

Between the last map of features and the answer this model is linear: mean over the places, projection, shared layer,
classifier or dot product. So each place has an answer of its own, and the picture's is their mean. (This is class
activation mapping, Zhou et al. 2016, through all layers to the end. What a place sees is wider than its square, and
that a place counts for a class does not say that a physician would look there.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from dermnote.models.feature_map import Grid, feature_map
from dermnote.vectors import Vectors

if TYPE_CHECKING:
    from dermnote.models.joint_model import DermNoteModel


@dataclass(frozen=True)
class Evidence:
    """What each place of a picture adds to a score. Research use only, never a diagnosis.

    Attributes:
        of: The class, or the text.
        score: Of a class: its logit less the mean of all classes' (softmax of these over `config.temperature` gives the
            probabilities). Of a text: the cosine.
        heat: (h, w) float32, from the top left; sums to `score`. Below 0: speaks against it.
        grid: Where the places lie in `picture`.
        picture: What the model saw, (S, S) RGB.
    """

    of: str
    score: float
    heat: Vectors
    grid: Grid
    picture: Image.Image


def place_embeddings(model: DermNoteModel, pixel_values: Tensor) -> tuple[Tensor, Grid]:
    """One normalised picture (1, 3, S, S) to the embedding of each place (h * w, embed_dim), and where those lie.

    Their mean is the picture's embedding.

    Raises:
        ConfigError: As `feature_map`.
    """
    found, grid = feature_map(model.image_encoder, pixel_values)
    places = found[0].flatten(1).T  # (h * w, C)
    embeddings: Tensor = model.shared(model.image_projection(places))
    return embeddings.float(), grid


def likeliest_class(model: DermNoteModel, places: Tensor) -> int:
    """The class of a picture, from the embeddings of its places (p, embed_dim): its own embedding is their mean."""
    with torch.inference_mode():
        return int(model.classify(places.mean(dim=0).to(model.classifier.weight.dtype)).argmax())


def class_heat(model: DermNoteModel, places: Tensor, class_id: int) -> Tensor:
    """Embeddings of places (p, embed_dim) to what each adds to the class's logit less the mean logit, (p,)."""
    with torch.inference_mode():
        logits = model.classify(places.to(model.classifier.weight.dtype)).float()  # (p, classes)
        heat: Tensor = (logits[:, class_id] - logits.mean(dim=1)) / len(places)
    return heat


def text_heat(places: Tensor, text_vector: Tensor) -> Tensor:
    """Embeddings of places (p, embed_dim) to what each adds to the cosine with a text's unit vector, (p,)."""
    heat: Tensor = places @ text_vector / (len(places) * places.mean(dim=0).norm())
    return heat


def evidence(of: str, heat: Tensor, grid: Grid, picture: Image.Image) -> Evidence:
    """As numbers anybody can use.

    Args:
        of: The class, or the text.
        heat: (h * w,).
        grid: As `place_embeddings` gave it.
        picture: What the model saw.
    """
    return Evidence(of, float(heat.sum()), heat.reshape(grid.shape).cpu().numpy(), grid, picture)
