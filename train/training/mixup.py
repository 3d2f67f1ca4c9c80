"""Two pictures in one, with the classes of both: a network without pretrained weights learns fewer by heart.

MixUp (Zhang et al. 2018) blends two pictures, CutMix (Yun et al. 2019) puts a rectangle of one into the other. A
picture is mixed with its neighbour in the batch, whose order is chance; so two processes of 16 mix what one of 32 does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

MIXUP_ALPHA, CUTMIX_ALPHA = 0.4, 1.0  # of the Beta distributions the shares are drawn from; the two papers' own


@dataclass(frozen=True)
class Mixing:
    """What is mixed with what, for the B cases of all processes (or of one).

    Attributes:
        partner: (B,) row of the other picture, within the process's part; a row of its own is left as it is.
        share: (B,) how much of the row's own picture is left, 0 to 1; 1 if it is not mixed.
        box: (B, 4) top, left, bottom, right of the partner's rectangle as shares of the side; all 0 for a blend.
    """

    partner: Tensor
    share: Tensor
    box: Tensor

    @property
    def whole(self) -> Tensor:
        """(B,) rows that show one case only."""
        return self.share == 1

    def part(self, process: int, count: int) -> Mixing:
        """The rows of one process out of `count`, its partners counted from its own first row."""
        size = len(self.share) // count
        rows = slice(process * size, (process + 1) * size)
        return Mixing(self.partner[rows] - process * size, self.share[rows], self.box[rows])

    def to(self, device: torch.device) -> Mixing:
        """The same on a device."""
        return Mixing(*(each.to(device, non_blocking=True) for each in (self.partner, self.share, self.box)))


def draw_mixing(count: int, per_process: int, chance: float, generator: torch.Generator) -> Mixing:
    """Draws what is mixed in a batch.

    Args:
        count: Cases of all processes.
        per_process: Cases of one; pairs are neighbours within it, and the last of an odd number stays alone.
        chance: Of each pair to be mixed.
        generator: It alone decides.
    """
    random = np.random.default_rng(generator.initial_seed())
    row = np.arange(count)
    within = row % per_process
    partner = np.where((within ^ 1) < per_process, row - within + (within ^ 1), row)
    # One line of draws a pair, so that both its pictures get the same.
    pairs_each = (per_process + 1) // 2
    pairs, pair = count // per_process * pairs_each, row // per_process * pairs_each + within // 2
    mixed = random.random(pairs) < chance
    cut = random.random(pairs) < 0.5
    kept = np.where(cut, random.beta(CUTMIX_ALPHA, CUTMIX_ALPHA, pairs), random.beta(MIXUP_ALPHA, MIXUP_ALPHA, pairs))
    middle, half = random.random((pairs, 2)), np.sqrt(1 - kept)[:, None] / 2
    box = np.concatenate([np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)], axis=1) * cut[:, None]
    inside = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
    share = np.where(mixed, np.where(cut, 1 - inside, kept), 1.0)[pair]
    share = np.where(partner == row, 1.0, share)
    box = box[pair] * (share < 1)[:, None]
    return Mixing(torch.from_numpy(partner), torch.from_numpy(share).float(), torch.from_numpy(box).float())


def mix(pictures: Tensor, mixing: Mixing) -> Tensor:
    """Mixes (B, 3, S, S) float pictures, of any range; the rows of `mixing` are this batch's."""
    other, side = pictures[mixing.partner], pictures.shape[-1]
    middles = (torch.arange(side, device=pictures.device) + 0.5) / side
    top, left, bottom, right = mixing.box[:, :, None].unbind(1)  # (B, 1) each
    rows, columns = (middles >= top) & (middles < bottom), (middles >= left) & (middles < right)  # (B, S)
    inside = (rows[:, :, None] & columns[:, None, :]).to(pictures.dtype)[:, None]  # (B, 1, S, S)
    cut = (mixing.box[:, 2] > 0).to(pictures.dtype)[:, None, None, None]
    blend = 1 - mixing.share.to(pictures.dtype)[:, None, None, None]
    return torch.lerp(pictures, other, cut * inside + (1 - cut) * blend)
