import numpy as np
import pytest

from tests.random_answers import units
from train.metrics import alignment
from train.metrics.alignment import modality_gap, paired_cosine, uniformity


@pytest.fixture
def random():
    return np.random.default_rng(7)


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


def test_uniformity_of_many_is_told_by_a_sample(random, monkeypatch):
    a = units(random, 400)
    whole = uniformity(a)
    monkeypatch.setattr(alignment, "PAIRED_VECTORS", 300)
    assert uniformity(a) != whole and uniformity(a) == pytest.approx(whole, abs=0.05)
