import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dermnote.models.joint_model import ModelOutput
from train.training.losses import loss_parts
from train.training.mixup import draw_mixing, mix
from train.training.train_config import TextConfig, TrainConfig


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_pairs_share_what_they_draw_and_show_what_they_say():
    mixing = draw_mixing(64, 64, 0.5, chance())
    assert torch.equal(mixing.partner[mixing.partner], torch.arange(64))
    assert torch.equal(mixing.share, mixing.share[mixing.partner]) and torch.equal(
        mixing.box, mixing.box[mixing.partner]
    )
    assert 10 <= int((~mixing.whole).sum()) <= 54
    # A picture of one grey each: the mean of the mixture is the share-weighted mean of the two greys.
    grey = torch.rand(64, generator=chance(1))
    shown = mix(grey[:, None, None, None].expand(64, 3, 200, 200), mixing)
    said = mixing.share * grey + (1 - mixing.share) * grey[mixing.partner]
    assert torch.allclose(shown.mean((1, 2, 3)), said, atol=0.02)  # a box is rounded to whole pixels
    assert torch.equal(shown[mixing.whole][:, 0, 0, 0], grey[mixing.whole])


def test_a_rectangle_is_the_partners_and_the_rest_ones_own():
    mixing = draw_mixing(64, 64, 1.0, chance(3))
    pictures = torch.rand(64, 3, 40, 40, generator=chance(4))
    shown, cut = mix(pictures, mixing), mixing.box[:, 2] > 0
    assert 16 < int(cut.sum()) < 48
    for row in cut.nonzero().squeeze(1).tolist():
        own, other = (shown[row] == pictures[row]).all(0), (shown[row] == pictures[mixing.partner[row]]).all(0)
        assert (own | other).all()
        assert float(own.float().mean()) == pytest.approx(float(mixing.share[row]), abs=0.05)
    for row in (~cut).nonzero().squeeze(1).tolist():
        expected = mixing.share[row] * pictures[row] + (1 - mixing.share[row]) * pictures[mixing.partner[row]]
        assert torch.allclose(shown[row], expected, atol=1e-6)


@pytest.mark.parametrize("per_process", [16, 8])
def test_processes_mix_what_one_would(per_process):
    whole, split = draw_mixing(32, 32, 0.7, chance(5)), draw_mixing(32, per_process, 0.7, chance(5))
    assert all(torch.equal(a, b) for a, b in zip(vars(whole).values(), vars(split).values(), strict=True))
    pictures = torch.rand(32, 3, 8, 8, generator=chance(6))
    parts = pictures.split(per_process)
    mixed = [mix(part, split.part(number, len(parts))) for number, part in enumerate(parts)]
    assert torch.equal(torch.cat(mixed), mix(pictures, whole))


def test_the_last_of_an_odd_number_stays_alone():
    mixing = draw_mixing(10, 5, 1.0, chance(7))
    assert mixing.partner.tolist() == [1, 0, 3, 2, 4, 6, 5, 8, 7, 9]
    assert mixing.whole.nonzero().squeeze(1).tolist() == [4, 9]


def test_losses_by_hand():
    rng = np.random.default_rng(0)
    image, text, logits, told = (torch.from_numpy(rng.normal(size=(8, n))).float() for n in (5, 5, 3, 3))
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 0, 0])
    mixing = draw_mixing(8, 8, 0.5, chance(1))
    assert 0 < int(mixing.whole.sum()) < 8
    config = TrainConfig(text_config=TextConfig(), text_layers="all", label_smoothing=0.1)
    output = ModelOutput(image, text, logits, told)
    parts = loss_parts(output, labels, None, config, mixing)
    wanted = (
        mixing.share[:, None] * F.one_hot(labels, 3)
        + (1 - mixing.share[:, None]) * F.one_hot(labels, 3)[mixing.partner]
    )
    smooth = 0.9 * wanted + 0.1 / 3
    assert torch.allclose(parts["ce_image"], -(smooth * logits.log_softmax(1)).sum(1).mean(), atol=1e-6)
    # Notes are told as ever; but a mixed picture is drawn to no note.
    plain = loss_parts(output, labels, None, config)
    assert torch.equal(parts["ce_text"], plain["ce_text"])
    kept = mixing.whole
    alone = loss_parts(ModelOutput(image[kept], text[kept], logits[kept], told[kept]), labels[kept], None, config)
    for name in ("l1", "cosine", "nt_xent"):
        assert torch.equal(parts[name], alone[name])


def test_with_every_picture_mixed_nothing_is_aligned():
    output = ModelOutput(*(torch.randn(4, n, generator=chance(n)).requires_grad_() for n in (5, 5, 3, 3)))
    config = TrainConfig(text_config=TextConfig(), text_layers="all")
    parts = loss_parts(output, torch.tensor([0, 1, 2, 0]), None, config, draw_mixing(4, 4, 1.0, chance(2)))
    assert {name: float(parts[name].detach()) for name in ("l1", "cosine", "nt_xent")} == dict.fromkeys(
        ("l1", "cosine", "nt_xent"), 0.0
    )
