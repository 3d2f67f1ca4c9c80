"""The losses against plain loops in float64, at their edges, and their sum over cases with and without notes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dermnote.models.joint_model import ModelOutput
from train.training.losses import class_aware_nt_xent, cosine, l1, loss_parts, nt_xent, total
from train.training.train_config import Losses, TextConfig, TrainConfig

CONFIG = TrainConfig(text_config=TextConfig(), text_layers="all")


def pairs(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 6, generator=generator), torch.randn(count, 6, generator=generator)


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
def test_plain_nt_xent_is_the_softmax_formula(temperature: float) -> None:
    image, text = pairs(7)
    assert nt_xent(image, text, temperature).item() == pytest.approx(naive_nt_xent(image, text, temperature), rel=1e-5)


@pytest.mark.parametrize("labels", [[0, 0, 1, 2, 2, 2, 1], [0, 1, 2, 3, 4, 5, 6], [3] * 7])
@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_class_aware_nt_xent_is_its_formula(labels: list[int], temperature: float) -> None:
    image, text = pairs(7)
    loss = class_aware_nt_xent(image, text, torch.tensor(labels), temperature)
    assert loss.item() == pytest.approx(naive_class_aware(image, text, labels, temperature), rel=1e-5)


def test_distances_are_their_formulas() -> None:
    image, text = pairs(5)
    assert l1(image, text).item() == pytest.approx(np.abs(image.numpy() - text.numpy()).mean(), rel=1e-6)
    diagonal = np.diagonal(cosines(image, text), offset=5)
    assert cosine(image, text).item() == pytest.approx(float((1 - diagonal).mean()), rel=1e-5)


@pytest.mark.parametrize("case", ["one class", "one pair", "identical", "zeros", "large"])
def test_the_edges_are_finite_in_value_and_gradient(case: str) -> None:
    image, text = pairs(1 if case == "one pair" else 4)
    labels = torch.zeros(len(image), dtype=torch.long) if case == "one class" else torch.arange(len(image))
    if case == "identical":
        image, text = torch.ones(4, 6), torch.ones(4, 6)
    if case == "zeros":
        image, text = torch.zeros(4, 6), torch.zeros(4, 6)
    if case == "large":
        image, text = image * 1e6, -image * 1e6
    image.requires_grad_(True)
    loss = nt_xent(image, text, 0.05) + class_aware_nt_xent(image, text, labels, 0.05) + l1(image, text)
    (loss + cosine(image, text)).backward()
    assert loss.isfinite()
    assert image.grad is not None
    assert image.grad.isfinite().all()


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


def test_only_other_classes_repel() -> None:
    image, text = pairs(4)
    one_class = class_aware_nt_xent(image, text, torch.tensor([0, 0, 0, 0]))
    assert one_class < class_aware_nt_xent(image, text, torch.tensor([0, 1, 2, 3]))


def output(count: int) -> tuple[ModelOutput, torch.Tensor]:
    image, text = pairs(count)
    head = torch.randn(6, 3, generator=torch.Generator().manual_seed(9))
    return ModelOutput(image, text, image @ head, text @ head), torch.arange(count) % 3


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
    assert out.image_embedding is not None
    assert out.text_embedding is not None
    torch.testing.assert_close(parts["l1"], l1(out.image_embedding[with_note], out.text_embedding[with_note]))
    torch.testing.assert_close(parts["ce_image"], torch.nn.functional.cross_entropy(out.image_logits, labels))
    none = loss_parts(out, labels, torch.tensor([], dtype=torch.long), CONFIG)
    torch.testing.assert_close(total(none, CONFIG), none["ce_image"])
