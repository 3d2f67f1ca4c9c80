"""Calibration and selective prediction against naive versions and scikit-learn."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from tests.random_answers import answers
from train.metrics import calibration
from train.metrics.selective import Aurc, risk_coverage


def test_temperature_has_the_lowest_likelihood_and_keeps_the_order(random):
    labels = random.integers(0, 4, size=500)
    logits = 3.0 * (random.normal(size=(500, 4)) + 1.5 * np.eye(4)[labels])  # three times overconfident
    best = calibration.fit_temperature(logits, labels)
    losses = {t: calibration.negative_log_likelihood(logits, labels, t) for t in np.linspace(0.5, 6, 111)}
    assert best == pytest.approx(min(losses, key=losses.get), abs=0.05)
    error = [calibration.expected_calibration_error(calibration.softmax(logits, t), labels) for t in (1.0, best)]
    assert error[1] < error[0] / 2
    assert calibration.fit_temperature(np.eye(4)[labels] * 5.0, labels) == pytest.approx(calibration.LOWEST)


def test_calibration_error_agrees_with_a_naive_loop(random):
    labels, p = answers(random)
    sure, right = p.max(axis=1), p.argmax(axis=1) == labels
    expected = sum(
        len(inside) / len(labels) * abs(sure[inside].mean() - right[inside].mean())
        for b in range(15)
        if len(inside := np.flatnonzero((sure >= b / 15) & ((sure < (b + 1) / 15) | (b == 14))))
    )
    assert calibration.expected_calibration_error(p, labels) == pytest.approx(expected)


def test_brier_scores_agree_with_a_naive_loop_and_scikit_learn(random):
    labels, p = answers(random)
    p = p / p.sum(axis=1, keepdims=True)
    expected = [sum((p[i, c] - (labels[i] == c)) ** 2 for c in range(5)) for i in range(200)]
    got = calibration.brier_scores(p, labels)
    np.testing.assert_allclose(got, expected)
    assert got.mean() == pytest.approx(brier_score_loss(labels, p, labels=range(5), scale_by_half=False))
    assert calibration.brier_scores(np.eye(3), np.arange(3)).tolist() == [0, 0, 0]
    assert calibration.brier_scores(np.eye(3), np.array([1, 2, 0])).tolist() == [2, 2, 2]


def test_reliability_counts_every_case_once_and_sums_to_the_calibration_error(random):
    labels, p = answers(random)
    got = calibration.reliability(p, labels, bins=10)
    sure, right = p.max(axis=1), p.argmax(axis=1) == labels
    for step in got:
        last = step["high"] == 1
        inside = (sure >= step["low"]) & ((sure < step["high"]) | last)
        assert step["n_cases"] == inside.sum()
        expected = [sure[inside].mean(), right[inside].mean()] if inside.any() else [np.nan, np.nan]
        assert [step["confidence"], step["accuracy"]] == pytest.approx(expected, nan_ok=True)
    assert any(step["n_cases"] == 0 for step in got)
    error = sum(s["n_cases"] / 200 * abs(s["confidence"] - s["accuracy"]) for s in got if s["n_cases"])
    assert error == pytest.approx(calibration.expected_calibration_error(p, labels, bins=10))


def naive_aurc(wrong, scores):
    """Keep one more case at a time, in one order without ties."""
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


def test_an_uninformative_score_gains_nothing_and_a_perfect_one_most(random):
    wrong = random.random(200) < 0.3
    assert Aurc(wrong, np.zeros(200))(np.ones(200)) == pytest.approx(wrong.mean())
    areas = [Aurc(wrong, scores)(np.ones(200)) for scores in (-wrong.astype(float), wrong.astype(float))]
    assert areas[0] < wrong.mean() / 4 < wrong.mean() < areas[1]
    risks = risk_coverage(wrong, -wrong.astype(float))
    assert risks[0] == 0 and risks[-1] == pytest.approx(wrong.mean()) and (np.diff(risks) >= 0).all()
