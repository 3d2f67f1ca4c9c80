"""Alignment, uniformity, and linear probe of embeddings against naive versions."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tests.random_answers import units
from train.metrics import alignment
from train.metrics.alignment import modality_gap, paired_cosine, uniformity
from train.metrics.probe import linear_probe, share_of_groups


def test_paired_cosine_and_random_pairs_agree_with_the_full_table(random):
    a, b = units(random, 9), units(random, 9)
    table = a.astype(float) @ b.T
    got = paired_cosine(a, b)
    np.testing.assert_allclose(got.paired, np.diag(table))
    assert got.random_pairs == pytest.approx(table[~np.eye(9, dtype=bool)].mean())
    assert np.isnan(paired_cosine(a[:1], b[:1]).random_pairs)


def test_the_modality_gap_is_the_distance_of_the_means(random):
    a, b = units(random, 9), units(random, 12)
    expected = sum((sum(a[:, i]) / 9 - sum(b[:, i]) / 12) ** 2 for i in range(6)) ** 0.5
    assert modality_gap(a, b) == pytest.approx(expected, rel=1e-5)
    assert modality_gap(a, a[::-1]) == pytest.approx(0, abs=1e-7)
    pole = np.tile(np.eye(6, dtype=np.float32)[:1], (4, 1))
    assert modality_gap(pole, -pole) == 2


def test_uniformity_agrees_with_every_pair(random, monkeypatch):
    a = units(random, 23)
    pairs = [np.exp(-2 * ((a[i] - a[j]) ** 2).sum()) for i in range(23) for j in range(i)]
    assert uniformity(a) == pytest.approx(np.log(np.mean(pairs)), rel=1e-5)
    monkeypatch.setattr(alignment, "BLOCK", 5)
    assert uniformity(a) == pytest.approx(np.log(np.mean(pairs)), rel=1e-5)
    assert uniformity(np.tile(a[:1], (8, 1))) == pytest.approx(0, abs=1e-6)  # a collapsed space
    assert uniformity(a) < uniformity(np.abs(a)) < 0  # a corner of the sphere is filled less evenly
    assert np.isnan(uniformity(a[:1]))


def test_uniformity_of_many_vectors_uses_a_sample(random, monkeypatch):
    a = units(random, 400)
    whole = uniformity(a)
    monkeypatch.setattr(alignment, "PAIRED_VECTORS", 300)
    assert uniformity(a) != whole and uniformity(a) == pytest.approx(whole, abs=0.05)


def test_shares_are_of_whole_groups_and_nested():
    groups = [f"p{i // 3}" for i in range(300)]
    masks = {share: share_of_groups(groups, share, seed=4) for share in (0.01, 0.1, 1.0)}
    assert {share: mask.sum() for share, mask in masks.items()} == {0.01: 3, 0.1: 30, 1.0: 300}
    for mask in masks.values():
        taken = {group for group, inside in zip(groups, mask, strict=True) if inside}
        assert mask.tolist() == [group in taken for group in groups]  # whole groups
    assert (masks[0.01] <= masks[0.1]).all()
    assert not np.array_equal(masks[0.1], share_of_groups(groups, 0.1, seed=5))
    assert share_of_groups(["a", "b"], 0.01).sum() == 1


def test_the_probe_is_logistic_regression_on_features_standardised_by_hand(random):
    x, labels = units(random, 90) * [1, 1, 1, 50, 1, 1] + 3, random.integers(0, 3, size=90)
    x[:, 0] += labels
    queries = units(random, 20) * [1, 1, 1, 50, 1, 1] + 3
    mean, scale = x.mean(axis=0), x.std(axis=0)
    expected = LogisticRegression(max_iter=2000).fit((x - mean) / scale, labels).predict_proba((queries - mean) / scale)
    np.testing.assert_allclose(linear_probe(x, labels, queries, 3), expected, atol=1e-4)


def test_an_absent_class_is_never_predicted_and_a_single_class_gives_none(random):
    x, labels = units(random, 40), np.repeat([0, 3], 20)
    got = linear_probe(x, labels, units(random, 7), 5)
    assert got.shape == (7, 5) and (got[:, [1, 2, 4]] == 0).all()
    np.testing.assert_allclose(got.sum(axis=1), 1)
    assert linear_probe(x[:20], labels[:20], x, 5) is None
    assert linear_probe(x, labels, x[:0], 5).shape == (0, 5)
