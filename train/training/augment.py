"""Augmentation of training images on the batch's device: an affine warp, a colour change, and mixing of two images.

All random numbers are passed in, so the same draws give the same images on every device. Hue stays: on skin, colour is
diagnostic, and changing the hue takes longer than everything else.

MixUp (Zhang et al. 2018) blends two images, CutMix (Yun et al. 2019) pastes a rectangle of one into the other; both
carry the classes of both images. An image is mixed with its neighbour in the (shuffled) batch, so two processes of 16
mix what one of 32 does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .train_config import Augmentation

DRAWS = 17  # random numbers for each image
MIXUP_ALPHA, CUTMIX_ALPHA = 0.4, 1.0  # parameters of the Beta distributions, as in the two papers


def augment(pixels: Tensor, size: int, settings: Augmentation, draws: Tensor) -> Tensor:
    """Return random views of a batch.

    Args:
        pixels: (B, 3, L, L) uint8; L a little above `size`, so that a crop does not have to be enlarged.
        size: Side of the views.
        settings: Strength of each change.
        draws: (B, DRAWS) in 0..1, on the CPU.

    Returns:
        (B, 3, size, size) float32 in 0..255.
    """
    theta = affine(draws[:, :10], settings).to(pixels.device)
    grid = F.affine_grid(theta, [len(pixels), 3, size, size], align_corners=False)
    views = F.grid_sample(pixels.float(), grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return change_colour(views, draws[:, 10:].to(pixels.device), settings)


def affine(draws: Tensor, settings: Augmentation) -> Tensor:
    """Return (B, 2, 3) matrices from view to image coordinates (-1..1), of draws (B, 10) in 0..1."""
    flip_x, flip_y, turn, turn_by, rotation, crop, area, ratio, *_ = draws.unbind(1)
    signs = 1 - 2 * torch.stack([flip_x < settings.flip, flip_y < settings.flip], 1).float()
    quarters = torch.where(turn < settings.quarter_turn, (turn_by * 3).floor().clamp(max=2) + 1, torch.zeros_like(turn))
    angle = quarters * (math.pi / 2) + (2 * rotation - 1) * math.radians(settings.rotation)
    scale = settings.crop_scale_min + area * (settings.crop_scale_max - settings.crop_scale_min)
    stretch = torch.exp((2 * ratio - 1) * math.log(settings.crop_ratio))
    sides = torch.stack([(scale * stretch).sqrt(), (scale / stretch).sqrt()], 1).clamp(max=1)  # (B, 2) relative sides
    sides = torch.where((crop < settings.crop_chance)[:, None], sides, torch.ones_like(sides))
    position = 2 * draws[:, 8:10] - 1  # from one edge to the other
    cos, sin = angle.cos(), angle.sin()
    turned = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)  # (B, 2, 2)
    matrix = sides[:, :, None] * turned * signs[:, None, :]
    return torch.cat([matrix, (position * (1 - sides))[:, :, None]], 2)


def change_colour(views: Tensor, draws: Tensor, settings: Augmentation) -> Tensor:
    """Shift each channel, and change brightness and contrast, of (B, 3, S, S) in 0..255 by draws (B, 7) in 0..1."""
    shift = settings.shift_low + draws[:, 0:3] * (settings.shift_high - settings.shift_low)
    shift = torch.where(draws[:, 3:4] < settings.colour_chance, shift, torch.zeros_like(shift))
    changed = draws[:, 4:5] < settings.colour_chance
    brightness = torch.where(changed, 1 + (2 * draws[:, 5:6] - 1) * settings.brightness, torch.ones_like(shift[:, :1]))
    contrast = torch.where(changed, 1 + (2 * draws[:, 6:7] - 1) * settings.contrast, torch.ones_like(shift[:, :1]))
    mean = views.mean((1, 2, 3), keepdim=True)
    views = (views - mean) * contrast[:, :, None, None] + mean * brightness[:, :, None, None]
    return (views + shift[:, :, None, None]).clamp(0, 255)


@dataclass(frozen=True)
class Mixing:
    """Image pairs mixed in a batch of B cases, of all processes or of one.

    Attributes:
        partner: (B,) row of the other image, within the process's part; a row's own number leaves it as it is.
        share: (B,) weight of the row's own image, 0 to 1; 1 if it is not mixed.
        box: (B, 4) top, left, bottom, right of the partner's rectangle as fractions of the side; all 0 for a blend.
    """

    partner: Tensor
    share: Tensor
    box: Tensor

    @property
    def whole(self) -> Tensor:
        """(B,) mask of the rows that show a single case."""
        return self.share == 1

    def part(self, process: int, count: int) -> Mixing:
        """Return the rows of one process out of `count`, with partners counted from its first row."""
        size = len(self.share) // count
        rows = slice(process * size, (process + 1) * size)
        return Mixing(self.partner[rows] - process * size, self.share[rows], self.box[rows])

    def to(self, device: torch.device) -> Mixing:
        """Return the same on a device."""
        return Mixing(*(tensor.to(device, non_blocking=True) for tensor in (self.partner, self.share, self.box)))


def draw_mixing(count: int, per_process: int, chance: float, generator: torch.Generator) -> Mixing:
    """Draw the pairs to mix in a batch.

    Args:
        count: Cases of all processes.
        per_process: Cases of one; pairs are neighbours within it, and the last of an odd number has no partner.
        chance: Probability of each pair to be mixed.
        generator: Source of the random numbers.
    """
    random = np.random.default_rng(generator.initial_seed())
    row = np.arange(count)
    within = row % per_process
    partner = np.where((within ^ 1) < per_process, row - within + (within ^ 1), row)
    # One set of draws for each pair, so that both its images get the same.
    pairs_per_process = (per_process + 1) // 2
    pairs, pair = count // per_process * pairs_per_process, row // per_process * pairs_per_process + within // 2
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


def mix(images: Tensor, mixing: Mixing) -> Tensor:
    """Mix (B, 3, S, S) float images of any range; the rows of `mixing` are those of this batch."""
    other, side = images[mixing.partner], images.shape[-1]
    middles = (torch.arange(side, device=images.device) + 0.5) / side
    top, left, bottom, right = mixing.box[:, :, None].unbind(1)  # (B, 1) each
    rows, columns = (middles >= top) & (middles < bottom), (middles >= left) & (middles < right)  # (B, S)
    inside = (rows[:, :, None] & columns[:, None, :]).to(images.dtype)[:, None]  # (B, 1, S, S)
    cut = (mixing.box[:, 2] > 0).to(images.dtype)[:, None, None, None]
    blend = 1 - mixing.share.to(images.dtype)[:, None, None, None]
    return torch.lerp(images, other, cut * inside + (1 - cut) * blend)
