"""What the processes of a run tell each other. In a run of one process every function here does next to nothing.

A loss over the whole world's batch needs the other processes' features, with gradients. Every process computes that one
loss, and the derivative of a gather (or a sum) is the sum of what all processes derive: each process then holds its
part of the gradient times the number of processes, and the mean that DistributedDataParallel takes is exactly the
gradient of one process with the whole batch.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from dermnote.models.joint_model import ModelOutput


def world_size() -> int:
    """Processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, 0 for the main one or the only one."""
    return dist.get_rank() if world_size() > 1 else 0


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


def gather_with_gradients(tensor: Tensor) -> Tensor:
    """(B, ...) of every process, B alike in all, to (processes * B, ...) in the order of the processes."""
    if world_size() == 1:
        return tensor
    gathered: Tensor = _Gather.apply(tensor.contiguous())
    return gathered


def sum_with_gradients(tensor: Tensor) -> Tensor:
    """The sum over all processes, of any shape."""
    if world_size() == 1:
        return tensor
    total: Tensor = _Sum.apply(tensor)
    return total


def gather_output(output: ModelOutput) -> ModelOutput:
    """The outputs of all processes, in float32; what is None stays None. One exchange for all of them."""
    given = {each.name: getattr(output, each.name) for each in fields(output)}
    given = {name: value.float() for name, value in given.items() if value is not None}
    if world_size() == 1:
        return ModelOutput(**given)
    whole = gather_with_gradients(torch.cat(list(given.values()), dim=1))
    widths = [value.shape[1] for value in given.values()]
    return ModelOutput(**dict(zip(given, whole.split(widths, dim=1), strict=True)))


def anywhere(flag: bool, device: torch.device) -> bool:
    """Whether the flag is up in any process. Every process has to ask at the same time."""
    if world_size() == 1:
        return flag
    raised = torch.tensor(float(flag), device=device)
    dist.all_reduce(raised, dist.ReduceOp.MAX)
    return bool(raised.item())
