"""Batch normalisation over the batches of all processes, so that many small batches learn what one large one learns."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..runtime.distributed import sum_with_gradients, world_size


class CPUSyncBatchNorm(_BatchNorm):
    """Torch's SyncBatchNorm for processors without a GPU, which torch's own refuses."""

    def _check_input_dim(self, input: Tensor) -> None:  # torch's name
        if input.ndim < 2:
            raise ValueError(f"expected at least 2 dimensions, got {input.ndim}")

    def forward(self, input: Tensor) -> Tensor:
        """Normalises (B, C, ...) by the mean and deviation of each channel in all processes."""
        if not self.training or world_size() == 1:
            return super().forward(input)
        values = input.float()
        axes = [axis for axis in range(values.ndim) if axis != 1]
        shape = [1, -1] + [1] * (values.ndim - 2)
        count = values.numel() // values.shape[1] * world_size()
        mean = sum_with_gradients(values.sum(axes)) / count
        centred = values - mean.view(shape)
        variance = sum_with_gradients((centred * centred).sum(axes)) / count
        self._remember(mean.detach(), variance.detach() * (count / max(1, count - 1)))
        scaled = centred * (variance + self.eps).rsqrt().view(shape)
        if self.weight is not None:
            scaled = scaled * self.weight.view(shape) + self.bias.view(shape)
        return scaled.to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


def synchronise_batch_norm(module: nn.Module, device: torch.device) -> None:
    """Lets every BatchNorm inside normalise over all processes, in place; tensors and their names stay.

    Args:
        module: Whose children are replaced.
        device: Where it computes.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.modules.batchnorm.BatchNorm2d | nn.modules.batchnorm.BatchNorm1d):
            setattr(module, name, _synchronised(child, device))
        else:
            synchronise_batch_norm(child, device)


def _synchronised(norm: _BatchNorm, device: torch.device) -> nn.Module:
    if device.type != "cpu":
        return nn.SyncBatchNorm.convert_sync_batchnorm(norm)
    norm.__class__ = CPUSyncBatchNorm  # the same tensors, another forward: what the optimizer holds stays valid
    return norm
