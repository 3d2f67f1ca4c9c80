"""Work on many rows shared over processes: each takes whole batches, and all get the whole result, in order.

As batches are never cut differently, a row's result does not depend on how many processes there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from dermnote.errors import DermNoteError

from .distributed import rank, world_size

Share = TypeVar("Share")
ROWS_AT_ONCE = 65536  # rows that travel in one exchange: 128 MB at 512 numbers


def batch_shares(rows: int, batch_size: int, shard: bool) -> list[range]:
    """The rows of each process, one stretch of whole batches each; not sharded, all rows are this process's own."""
    batches, count = -(-rows // batch_size), world_size() if shard else 1
    cuts = [min(batches * each // count * batch_size, rows) for each in range(count + 1)]
    return [range(first, end) for first, end in pairwise(cuts)]


def own(shares: Sequence[Share]) -> Share:
    """The share of this process."""
    return shares[rank() if len(shares) > 1 else 0]


@contextmanager
def failing_together(shard: bool) -> Iterator[None]:
    """A user's mistake that one process meets in its share is raised in all, so that none waits for it.

    Raises:
        DermNoteError: The process's own, else the first other one's.
    """
    failure: DermNoteError | None = None
    try:
        yield
    except DermNoteError as error:
        failure = error
    told: list[tuple[str, str] | None] = [(failure.message, failure.hint) if failure else None]
    if shard and world_size() > 1:
        mine, told = told[0], [None] * world_size()
        dist.all_gather_object(told, mine)
    if failure:
        raise failure
    for other in filter(None, told):
        raise DermNoteError(*other)


def gather_rows(mine: Tensor, shares: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """All rows in order, on the CPU, in every process.

    Args:
        mine: (m, ...) results on the CPU for the m rows of this process's share.
        shares: The row numbers of every process, together 0..n-1.
        device: Where this process computes; GPUs exchange what lies on them.
    """
    whole = torch.empty(sum(map(len, shares)), *mine.shape[1:], dtype=mine.dtype)
    if len(shares) == 1:
        whole[torch.as_tensor(shares[0], dtype=torch.long)] = mine
        return whole
    carrier = device if dist.get_backend() == "nccl" else torch.device("cpu")
    longest = max(map(len, shares))
    for first in range(0, longest, ROWS_AT_ONCE):
        count = min(ROWS_AT_ONCE, longest - first)
        padded = torch.zeros(count, *mine.shape[1:], dtype=mine.dtype, device=carrier)
        part = mine[first : first + count]
        padded[: len(part)] = part.to(carrier)
        parts = [torch.empty_like(padded) for _ in shares]
        dist.all_gather(parts, padded)
        for rows, part in zip(shares, parts, strict=True):
            numbers = torch.as_tensor(rows[first : first + count], dtype=torch.long)
            whole[numbers] = part[: len(numbers)].cpu()
    return whole


def take_main_weights(model: nn.Module, device: torch.device) -> None:
    """Gives every process's model the weights of the main one's, on `device`. All of them call it together."""
    if world_size() == 1:
        return
    model.to(device)
    for tensor in model.state_dict().values():
        dist.broadcast(tensor, 0)
