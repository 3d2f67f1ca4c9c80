"""The losses against plain loops in float64, at their edges, and their sum over cases with and without notes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dermnote.models.joint_model import ModelOutput
from train.training.augment import draw_mixing
from train.training.losses import class_aware_nt_xent, cosine, l1, loss_parts, nt_xent, total
from train.training.train_config import Losses, TextConfig, TrainConfig

CONFIG = TrainConfig(text_config=TextConfig(), text_layers="all", label_smoothing=0.1)
ALIGNMENT = ("l1", "cosine", "nt_xent")


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pairs(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    both = torch.randn(2, count, 6, generator=generator(0))
    return both[0], both[1]


def cosines(image: torch.Tensor, text: torch.Tensor) -> np.ndarray:
    both = np.concatenate([image.numpy(), text.numpy()]).astype(np.float64)
    both /= np.linalg.norm(both, axis=1, keepdims=True)
    return both @ both.T


def naive_nt_xent(image: torch.Tensor, text: torch.Tensor, temperature: float) -> float:
    similarity, n = cosines(image, text) / temperature, len(image)
    rows = []
    for i in range(2 * n):
        others = [math.exp(similarity[i, j]) for j in range(2 * n) if j != i]
        rows.append(-math.log(math.exp(similarity[i, (i + n) % (2 * n)]) / sum(others)))
    return float(np.mean(rows))


def naive_class_aware(image: torch.Tensor, text: torch.Tensor, labels: list[int], temperature: float) -> float:
    similarity, n = cosines(image, text) / temperature, len(image)
    doubled, rows = labels + labels, []
    for i in range(2 * n):
        positive = [math.inf, similarity[i, (i + n) % (2 * n)]]  # itself at infinity, and its pair
        negative = [similarity[i, j] for j in range(2 * n) if doubled[j] != doubled[i]]
        pulled = [-math.log(1 / (1 + math.exp(-s))) for s in positive]
        pushed = [-math.log(1 - 1 / (1 + math.exp(-s))) for s in negative]
        rows.append(sum(pulled) / len(pulled) + (sum(pushed) / len(pushed) if pushed else 0.0))
    return float(np.mean(rows))


@pytest.mark.parametrize("temperature", [0.07, 0.5, 1.0])
def test_contrastive_losses_are_their_formulas(temperature: float) -> None:
    image, text = pairs(7)
    assert nt_xent(image, text, temperature).item() == pytest.approx(naive_nt_xent(image, text, temperature), rel=1e-5)
    for labels in ([0, 0, 1, 2, 2, 2, 1], [0, 1, 2, 3, 4, 5, 6], [3] * 7):
        loss = class_aware_nt_xent(image, text, torch.tensor(labels), temperature)
        assert loss.item() == pytest.approx(naive_class_aware(image, text, labels, temperature), rel=1e-5)


def test_distances_are_their_formulas() -> None:
    image, text = pairs(5)
    assert l1(image, text).item() == pytest.approx(np.abs(image.numpy() - text.numpy()).mean(), rel=1e-6)
    diagonal = np.diagonal(cosines(image, text), offset=5)
    assert cosine(image, text).item() == pytest.approx(float((1 - diagonal).mean()), rel=1e-5)


EDGES = {
    "one class": (*pairs(4), torch.zeros(4, dtype=torch.long)),
    "one pair": (*pairs(1), torch.arange(1)),
    "identical": (torch.ones(4, 6), torch.ones(4, 6), torch.arange(4)),
    "zeros": (torch.zeros(4, 6), torch.zeros(4, 6), torch.arange(4)),
    "large": (1e6 * pairs(4)[0], -1e6 * pairs(4)[0], torch.arange(4)),
}


@pytest.mark.parametrize("case", EDGES)
def test_the_edges_are_finite_in_value_and_gradient(case: str) -> None:
    image, text, labels = EDGES[case]
    image = image.clone().requires_grad_()
    loss = nt_xent(image, text, 0.05) + class_aware_nt_xent(image, text, labels, 0.05) + l1(image, text)
    (loss + cosine(image, text)).backward()
    assert loss.isfinite() and image.grad is not None and image.grad.isfinite().all()


LABELS, ORDER = torch.tensor([0, 1, 0, 2, 1, 1]), torch.tensor([4, 2, 0, 5, 1, 3])
ALL_LOSSES = {
    "l1": lambda image, text, labels: l1(image, text),
    "cosine": lambda image, text, labels: cosine(image, text),
    "nt_xent": lambda image, text, labels: nt_xent(image, text),
    "class-aware": class_aware_nt_xent,
}


@pytest.mark.parametrize("name", ALL_LOSSES)
def test_order_and_modalities_can_be_exchanged(name: str) -> None:
    (image, text), loss = pairs(6), ALL_LOSSES[name]
    expected = loss(image, text, LABELS)
    torch.testing.assert_close(loss(image[ORDER], text[ORDER], LABELS[ORDER]), expected)
    torch.testing.assert_close(loss(text, image, LABELS), expected)


def output(count: int) -> tuple[ModelOutput, torch.Tensor]:
    image, text = pairs(count)
    head = torch.randn(6, 3, generator=generator(9))
    return ModelOutput(image, text, image @ head, text @ head), torch.arange(count) % 3


def rows_of(out: ModelOutput, rows: torch.Tensor) -> ModelOutput:
    return ModelOutput(*(None if each is None else each[rows] for each in vars(out).values()))


def test_the_total_is_the_weighted_sum_of_the_parts_with_a_weight() -> None:
    out, labels = output(5)
    parts = loss_parts(out, labels, None, CONFIG)
    assert set(parts) == {"ce_image", "ce_text", "l1", "cosine", "nt_xent"}
    expected = parts["ce_image"] + parts["ce_text"] + parts["l1"] + parts["cosine"] + 0.5 * parts["nt_xent"]
    torch.testing.assert_close(total(parts, CONFIG), expected)
    config = CONFIG.with_values(losses=Losses(nt_xent=0, l1=0))
    assert set(loss_parts(out, labels, None, config)) == {"ce_image", "ce_text", "cosine"}


def test_cases_without_a_note_only_count_for_image_classification() -> None:
    out, labels = output(6)
    with_note = torch.tensor([0, 2, 3, 5])
    parts = loss_parts(out, labels, with_note, CONFIG)
    alone = loss_parts(rows_of(out, with_note), labels[with_note], None, CONFIG)
    for name in ("ce_text", *ALIGNMENT):
        torch.testing.assert_close(parts[name], alone[name])
    expected = F.cross_entropy(out.image_logits, labels, label_smoothing=0.1)
    torch.testing.assert_close(parts["ce_image"], expected)
    none = loss_parts(out, labels, torch.tensor([], dtype=torch.long), CONFIG)
    torch.testing.assert_close(total(none, CONFIG), none["ce_image"])


def test_mixed_images_count_for_both_classes_and_are_not_aligned() -> None:
    out, labels = output(8)
    mixing = draw_mixing(8, 8, 0.5, generator(1))
    kept, share, own = mixing.whole, mixing.share[:, None], F.one_hot(labels, 3)
    assert 0 < int(kept.sum()) < 8
    parts, plain = (loss_parts(out, labels, None, CONFIG, each) for each in (mixing, None))
    smooth = 0.9 * (share * own + (1 - share) * own[mixing.partner]) + 0.1 / 3
    torch.testing.assert_close(parts["ce_image"], -(smooth * out.image_logits.log_softmax(1)).sum(1).mean())
    assert torch.equal(parts["ce_text"], plain["ce_text"])
    alone = loss_parts(rows_of(out, kept), labels[kept], None, CONFIG)
    for name in ALIGNMENT:
        assert torch.equal(parts[name], alone[name])
    all_mixed = loss_parts(out, labels, None, CONFIG, draw_mixing(8, 8, 1.0, generator(2)))
    assert [float(all_mixed[name]) for name in ALIGNMENT] == [0.0] * 3
