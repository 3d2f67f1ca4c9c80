"""The losses: features in, one number out, in float32. None of them holds a model.

The sum follows the authors' related code for arXiv 2511.21827: CE(picture) + CE(note) + L1 + cosine + 0.5 NT-Xent.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from dermnote.models.joint_model import ModelOutput

from .mixup import Mixing
from .train_config import TrainConfig


def l1(image: Tensor, text: Tensor) -> Tensor:
    """Mean absolute difference of paired embeddings, each (B, D)."""
    return (image.float() - text.float()).abs().mean()


def cosine(image: Tensor, text: Tensor) -> Tensor:
    """Mean of one minus the cosine of paired embeddings, each (B, D)."""
    return (1 - F.cosine_similarity(image.float(), text.float(), dim=-1)).mean()


def nt_xent(image: Tensor, text: Tensor, temperature: float = 0.5) -> Tensor:
    """Plain NT-Xent (SimCLR): each of the 2B embeddings picks its pair among the 2B - 1 others by softmax.

    Args:
        image: (B, D).
        text: (B, D), row by row the pair of `image`.
        temperature: Divides the cosines; above 0.
    """
    similarity = _similarity(image, text, temperature)
    similarity = similarity.masked_fill(_diagonal(similarity), float("-inf"))
    return F.cross_entropy(similarity, _pair_of(len(image), image.device))


def class_aware_nt_xent(image: Tensor, text: Tensor, labels: Tensor, temperature: float = 0.5) -> Tensor:
    """Class-aware NT-Xent: pairs are drawn together, cases of other classes apart, the rest of one's class left alone.

    Each cosine, divided by the temperature, is the logit of "these two belong together". A row's loss is the mean over
    its two positives (its pair, and itself, which costs nothing and halves the pair's part) plus the mean over
    the rows of other classes. A row that meets no other class has no second part.

    Args:
        image: (B, D).
        text: (B, D), row by row the pair of `image`.
        labels: (B,) class ids.
        temperature: Divides the cosines; above 0.
    """
    similarity = _similarity(image, text, temperature)  # (2B, 2B)
    pair = similarity.gather(1, _pair_of(len(image), image.device)[:, None]).squeeze(1)
    doubled = torch.cat([labels, labels])
    other = (doubled[:, None] != doubled[None, :]).float()
    apart = (F.softplus(similarity) * other).sum(1) / other.sum(1).clamp(min=1)
    return (F.softplus(-pair) / 2 + apart).mean()


def _similarity(image: Tensor, text: Tensor, temperature: float) -> Tensor:
    both = F.normalize(torch.cat([image.float(), text.float()]), dim=-1)
    return both @ both.T / temperature


def _diagonal(matrix: Tensor) -> Tensor:
    return torch.eye(len(matrix), dtype=torch.bool, device=matrix.device)


def _pair_of(pairs: int, device: torch.device) -> Tensor:
    """For each of the 2B rows, the row of the other modality of its case."""
    return torch.arange(2 * pairs, device=device).roll(pairs)


def loss_parts(
    output: ModelOutput, labels: Tensor, noted: Tensor | None, config: TrainConfig, mixing: Mixing | None = None
) -> dict[str, Tensor]:
    """The parts of the loss that have a weight, unweighted.

    Args:
        output: Of all processes (`gather_output`); without text embeddings only the picture's part comes.
        labels: (B,) class ids.
        noted: Rows that have a note; the others take part in the picture's loss only. None: all have one.
        config: Weights, temperature, smoothing.
        mixing: What the pictures show of each other. A mixed one is asked for both classes; it lies near no note.
    """
    weights, smoothing = config.losses, config.label_smoothing
    parts: dict[str, Tensor] = {}
    # Autocast would compute the similarities in half precision again.
    with torch.autocast(labels.device.type, enabled=False):
        if weights.ce_image and output.image_logits is not None:
            parts["ce_image"] = _picture_class(output.image_logits.float(), labels, smoothing, mixing)
        if output.text_embedding is None or output.image_embedding is None or output.text_logits is None:
            return parts
        nothing = output.text_logits.float().sum() * 0
        image, text, logits, paired = (
            each if noted is None else each[noted]
            for each in (output.image_embedding, output.text_embedding, output.text_logits, labels)
        )
        if weights.ce_text:
            told = len(paired) > 0
            parts["ce_text"] = F.cross_entropy(logits.float(), paired, label_smoothing=smoothing) if told else nothing
        if mixing is not None:
            whole = mixing.whole if noted is None else mixing.whole[noted]
            image, text, paired = image[whole], text[whole], paired[whole]
        alignment: dict[str, Callable[[], Tensor]] = {
            "l1": lambda: l1(image, text),
            "cosine": lambda: cosine(image, text),
            "nt_xent": lambda: _contrast(image, text, paired, config),
        }
        for name, compute in alignment.items():
            if getattr(weights, name):
                parts[name] = compute() if len(paired) else nothing
    return parts


def _picture_class(logits: Tensor, labels: Tensor, smoothing: float, mixing: Mixing | None) -> Tensor:
    if mixing is None:
        return F.cross_entropy(logits, labels, label_smoothing=smoothing)
    own, other = (
        F.cross_entropy(logits, wanted, label_smoothing=smoothing, reduction="none")
        for wanted in (labels, labels[mixing.partner])
    )
    return torch.lerp(other, own, mixing.share.to(own.dtype)).mean()


def total(parts: dict[str, Tensor], config: TrainConfig) -> Tensor:
    """The weighted sum of the parts."""
    return torch.stack([getattr(config.losses, name) * part for name, part in parts.items()]).sum()


def _contrast(image: Tensor, text: Tensor, labels: Tensor, config: TrainConfig) -> Tensor:
    if config.nt_xent_class_aware:
        return class_aware_nt_xent(image, text, labels, config.nt_xent_temperature)
    return nt_xent(image, text, config.nt_xent_temperature)
