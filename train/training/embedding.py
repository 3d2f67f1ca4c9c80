"""Embeddings and logits of sets of cases, in float32 unless a precision is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from dermnote.models.joint_model import DermNoteModel

from ..data.cases import Cases
from ..data.image_cache import Squares
from ..runtime.distributed import batch_shares, failing_together, gather_rows, own_share, rank, world_size

ROWS_PROJECTED = 8192  # notes in one pass of the projection


@dataclass(frozen=True)
class Embeddings:
    """Model outputs of cases, in their order.

    Attributes:
        image: (n, embed_dim) float32, unit rows.
        text: The same for their notes, or None.
        logits: (n, classes) float32 of the image branch.
    """

    image: np.ndarray
    text: np.ndarray | None
    logits: np.ndarray


def embed_cases(
    model: DermNoteModel,
    cases: Cases,
    texts: Sequence[str] | None = None,
    batch_size: int = 64,
    device: torch.device | str | None = None,
    progress: bool = True,
    shard: bool = False,
) -> Embeddings:
    """Embed the images of cases, and their notes if given, and classify the images.

    Args:
        model: Is left in eval mode on `device`, in channels-last memory format.
        cases: n cases.
        texts: n notes in the same order, or None.
        batch_size: Images in one pass; changes results only by rounding.
        device: Device; None takes a GPU if there is one.
        progress: Whether to show a bar.
        shard: Whether all processes call this together; each computes its share, and all get all results.
    """
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    model.to(device).eval()
    model.to(memory_format=torch.channels_last)
    squares = Squares(cases.images, model.image_encoder.image_size, cache_bytes=0)
    image, logits = embed_squares(model, squares, batch_size, device, progress=progress, shard=shard)
    text = embed_texts(model, texts, batch_size, device, shard=shard) if texts is not None else None
    return Embeddings(unit_rows(image), None if text is None else unit_rows(text), logits.numpy())


@torch.inference_mode()
def embed_squares(
    model: DermNoteModel,
    squares: Squares,
    batch_size: int,
    device: torch.device,
    *,
    autocast: torch.dtype | None = None,
    progress: bool = False,
    shard: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return embeddings (n, embed_dim), not normalised, and logits (n, classes); both float32 on the CPU.

    Args:
        model: In eval mode, on `device`.
        squares: n images.
        batch_size: Images in one pass.
        device: Device of the model.
        autocast: Precision; None is float32.
        progress: Whether to show a bar (for the main process's share).
        shard: As in `embed_cases`.
    """
    shares = batch_shares(len(squares), batch_size, shard)
    embeddings, logits = [torch.empty(0, model.embed_dim)], [torch.empty(0, model.num_classes)]
    hidden = not progress or rank() != 0
    bar = tqdm(total=len(own_share(shares)), desc="embedding", unit="img", disable=hidden, leave=False)
    with failing_together(shard), bar:
        for _, pixels in squares.batches(batch_size, own_share(shares)):
            pixel_values = model.image_encoder.normalise(pixels.to(device, non_blocking=True))
            pixel_values = pixel_values.contiguous(memory_format=torch.channels_last)
            with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
                embedding = model.encode_image(pixel_values)
                logit = model.classify(embedding)
            embeddings.append(embedding.float().cpu())
            logits.append(logit.float().cpu())
            bar.update(len(pixels))
    return gather_rows(torch.cat(embeddings), shares, device), gather_rows(torch.cat(logits), shares, device)


@torch.inference_mode()
def embed_texts(
    model: DermNoteModel, texts: Sequence[str], batch_size: int, device: torch.device, *, shard: bool = False
) -> Tensor:
    """Return embeddings (n, embed_dim) of notes, not normalised, float32 on the CPU. Equal notes are computed once.

    `shard` is as in `embed_cases`.
    """
    distinct = sorted(set(texts))
    features = text_features(model, distinct, batch_size, device, shard=shard)
    rows = {text: row for row, text in enumerate(distinct)}
    parts = [
        model.encode_text_features(part.to(device)).float().cpu() for part in torch.split(features, ROWS_PROJECTED)
    ]
    return torch.cat(parts)[[rows[text] for text in texts]]


@torch.no_grad()  # not inference_mode: training computes gradients on top of these
def text_features(
    model: DermNoteModel,
    texts: Sequence[str],
    batch_size: int,
    device: torch.device,
    *,
    progress: bool = False,
    shard: bool = False,
) -> Tensor:
    """Return the text encoder's output for notes before the projection, (n, feature_dim) float32 on the CPU.

    `shard` is as in `embed_cases`.
    """
    encoder = model.text_encoder
    if encoder is None:
        raise ValueError("an image-only model has no text encoder")
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))  # similar lengths together: little padding
    batches = [order[first : first + batch_size] for first in range(0, len(order), batch_size)]
    count = world_size() if shard else 1
    shares = [batches[each::count] for each in range(count)]  # round-robin: short and long notes for every process
    features = [torch.empty(0, encoder.feature_dim)]
    with failing_together(shard):
        for rows in tqdm(own_share(shares), desc="reading notes", disable=not progress or rank() != 0, leave=False):
            tokens = encoder.tokenize([texts[row] for row in rows])
            features.append(encoder(**{name: value.to(device) for name, value in tokens.items()}).float().cpu())
    return gather_rows(torch.cat(features), [list(chain.from_iterable(each)) for each in shares], device)


def unit_rows(embeddings: Tensor) -> np.ndarray:
    """Scale rows to unit length, float32."""
    return F.normalize(embeddings.float(), dim=-1).numpy()
