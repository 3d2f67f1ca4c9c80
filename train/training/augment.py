"""Random views of training pictures, on whatever device the batch is: one affine warp, then a tint.

Every number comes from the draws that are passed in, so the same draws give the same views on every device. Hue is
left alone: on skin, colour is evidence, and hue costs more time than all the rest.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .train_config import Augmentation

DRAWS = 17  # random numbers a picture takes


def augment(pixels: Tensor, size: int, settings: Augmentation, draws: Tensor) -> Tensor:
    """Random views of a batch.

    Args:
        pixels: (B, 3, L, L) bytes; L a little above `size`, so that a crop does not have to be enlarged.
        size: Side of the views.
        settings: How far to go.
        draws: (B, DRAWS) in 0..1, on the CPU; they alone decide.

    Returns:
        (B, 3, size, size) float32 in 0..255.
    """
    theta = affine(draws[:, :10], settings).to(pixels.device)
    grid = F.affine_grid(theta, [len(pixels), 3, size, size], align_corners=False)
    views = F.grid_sample(pixels.float(), grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return tint(views, draws[:, 10:].to(pixels.device), settings)


def affine(draws: Tensor, settings: Augmentation) -> Tensor:
    """From draws (B, 10) in 0..1 to matrices (B, 2, 3): places in the view to places in the picture, -1..1."""
    flip_x, flip_y, turn, turn_by, rotation, crop, area, ratio, *_ = draws.unbind(1)
    signs = torch.stack([_sign(flip_x < settings.flip), _sign(flip_y < settings.flip)], 1)
    quarters = torch.where(turn < settings.quarter_turn, (turn_by * 3).floor().clamp(max=2) + 1, torch.zeros_like(turn))
    angle = quarters * (math.pi / 2) + (2 * rotation - 1) * math.radians(settings.rotation)
    kept = settings.crop_scale_min + area * (settings.crop_scale_max - settings.crop_scale_min)
    stretch = torch.exp((2 * ratio - 1) * math.log(settings.crop_ratio))
    sides = torch.stack([(kept * stretch).sqrt(), (kept / stretch).sqrt()], 1).clamp(max=1)  # (B, 2) shares of the side
    sides = torch.where((crop < settings.crop_chance)[:, None], sides, torch.ones_like(sides))
    place = 2 * draws[:, 8:10] - 1  # from one edge to the other
    cos, sin = angle.cos(), angle.sin()
    turned = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)  # (B, 2, 2)
    matrix = sides[:, :, None] * turned * signs[:, None, :]
    return torch.cat([matrix, (place * (1 - sides))[:, :, None]], 2)


def tint(views: Tensor, draws: Tensor, settings: Augmentation) -> Tensor:
    """Shifts each channel, and changes brightness and contrast, of (B, 3, S, S) in 0..255 by draws (B, 7) in 0..1."""
    shift = settings.shift_low + draws[:, 0:3] * (settings.shift_high - settings.shift_low)
    shift = torch.where(draws[:, 3:4] < settings.colour_chance, shift, torch.zeros_like(shift))
    chosen = draws[:, 4:5] < settings.colour_chance
    brightness = torch.where(chosen, 1 + (2 * draws[:, 5:6] - 1) * settings.brightness, torch.ones_like(shift[:, :1]))
    contrast = torch.where(chosen, 1 + (2 * draws[:, 6:7] - 1) * settings.contrast, torch.ones_like(shift[:, :1]))
    middle = views.mean((1, 2, 3), keepdim=True)
    views = (views - middle) * contrast[:, :, None, None] + middle * brightness[:, :, None, None]
    return (views + shift[:, :, None, None]).clamp(0, 255)


def _sign(flipped: Tensor) -> Tensor:
    return 1 - 2 * flipped.float()
