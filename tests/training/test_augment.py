"""Augmentation of images with known pixels, and mixing of image pairs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from train.training.augment import DRAWS, augment, draw_mixing, mix
from train.training.train_config import Augmentation

STILL = Augmentation(flip=0, quarter_turn=0, rotation=0, crop_chance=0, colour_chance=0)
GREY = torch.full((400, 3, 4, 4), 128, dtype=torch.uint8)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


IMAGES = torch.randint(0, 256, (64, 3, 16, 16), dtype=torch.uint8, generator=generator(5))


def views(settings: Augmentation, images: torch.Tensor = IMAGES, side: int = 16, seed: int = 0) -> torch.Tensor:
    return augment(images, side, settings, torch.rand(len(images), DRAWS, generator=generator(seed)))


def test_without_any_change_the_image_stays() -> None:
    torch.testing.assert_close(views(STILL), IMAGES.float(), atol=1e-3, rtol=0)


def test_a_view_depends_on_its_draws_alone_and_stays_in_range() -> None:
    wild = Augmentation(shift_low=-300, shift_high=300, brightness=0.9, contrast=0.9, rotation=45, colour_chance=1)
    seen = views(wild, side=12)
    assert torch.equal(seen, views(wild, side=12)) and not torch.equal(seen, views(wild, side=12, seed=1))
    assert seen.shape == (64, 3, 12, 12) and seen.min() >= 0 and seen.max() <= 255


def test_flips_and_quarter_turns_are_exact() -> None:
    moved, still = views(replace(STILL, flip=0.5, quarter_turn=0.75)), IMAGES.float()
    eight = [torch.rot90(side, k, (2, 3)) for side in (still, still.flip(3)) for k in range(4)]
    distances = torch.stack([(moved - each).abs().amax((1, 2, 3)) for each in eight])  # (8, B)
    assert (distances.min(0).values < 0.01).all() and len(distances.argmin(0).unique()) == 8


@pytest.mark.parametrize(("share", "shown"), [(1.0, 1.0), (0.25, 0.5)])
def test_a_crop_shows_its_fraction_of_the_area(share: float, shown: float) -> None:
    ramp = torch.arange(256, dtype=torch.uint8).expand(64, 3, 256, 256)
    seen = views(replace(STILL, crop_chance=1, crop_scale_min=share, crop_scale_max=share, crop_ratio=1.0), ramp, 64)
    spread = seen.amax((1, 2, 3)) - seen.amin((1, 2, 3))
    torch.testing.assert_close(spread, torch.full_like(spread, 255 * shown), atol=5, rtol=0)
    assert shown == 1.0 or seen.amin((1, 2, 3)).std() > 10  # at varying positions


def test_channels_are_shifted_within_bounds_and_by_chance() -> None:
    shifts = (views(replace(STILL, colour_chance=1, shift_low=-50, shift_high=10), GREY, 4) - 128)[:, :, 0, 0]
    assert shifts.min() >= -50 and shifts.max() <= 10 and abs(shifts.mean() + 20) < 2
    assert (shifts[:, 0] - shifts[:, 1]).abs().max() > 5
    half = views(replace(STILL, colour_chance=0.5, shift_low=-50, shift_high=-40), GREY, 4)
    assert 0.4 < (half < 127).all((1, 2, 3)).float().mean() < 0.6


def test_the_share_of_a_pair_is_what_its_images_show() -> None:
    mixing = draw_mixing(64, 64, 0.5, generator())
    assert torch.equal(mixing.partner[mixing.partner], torch.arange(64))
    assert torch.equal(mixing.share, mixing.share[mixing.partner])
    assert torch.equal(mixing.box, mixing.box[mixing.partner])
    assert 10 <= int((~mixing.whole).sum()) <= 54
    # Images of one grey each: the mean of the mixture is the weighted mean of the two greys.
    grey = torch.rand(64, generator=generator(1))
    mixed = mix(grey[:, None, None, None].expand(64, 3, 200, 200), mixing)
    expected = mixing.share * grey + (1 - mixing.share) * grey[mixing.partner]
    assert torch.allclose(mixed.mean((1, 2, 3)), expected, atol=0.02)  # a box is rounded to whole pixels
    assert torch.equal(mixed[mixing.whole][:, 0, 0, 0], grey[mixing.whole])


def test_cutmix_pastes_a_rectangle_and_mixup_blends() -> None:
    mixing = draw_mixing(64, 64, 1.0, generator(3))
    images = torch.rand(64, 3, 40, 40, generator=generator(4))
    mixed, cut, other = mix(images, mixing), mixing.box[:, 2] > 0, images[mixing.partner]
    assert 16 < int(cut.sum()) < 48
    own, pasted = (mixed == images).all(1)[cut], (mixed == other).all(1)[cut]
    assert (own | pasted).all()
    torch.testing.assert_close(own.float().mean((1, 2)), mixing.share[cut], atol=0.05, rtol=0)
    share = mixing.share[~cut, None, None, None]
    torch.testing.assert_close(mixed[~cut], share * images[~cut] + (1 - share) * other[~cut], atol=1e-6, rtol=0)


@pytest.mark.parametrize("per_process", [16, 8])
def test_processes_mix_what_one_would(per_process: int) -> None:
    whole, split = draw_mixing(32, 32, 0.7, generator(5)), draw_mixing(32, per_process, 0.7, generator(5))
    assert all(torch.equal(a, b) for a, b in zip(vars(whole).values(), vars(split).values(), strict=True))
    images = torch.rand(32, 3, 8, 8, generator=generator(6))
    parts = images.split(per_process)
    mixed = [mix(part, split.part(number, len(parts))) for number, part in enumerate(parts)]
    assert torch.equal(torch.cat(mixed), mix(images, whole))


def test_the_last_of_an_odd_number_has_no_partner() -> None:
    mixing = draw_mixing(10, 5, 1.0, generator(7))
    assert mixing.partner.tolist() == [1, 0, 3, 2, 4, 6, 5, 8, 7, 9]
    assert mixing.whole.nonzero().squeeze(1).tolist() == [4, 9]
