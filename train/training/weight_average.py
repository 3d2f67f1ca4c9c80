"""The moving average of a model's weights: what is validated and published when `ema` is on."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from dermnote.models.joint_model import DermNoteModel


class MovingAverage:
    """An exponential moving average of everything that learns, BatchNorm statistics included.

    Early on the average would mostly be the random start, so the decay grows with the updates:
    min(decay, (1 + updates) / (10 + updates)), as in TensorFlow's ExponentialMovingAverage.

    Args:
        model: Averaged; its device and memory format are kept.
        decay: Share of the old average that each update keeps, 0..1.

    Attributes:
        model: The averaged model, in eval mode. Weights that do not learn are the very tensors of the other.
    """

    def __init__(self, model: DermNoteModel, decay: float) -> None:
        self._decay = decay
        frozen = {id(each): each for each in model.parameters() if not each.requires_grad}
        self.model = copy.deepcopy(model, memo=dict(frozen)).eval().requires_grad_(False)
        self.follow(model)

    def follow(self, model: DermNoteModel) -> None:
        """Takes the tensors that a model holds now for those to average.

        Args:
            model: The one given at the start; anew when its tensors may be others, as after `Accelerator.prepare`.
        """
        self._pairs: list[tuple[Tensor, Tensor]] = []
        self._counters: list[tuple[Tensor, Tensor]] = []
        ours, theirs = self.model.state_dict(keep_vars=True), model.state_dict(keep_vars=True)
        for name, tensor in theirs.items():
            if ours[name] is tensor:
                continue
            chosen = self._pairs if tensor.is_floating_point() else self._counters
            chosen.append((ours[name].detach(), tensor.detach()))

    @torch.no_grad()
    def update(self, updates: int, made: Tensor) -> None:
        """Takes the model's present weights in.

        Args:
            updates: Updates of the run before the present one.
            made: Whether that one was made, a bool tensor on the weights' device; if not, the average stays.
        """
        share = (1 - min(self._decay, (1 + updates) / (10 + updates))) * made
        ours = [each for each, _ in self._pairs]
        steps = torch._foreach_sub([each for _, each in self._pairs], ours)
        torch._foreach_mul_(steps, share)
        torch._foreach_add_(ours, steps)
        for ours, theirs in self._counters:
            ours.copy_(theirs)
