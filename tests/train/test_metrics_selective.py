import itertools

import numpy as np
import pytest

from train.metrics.selective import Aurc, risk_coverage


@pytest.fixture
def random():
    return np.random.default_rng(7)


def naive_aurc(wrong, scores):
    """Answers one case more each time, of one given order without ties."""
    order = np.argsort(-scores)
    return np.mean([wrong[order[:k]].mean() for k in range(1, len(wrong) + 1)])


def test_the_area_agrees_with_a_naive_loop(random):
    wrong, scores = random.random(80) < 0.3, random.normal(size=80)
    assert Aurc(wrong, scores)(np.ones(80)) == pytest.approx(naive_aurc(wrong, scores))
    weights = random.integers(0, 3, size=80)
    twice = np.repeat(
        np.arange(80), weights
    )  # a case drawn twice is two cases of equal score: the mean over both orders
    orders = [naive_aurc(wrong[twice], scores[twice] - 1e-9 * random.permutation(len(twice))) for _ in range(40)]
    assert Aurc(wrong, scores)(weights.astype(float)) == pytest.approx(np.mean(orders))  # twins are equally right
    assert np.isnan(Aurc(wrong, scores)(np.zeros(80)))


def test_ties_count_with_the_mean_over_all_orders():
    wrong, scores = np.array([0, 1, 1, 0, 0, 1], dtype=bool), np.array([3.0, 3, 2, 2, 2, 1])
    orders = [scores - 1e-6 * np.array(order) for order in itertools.permutations(range(6))]
    assert Aurc(wrong, scores)(np.ones(6)) == pytest.approx(np.mean([naive_aurc(wrong, each) for each in orders]))
    shares = np.arange(1, 7) / 6
    expected = np.mean([np.cumsum(wrong[np.argsort(-each)]) / np.arange(1, 7) for each in orders], axis=0)
    np.testing.assert_allclose(risk_coverage(wrong, scores, shares), expected)


def test_a_score_that_knows_nothing_gains_nothing_and_one_that_knows_all_gains_most(random):
    wrong = random.random(200) < 0.3
    assert Aurc(wrong, np.zeros(200))(np.ones(200)) == pytest.approx(wrong.mean())
    areas = [Aurc(wrong, scores)(np.ones(200)) for scores in (-wrong.astype(float), wrong.astype(float))]
    assert areas[0] < wrong.mean() / 4 < wrong.mean() < areas[1]
    risks = risk_coverage(wrong, -wrong.astype(float))
    assert risks[0] == 0 and risks[-1] == pytest.approx(wrong.mean()) and (np.diff(risks) >= 0).all()
