"""Embeddings and logits of whole sets, in float32 unless asked otherwise."""

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
from ..runtime.distributed import rank, world_size
from ..runtime.sharding import batch_shares, failing_together, gather_rows, own

ROWS_PROJECTED = 8192  # notes that go through the projection in one pass


@dataclass(frozen=True)
class Embeddings:
    """What a model makes of cases, in their order.

    Attributes:
        image: (n, embed_dim) float32, unit rows.
        text: The same of their notes, or None.
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
    """Embeds the pictures of cases, and their notes if given; classifies by the picture alone.

    Args:
        model: Left in eval mode on `device`, its weights laid out channels last.
        cases: n cases.
        texts: n notes in the same order, or None.
        batch_size: Pictures in one pass; does not change the result beyond rounding.
        device: Where to compute; None takes a GPU if there is one.
        progress: Whether to show a bar.
        shard: Whether all processes call this together; each then computes its share, and all get the whole.
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
    """Embeddings (n, embed_dim), not normalised, and logits (n, classes); both float32 on the CPU.

    Args:
        model: In eval mode, on `device`.
        squares: n pictures.
        batch_size: Pictures in one pass.
        device: Where to compute.
        autocast: Precision of the pass; None is float32.
        progress: Whether to show a bar (of the main process's share).
        shard: Whether all processes call this together; each then computes its share, and all get the whole.
    """
    shares = batch_shares(len(squares), batch_size, shard)
    embeddings, logits = [torch.empty(0, model.embed_dim)], [torch.empty(0, model.num_classes)]
    hidden = not progress or rank() != 0
    bar = tqdm(total=len(own(shares)), desc="embedding", unit="img", disable=hidden, leave=False)
    with failing_together(shard), bar:
        for _, pixels in squares.batches(batch_size, own(shares)):
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
    """Embeddings (n, embed_dim) of notes, not normalised, float32 on the CPU; equal notes are computed once.

    `shard` is as in `embed_squares`.
    """
    distinct = sorted(set(texts))
    features = text_features(model, distinct, batch_size, device, shard=shard)
    rows = {text: row for row, text in enumerate(distinct)}
    parts = [
        model.encode_text_features(part.to(device)).float().cpu() for part in torch.split(features, ROWS_PROJECTED)
    ]
    return torch.cat(parts)[[rows[text] for text in texts]]


@torch.no_grad()  # not inference_mode: training takes gradients through what is built on these
def text_features(
    model: DermNoteModel,
    texts: Sequence[str],
    batch_size: int,
    device: torch.device,
    *,
    progress: bool = False,
    shard: bool = False,
) -> Tensor:
    """What the text encoder makes of notes, (n, feature_dim) float32 on the CPU, before any projection.

    `shard` is as in `embed_squares`.
    """
    encoder = model.text_encoder
    if encoder is None:
        raise ValueError("an image-only model has no text encoder")
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))  # like lengths together: little padding
    batches = [order[first : first + batch_size] for first in range(0, len(order), batch_size)]
    count = world_size() if shard else 1
    shares = [batches[each::count] for each in range(count)]  # in turn: short and long notes for every process
    features = [torch.empty(0, encoder.feature_dim)]
    with failing_together(shard):
        for rows in tqdm(own(shares), desc="reading notes", disable=not progress or rank() != 0, leave=False):
            tokens = encoder.tokenize([texts[row] for row in rows])
            features.append(encoder(**{name: value.to(device) for name, value in tokens.items()}).float().cpu())
    return gather_rows(torch.cat(features), [list(chain.from_iterable(each)) for each in shares], device)


def unit_rows(embeddings: Tensor) -> np.ndarray:
    """Rows scaled to length one, float32."""
    return F.normalize(embeddings.float(), dim=-1).numpy()
