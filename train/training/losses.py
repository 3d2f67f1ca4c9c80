"""Loss functions: features in, a float32 scalar out. None of them holds a model.

The sum follows the authors' related code for arXiv 2511.21827: CE(image) + CE(note) + L1 + cosine + 0.5 NT-Xent.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from dermnote.models.joint_model import ModelOutput

from .augment import Mixing
from .train_config import TrainConfig


def l1(image: Tensor, text: Tensor) -> Tensor:
    """Mean absolute difference of paired embeddings, each (B, D)."""
    return (image.float() - text.float()).abs().mean()


def cosine(image: Tensor, text: Tensor) -> Tensor:
    """Mean of one minus the cosine of paired embeddings, each (B, D)."""
    return (1 - F.cosine_similarity(image.float(), text.float(), dim=-1)).mean()


def nt_xent(image: Tensor, text: Tensor, temperature: float = 0.5) -> Tensor:
    """NT-Xent loss (SimCLR): each of the 2B embeddings identifies its pair among the 2B - 1 others by softmax.

    Args:
        image: (B, D).
        text: (B, D), row by row the pair of `image`.
        temperature: Divides the cosines; above 0.
    """
    similarity = _similarity(image, text, temperature)
    diagonal = torch.eye(len(similarity), dtype=torch.bool, device=similarity.device)
    return F.cross_entropy(similarity.masked_fill(diagonal, float("-inf")), _pair_rows(len(image), image.device))


def class_aware_nt_xent(image: Tensor, text: Tensor, labels: Tensor, temperature: float = 0.5) -> Tensor:
    """Class-aware NT-Xent: pairs attract, cases of other classes repel, other cases of the same class are ignored.

    Each cosine, divided by the temperature, is the logit of a binary "these two are a pair". The loss of a row is the
    mean over its two positives (its pair, and itself, which costs nothing and halves the pair's part) plus the mean
    over the rows of other classes. A row without other classes has no second part.

    Args:
        image: (B, D).
        text: (B, D), row by row the pair of `image`.
        labels: (B,) class ids.
        temperature: Divides the cosines; above 0.
    """
    similarity = _similarity(image, text, temperature)  # (2B, 2B)
    pair = similarity.gather(1, _pair_rows(len(image), image.device)[:, None]).squeeze(1)
    doubled = torch.cat([labels, labels])
    other = (doubled[:, None] != doubled[None, :]).float()
    repulsion = (F.softplus(similarity) * other).sum(1) / other.sum(1).clamp(min=1)
    return (F.softplus(-pair) / 2 + repulsion).mean()


def _similarity(image: Tensor, text: Tensor, temperature: float) -> Tensor:
    both = F.normalize(torch.cat([image.float(), text.float()]), dim=-1)
    return both @ both.T / temperature


def _pair_rows(pairs: int, device: torch.device) -> Tensor:
    """For each of the 2B rows, the row of the other modality of its case."""
    return torch.arange(2 * pairs, device=device).roll(pairs)


def loss_parts(
    output: ModelOutput, labels: Tensor, with_note: Tensor | None, config: TrainConfig, mixing: Mixing | None = None
) -> dict[str, Tensor]:
    """Return the parts of the loss that have a weight, unweighted.

    Args:
        output: Of all processes (`gather_output`); without text embeddings only the image classification part.
        labels: (B,) class ids.
        with_note: Rows that have a note; the others only take part in image classification. None: all have one.
        config: Weights, temperature, smoothing.
        mixing: Mixed images. They are classified as both classes, and not aligned with any note.
    """
    weights, smoothing = config.losses, config.label_smoothing
    parts: dict[str, Tensor] = {}
    with torch.autocast(labels.device.type, enabled=False):  # else similarities would be in half precision
        if weights.ce_image and output.image_logits is not None:
            parts["ce_image"] = _image_cross_entropy(output.image_logits.float(), labels, smoothing, mixing)
        if output.text_embedding is None or output.image_embedding is None or output.text_logits is None:
            return parts
        zero = output.text_logits.float().sum() * 0
        image, text, logits, paired = (
            tensor if with_note is None else tensor[with_note]
            for tensor in (output.image_embedding, output.text_embedding, output.text_logits, labels)
        )
        if weights.ce_text:
            empty = len(paired) == 0
            parts["ce_text"] = zero if empty else F.cross_entropy(logits.float(), paired, label_smoothing=smoothing)
        if mixing is not None:
            whole = mixing.whole if with_note is None else mixing.whole[with_note]
            image, text, paired = image[whole], text[whole], paired[whole]
        alignment: dict[str, Callable[[], Tensor]] = {
            "l1": lambda: l1(image, text),
            "cosine": lambda: cosine(image, text),
            "nt_xent": lambda: _contrastive(image, text, paired, config),
        }
        for name, compute in alignment.items():
            if getattr(weights, name):
                parts[name] = compute() if len(paired) else zero
    return parts


def _image_cross_entropy(logits: Tensor, labels: Tensor, smoothing: float, mixing: Mixing | None) -> Tensor:
    if mixing is None:
        return F.cross_entropy(logits, labels, label_smoothing=smoothing)
    own, other = (
        F.cross_entropy(logits, target, label_smoothing=smoothing, reduction="none")
        for target in (labels, labels[mixing.partner])
    )
    return torch.lerp(other, own, mixing.share.to(own.dtype)).mean()


def _contrastive(image: Tensor, text: Tensor, labels: Tensor, config: TrainConfig) -> Tensor:
    if config.nt_xent_class_aware:
        return class_aware_nt_xent(image, text, labels, config.nt_xent_temperature)
    return nt_xent(image, text, config.nt_xent_temperature)


def total(parts: dict[str, Tensor], config: TrainConfig) -> Tensor:
    """Return the weighted sum of the parts."""
    return torch.stack([getattr(config.losses, name) * part for name, part in parts.items()]).sum()
