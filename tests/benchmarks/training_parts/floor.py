"""How many bytes a training step must move through the device's memory, counted layer by layer.

A layer is a module without children, x its input, y its output, w its weights; a is the bytes of an activation
(2 in bf16), and weights are kept in 4 bytes and used in a:

    forward    (x + w) read, y written                       a (x + w + y)
    backward   dy, x and w read, dx and dw written           a (dy + x + w + dx) + 4 dw
    optimizer  w, dw and the moments read, w and the moments written: 4 (2 + s + 1 + s) bytes a weight that learns, with
               s moments (Adam and AdamW 2, with amsgrad 3, one more for an averaged copy of the weights)

dx falls away where the input needs no gradient (the pictures), dw where the weight does not learn, the whole backward
where neither does. Elementwise layers (ReLU, GELU, dropout ...) count as fused into their neighbours and move nothing,
and so do functions that are no module: concatenation, addition, attention's products, the last pooling. BatchNorm
counts as one reading, though a batch's statistics need two. All of that makes it a floor: what is left cannot be
avoided without fusing across convolutions. Caches are taken as too small to hold an activation until the next layer.

Time floor = bytes / bandwidth, the bandwidth being what a large copy on the same device reaches.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tests.benchmarks.training_parts.alternating import clock

FUSED = (nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.GELU, nn.Tanh, nn.Sigmoid, nn.Dropout, nn.Identity, nn.Flatten)
WEIGHT_BYTES = 4


@dataclass(frozen=True)
class StepBytes:
    """Bytes of one step.

    Attributes:
        forward: Read and written by the forward pass.
        backward: By the backward pass.
        optimizer: By the optimizer.
    """

    forward: int
    backward: int
    optimizer: int

    @property
    def total(self) -> int:
        """All together."""
        return self.forward + self.backward + self.optimizer


def count_bytes(
    model: nn.Module, run: Callable[[nn.Module], Any], activation_bytes: int = 2, moments: int = 2
) -> StepBytes:
    """Counts by the formula above; nothing is computed (tensors without storage), so any batch fits any machine.

    Args:
        model: In the mode it learns in; `requires_grad` says what learns. Left as it is.
        run: Takes the copy of the model on the meta device and calls it on a batch of meta tensors.
        activation_bytes: Of one activation, and of one weight in use.
        moments: Numbers the optimizer keeps for a weight.
    """
    double = copy.deepcopy(model).to("meta")
    forward = backward = 0

    def count(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal forward, backward
        if not isinstance(output, Tensor) or not inputs or isinstance(module, FUSED):
            return
        given, made = inputs[0], output.numel()
        own = list(module.parameters(recurse=False))
        weights, learnt = sum(w.numel() for w in own), sum(w.numel() for w in own if w.requires_grad)
        forward += activation_bytes * (given.numel() + weights + made)
        if output.requires_grad:
            back = given.numel() if given.requires_grad else 0
            backward += activation_bytes * (made + given.numel() + weights + back) + WEIGHT_BYTES * learnt

    hooks = [each.register_forward_hook(count) for each in double.modules() if not list(each.children())]
    run(double)
    for hook in hooks:
        hook.remove()
    learning = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    return StepBytes(forward, backward, WEIGHT_BYTES * (3 + 2 * moments) * learning)


def copy_bandwidth(device: torch.device, megabytes: int = 1024, repeats: int = 20) -> float:
    """Bytes a second that a copy within the device's memory moves, reading and writing counted; the best of some."""
    source = torch.empty(megabytes * 2**20, dtype=torch.uint8, device=device).fill_(1)
    target = torch.empty_like(source)
    best = float("inf")
    for _ in range(repeats):
        started = clock(device)
        target.copy_(source)
        best = min(best, clock(device) - started)
    return 2 * source.numel() / best
