"""Augmentation of images with known pixels, and mixing of image pairs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dermnote.models.joint_model import ModelOutput
from train.training.augment import DRAWS, augment, draw_mixing, mix
from train.training.losses import loss_parts
from train.training.train_config import Augmentation, TextConfig, TrainConfig

STILL = Augmentation(flip=0, quarter_turn=0, rotation=0, crop_chance=0, colour_chance=0)


def images(count: int = 64, side: int = 16) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(5))


def draws(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, DRAWS, generator=torch.Generator().manual_seed(seed))


def views(settings: Augmentation, side: int = 16, seed: int = 0) -> torch.Tensor:
    return augment(images(), side, settings, draws(64, seed))


def test_without_any_change_the_image_stays() -> None:
    torch.testing.assert_close(views(STILL), images().float(), atol=1e-3, rtol=0)


def test_a_view_depends_on_its_draws_alone() -> None:
    settings = Augmentation(rotation=20, brightness=0.2, contrast=0.2)
    assert torch.equal(views(settings), views(settings))
    assert not torch.equal(views(settings), views(settings, seed=1))
    assert views(settings, side=12).shape == (64, 3, 12, 12)


def test_flips_and_quarter_turns_are_exact() -> None:
    moved, still = views(dataclasses.replace(STILL, flip=0.5, quarter_turn=0.75)), images().float()
    eight = [torch.rot90(side, k, (2, 3)) for side in (still, still.flip(3)) for k in range(4)]
    distances = torch.stack([(moved - each).abs().amax((1, 2, 3)) for each in eight])  # (8, B)
    assert (distances.min(0).values < 0.01).all()
    assert len(distances.argmin(0).unique()) == 8


@pytest.mark.parametrize(("share", "shown"), [(1.0, 1.0), (0.25, 0.5)])
def test_a_crop_shows_its_fraction_of_the_area(share: float, shown: float) -> None:
    ramp = torch.arange(256, dtype=torch.uint8).expand(64, 3, 256, 256)
    settings = dataclasses.replace(STILL, crop_chance=1, crop_scale_min=share, crop_scale_max=share, crop_ratio=1.0)
    seen = augment(ramp, 64, settings, draws(64))
    spread = seen.amax((1, 2, 3)) - seen.amin((1, 2, 3))
    torch.testing.assert_close(spread, torch.full_like(spread, 255 * shown), atol=5, rtol=0)
    assert shown == 1.0 or seen.amin((1, 2, 3)).std() > 10  # at varying positions


def test_channels_are_shifted_within_bounds() -> None:
    grey = torch.full((256, 3, 4, 4), 128, dtype=torch.uint8)
    settings = dataclasses.replace(STILL, colour_chance=1, shift_low=-50, shift_high=10)
    shifts = (augment(grey, 4, settings, draws(len(grey))) - 128)[:, :, 0, 0]
    assert shifts.min() >= -50
    assert shifts.max() <= 10
    assert abs(shifts.mean() + 20) < 2
    assert (shifts[:, 0] - shifts[:, 1]).abs().max() > 5


def test_a_chance_of_one_half_changes_half_of_the_images() -> None:
    settings = dataclasses.replace(STILL, colour_chance=0.5, shift_low=-50, shift_high=-40)
    grey = torch.full((400, 3, 4, 4), 128, dtype=torch.uint8)
    touched = (augment(grey, 4, settings, draws(len(grey))) < 127).all((1, 2, 3)).float().mean()
    assert 0.4 < touched < 0.6


def test_values_stay_in_their_range() -> None:
    wild = Augmentation(shift_low=-300, shift_high=300, brightness=0.9, contrast=0.9, rotation=45, colour_chance=1)
    seen = views(wild)
    assert seen.min() >= 0
    assert seen.max() <= 255


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_share_of_a_pair_is_what_its_images_show() -> None:
    mixing = draw_mixing(64, 64, 0.5, generator())
    assert torch.equal(mixing.partner[mixing.partner], torch.arange(64))
    assert torch.equal(mixing.share, mixing.share[mixing.partner]) and torch.equal(
        mixing.box, mixing.box[mixing.partner]
    )
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
    mixed, cut = mix(images, mixing), mixing.box[:, 2] > 0
    assert 16 < int(cut.sum()) < 48
    for row in cut.nonzero().squeeze(1).tolist():
        own, other = (mixed[row] == images[row]).all(0), (mixed[row] == images[mixing.partner[row]]).all(0)
        assert (own | other).all()
        assert float(own.float().mean()) == pytest.approx(float(mixing.share[row]), abs=0.05)
    for row in (~cut).nonzero().squeeze(1).tolist():
        expected = mixing.share[row] * images[row] + (1 - mixing.share[row]) * images[mixing.partner[row]]
        assert torch.allclose(mixed[row], expected, atol=1e-6)


@pytest.mark.parametrize("per_process", [16, 8])
def test_processes_mix_what_one_would(per_process: int) -> None:
    whole, split = draw_mixing(32, 32, 0.7, generator(5)), draw_mixing(32, per_process, 0.7, generator(5))
    assert all(torch.equal(a, b) for a, b in zip(vars(whole).values(), vars(split).values(), strict=True))
    images = torch.rand(32, 3, 8, 8, generator=generator(6))
    parts = images.split(per_process)
    parts_mixed = [mix(part, split.part(number, len(parts))) for number, part in enumerate(parts)]
    assert torch.equal(torch.cat(parts_mixed), mix(images, whole))


def test_the_last_of_an_odd_number_has_no_partner() -> None:
    mixing = draw_mixing(10, 5, 1.0, generator(7))
    assert mixing.partner.tolist() == [1, 0, 3, 2, 4, 6, 5, 8, 7, 9]
    assert mixing.whole.nonzero().squeeze(1).tolist() == [4, 9]


def test_losses_of_mixed_images_by_hand() -> None:
    rng = np.random.default_rng(0)
    image, text, logits, text_logits = (torch.from_numpy(rng.normal(size=(8, n))).float() for n in (5, 5, 3, 3))
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 0, 0])
    mixing = draw_mixing(8, 8, 0.5, generator(1))
    assert 0 < int(mixing.whole.sum()) < 8
    config = TrainConfig(text_config=TextConfig(), text_layers="all", label_smoothing=0.1)
    output = ModelOutput(image, text, logits, text_logits)
    parts = loss_parts(output, labels, None, config, mixing)
    target = (
        mixing.share[:, None] * F.one_hot(labels, 3)
        + (1 - mixing.share[:, None]) * F.one_hot(labels, 3)[mixing.partner]
    )
    smooth = 0.9 * target + 0.1 / 3
    assert torch.allclose(parts["ce_image"], -(smooth * logits.log_softmax(1)).sum(1).mean(), atol=1e-6)
    # The classification of notes is unchanged, and mixed images are not aligned.
    plain = loss_parts(output, labels, None, config)
    assert torch.equal(parts["ce_text"], plain["ce_text"])
    kept = mixing.whole
    alone = loss_parts(
        ModelOutput(image[kept], text[kept], logits[kept], text_logits[kept]), labels[kept], None, config
    )
    for name in ("l1", "cosine", "nt_xent"):
        assert torch.equal(parts[name], alone[name])


def test_mixed_images_are_not_aligned_with_notes() -> None:
    output = ModelOutput(*(torch.randn(4, n, generator=generator(n)).requires_grad_() for n in (5, 5, 3, 3)))
    config = TrainConfig(text_config=TextConfig(), text_layers="all")
    parts = loss_parts(output, torch.tensor([0, 1, 2, 0]), None, config, draw_mixing(4, 4, 1.0, generator(2)))
    assert {name: float(parts[name].detach()) for name in ("l1", "cosine", "nt_xent")} == dict.fromkeys(
        ("l1", "cosine", "nt_xent"), 0.0
    )
