"""Communication between the processes of a run. With a single process, every function here is (nearly) a no-op.

A loss over the global batch needs the features of the other processes, with gradients. Every process computes this
loss, and the derivative of a gather (or a sum) is the sum of the derivatives in all processes. Each process then holds
its part of the gradient times the number of processes, and the mean that DistributedDataParallel takes is exactly the
gradient of one process with the global batch.

Work on many rows is sharded by whole batches. As batches are cut the same way for any number of processes, the result
of a row does not depend on that number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from itertools import pairwise
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from dermnote.errors import DermNoteError
from dermnote.models.joint_model import ModelOutput

Share = TypeVar("Share")
ROWS_PER_EXCHANGE = 65536  # 128 MB at 512 float32 values a row


def world_size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, 0 for the main or only one."""
    return dist.get_rank() if world_size() > 1 else 0


def any_process(flag: bool, device: torch.device) -> bool:
    """Return whether the flag is set in any process. All processes must call this together."""
    if world_size() == 1:
        return flag
    flags = torch.tensor(float(flag), device=device)
    dist.all_reduce(flags, dist.ReduceOp.MAX)
    return bool(flags.item())


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, tensor: Tensor) -> Tensor:
        parts = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, tensor)
        context.rows = len(tensor)
        return torch.cat(parts)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        gradient = gradients[0].contiguous()
        dist.all_reduce(gradient)
        first = dist.get_rank() * context.rows
        return gradient[first : first + context.rows]


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        gradient = gradients[0].clone()
        dist.all_reduce(gradient)
        return gradient


def gather_output(output: ModelOutput) -> ModelOutput:
    """Gather the outputs of all processes in float32, with gradients and in one exchange; None stays None."""
    named = {field.name: getattr(output, field.name) for field in fields(output)}
    named = {name: value.float() for name, value in named.items() if value is not None}
    if world_size() == 1:
        return ModelOutput(**named)
    gathered: Tensor = _Gather.apply(torch.cat(list(named.values()), dim=1).contiguous())
    parts = torch.split(gathered, [value.shape[1] for value in named.values()], dim=1)
    return ModelOutput(**dict(zip(named, parts, strict=True)))


class CPUSyncBatchNorm(_BatchNorm):
    """Batch normalisation over all processes on the CPU, which torch's SyncBatchNorm does not support."""

    def _check_input_dim(self, input: Tensor) -> None:  # torch's name
        if input.ndim < 2:
            raise ValueError(f"expected at least 2 dimensions, got {input.ndim}")

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (B, C, ...) by the mean and variance of each channel over all processes."""
        if not self.training or world_size() == 1:
            return super().forward(input)
        values = input.float()
        axes = [axis for axis in range(values.ndim) if axis != 1]
        shape = [1, -1] + [1] * (values.ndim - 2)
        count = values.numel() // values.shape[1] * world_size()
        mean = _Sum.apply(values.sum(axes)) / count
        centred = values - mean.view(shape)
        variance = _Sum.apply((centred * centred).sum(axes)) / count
        self._update_statistics(mean.detach(), variance.detach() * (count / max(1, count - 1)))
        scaled = centred * (variance + self.eps).rsqrt().view(shape)
        if self.weight is not None:
            scaled = scaled * self.weight.view(shape) + self.bias.view(shape)
        normalised: Tensor = scaled.to(input.dtype)
        return normalised

    @torch.no_grad()
    def _update_statistics(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        momentum = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)


def synchronise_batch_norm(module: nn.Module, device: torch.device) -> None:
    """Make every BatchNorm below a module normalise over all processes, in place; tensors and their names stay."""
    for name, child in module.named_children():
        if not isinstance(child, nn.BatchNorm2d | nn.BatchNorm1d):
            synchronise_batch_norm(child, device)
        elif device.type == "cpu":
            # Another class, the same tensors: the optimizer's references stay valid.
            child.__class__ = CPUSyncBatchNorm  # type: ignore[assignment]
        else:
            setattr(module, name, nn.SyncBatchNorm.convert_sync_batchnorm(child))  # type: ignore[no-untyped-call]


def batch_shares(rows: int, batch_size: int, shard: bool) -> list[range]:
    """Return the rows of each process, whole batches in order; if not sharded, all rows belong to this process."""
    batches, count = -(-rows // batch_size), world_size() if shard else 1
    cuts = [min(batches * each // count * batch_size, rows) for each in range(count + 1)]
    return [range(first, end) for first, end in pairwise(cuts)]


def own_share(shares: Sequence[Share]) -> Share:
    """Return the share of this process."""
    return shares[rank() if len(shares) > 1 else 0]


@contextmanager
def failing_together(shard: bool) -> Iterator[None]:
    """Raise a DermNoteError of one process in all of them, so that none waits for the failed one.

    Raises:
        DermNoteError: The error of this process, otherwise the first one of the others.
    """
    failure: DermNoteError | None = None
    try:
        yield
    except DermNoteError as error:
        failure = error
    own = (failure.message, failure.hint) if failure else None
    errors: list[tuple[str, str] | None] = [own]
    if shard and world_size() > 1:
        errors = [None] * world_size()
        dist.all_gather_object(errors, own)
    if failure:
        raise failure
    for other in filter(None, errors):
        raise DermNoteError(*other)


def gather_rows(own: Tensor, shares: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """Return all rows in order, on the CPU, in every process.

    Args:
        own: (m, ...) results on the CPU for the m rows of this process's share.
        shares: Row numbers of every process, together 0..n-1.
        device: Device of this process; NCCL exchanges tensors on GPUs.
    """
    gathered = torch.empty(sum(map(len, shares)), *own.shape[1:], dtype=own.dtype)
    if len(shares) == 1:
        gathered[torch.as_tensor(shares[0], dtype=torch.long)] = own
        return gathered
    carrier = device if dist.get_backend() == "nccl" else torch.device("cpu")
    longest = max(map(len, shares))
    for first in range(0, longest, ROWS_PER_EXCHANGE):
        count = min(ROWS_PER_EXCHANGE, longest - first)
        padded = torch.zeros(count, *own.shape[1:], dtype=own.dtype, device=carrier)
        part = own[first : first + count]
        padded[: len(part)] = part.to(carrier)
        parts = [torch.empty_like(padded) for _ in shares]
        dist.all_gather(parts, padded)
        for rows, part in zip(shares, parts, strict=True):
            numbers = torch.as_tensor(rows[first : first + count], dtype=torch.long)
            gathered[numbers] = part[: len(numbers)].cpu()
    return gathered


def take_main_weights(model: nn.Module, device: torch.device) -> None:
    """Copy the weights of the main process's model to every process, on `device`. All processes call this together."""
    if world_size() == 1:
        return
    model.to(device)
    for tensor in model.state_dict().values():
        dist.broadcast(tensor, 0)
