"""How good a model is on the validation cases, by its picture branch alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from accelerate import Accelerator

from dermnote.models.joint_model import DermNoteModel

from ..data.image_cache import Squares
from ..metrics.calibration import fit_temperature, negative_log_likelihood, softmax
from ..metrics.classification import classification_metrics
from .embedding import embed_squares
from .train_config import TrainConfig

AUTOCAST = {"no": None, "bf16": torch.bfloat16, "fp16": torch.float16}
NUMBERS = ("kappa", "balanced_accuracy", "macro_f1", "macro_auroc", "accuracy", "image_loss")


@dataclass(frozen=True)
class Validation:
    """Scores of one epoch.

    Attributes:
        numbers: By name (see NUMBERS); NaN where undefined.
        temperature: Divides the logits so that the probabilities mean what they say.
    """

    numbers: dict[str, float]
    temperature: float

    def score(self, config: TrainConfig) -> float:
        """What the best epoch is chosen by, higher is better; -inf where undefined."""
        value = self.numbers[config.select_by] * (-1 if config.select_by == "image_loss" else 1)
        return value if math.isfinite(value) else -math.inf


def validate(
    model: DermNoteModel,
    squares: Squares,
    labels: np.ndarray,
    classnames: tuple[str, ...],
    config: TrainConfig,
    accelerator: Accelerator,
) -> Validation:
    """Classifies the validation pictures and scores the answers; the model is left in eval mode.

    All processes call it, each classifies its share, and all get the same scores.
    """
    model.eval()
    autocast = AUTOCAST[config.precision]
    _, logits = embed_squares(model, squares, config.batch_size, accelerator.device, autocast=autocast, shard=True)
    values = logits.numpy()
    if not np.isfinite(values).all():
        return Validation(dict.fromkeys(NUMBERS, math.nan), 1.0)
    metrics = classification_metrics(labels, softmax(values), classnames)
    metrics["image_loss"] = negative_log_likelihood(values, labels)
    return Validation({name: float(metrics[name]) for name in NUMBERS}, fit_temperature(values, labels))
