import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tests.random_answers import units
from train.metrics.probe import linear_probe, share_of_groups


@pytest.fixture
def random():
    return np.random.default_rng(7)


def test_shares_are_of_groups_and_lie_within_one_another():
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
    asked = units(random, 20) * [1, 1, 1, 50, 1, 1] + 3
    mean, scale = x.mean(axis=0), x.std(axis=0)
    expected = LogisticRegression(max_iter=2000).fit((x - mean) / scale, labels).predict_proba((asked - mean) / scale)
    np.testing.assert_allclose(linear_probe(x, labels, asked, 3), expected, atol=1e-4)


def test_an_absent_class_is_never_answered_and_one_class_alone_teaches_nothing(random):
    x, labels = units(random, 40), np.repeat([0, 3], 20)
    got = linear_probe(x, labels, units(random, 7), 5)
    assert got.shape == (7, 5) and (got[:, [1, 2, 4]] == 0).all()
    np.testing.assert_allclose(got.sum(axis=1), 1)
    assert linear_probe(x[:20], labels[:20], x, 5) is None
    assert linear_probe(x, labels, x[:0], 5).shape == (0, 5)


def test_vectors_that_hold_the_classes_are_read_and_noise_is_not(random):
    labels = np.arange(120) % 4
    x = np.eye(6)[labels] + 0.1 * random.normal(size=(120, 6))
    assert (linear_probe(x[:80], labels[:80], x[80:], 4).argmax(axis=1) == labels[80:]).mean() > 0.95
    noise = random.normal(size=(120, 6))
    assert (linear_probe(noise[:80], labels[:80], noise[80:], 4).argmax(axis=1) == labels[80:]).mean() < 0.5
