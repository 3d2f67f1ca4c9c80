"""Views: what each setting does to a picture whose pixels are known."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from train.training.augment import DRAWS, augment
from train.training.train_config import Augmentation

STILL = Augmentation(flip=0, quarter_turn=0, rotation=0, crop_chance=0, colour_chance=0)


def pictures(count: int = 64, side: int = 16) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(5))


def draws(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, DRAWS, generator=torch.Generator().manual_seed(seed))


def views(settings: Augmentation, side: int = 16, seed: int = 0) -> torch.Tensor:
    return augment(pictures(), side, settings, draws(64, seed))


def test_without_any_change_the_picture_stays() -> None:
    torch.testing.assert_close(views(STILL), pictures().float(), atol=1e-3, rtol=0)


def test_a_view_depends_on_its_draws_alone() -> None:
    settings = Augmentation(rotation=20, brightness=0.2, contrast=0.2)
    assert torch.equal(views(settings), views(settings))
    assert not torch.equal(views(settings), views(settings, seed=1))
    assert views(settings, side=12).shape == (64, 3, 12, 12)


def test_mirrors_and_quarter_turns_are_exactly_those() -> None:
    moved, still = views(dataclasses.replace(STILL, flip=0.5, quarter_turn=0.75)), pictures().float()
    eight = [torch.rot90(side, k, (2, 3)) for side in (still, still.flip(3)) for k in range(4)]
    distances = torch.stack([(moved - each).abs().amax((1, 2, 3)) for each in eight])  # (8, B)
    assert (distances.min(0).values < 0.01).all()
    assert len(distances.argmin(0).unique()) == 8


@pytest.mark.parametrize(("share", "shown"), [(1.0, 1.0), (0.25, 0.5)])
def test_a_crop_shows_the_share_it_says(share: float, shown: float) -> None:
    ramp = torch.arange(256, dtype=torch.uint8).expand(64, 3, 256, 256)
    settings = dataclasses.replace(STILL, crop_chance=1, crop_scale_min=share, crop_scale_max=share, crop_ratio=1.0)
    seen = augment(ramp, 64, settings, draws(64))
    spread = seen.amax((1, 2, 3)) - seen.amin((1, 2, 3))
    torch.testing.assert_close(spread, torch.full_like(spread, 255 * shown), atol=5, rtol=0)
    assert shown == 1.0 or seen.amin((1, 2, 3)).std() > 10  # and it does not always stand in one place


def test_the_tint_shifts_each_channel_within_its_bounds() -> None:
    grey = torch.full((256, 3, 4, 4), 128, dtype=torch.uint8)
    settings = dataclasses.replace(STILL, colour_chance=1, shift_low=-50, shift_high=10)
    shifts = (augment(grey, 4, settings, draws(len(grey))) - 128)[:, :, 0, 0]
    assert shifts.min() >= -50
    assert shifts.max() <= 10
    assert abs(shifts.mean() + 20) < 2
    assert (shifts[:, 0] - shifts[:, 1]).abs().max() > 5


def test_half_of_the_chance_is_half_of_the_pictures() -> None:
    settings = dataclasses.replace(STILL, colour_chance=0.5, shift_low=-50, shift_high=-40)
    grey = torch.full((400, 3, 4, 4), 128, dtype=torch.uint8)
    touched = (augment(grey, 4, settings, draws(len(grey))) < 127).all((1, 2, 3)).float().mean()
    assert 0.4 < touched < 0.6


def test_values_stay_in_their_range() -> None:
    wild = Augmentation(shift_low=-300, shift_high=300, brightness=0.9, contrast=0.9, rotation=45, colour_chance=1)
    seen = views(wild)
    assert seen.min() >= 0
    assert seen.max() <= 255
