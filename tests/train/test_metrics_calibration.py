import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from tests.random_answers import answers
from train.metrics import calibration


@pytest.fixture
def random():
    return np.random.default_rng(7)


def test_temperature_has_the_lowest_likelihood_and_keeps_the_order(random):
    labels = random.integers(0, 4, size=500)
    logits = 3.0 * (random.normal(size=(500, 4)) + 1.5 * np.eye(4)[labels])  # three times too sure
    best = calibration.fit_temperature(logits, labels)
    losses = {t: calibration.negative_log_likelihood(logits, labels, t) for t in np.linspace(0.5, 6, 111)}
    assert best == pytest.approx(min(losses, key=losses.get), abs=0.05)
    error = [calibration.expected_calibration_error(calibration.softmax(logits, t), labels) for t in (1.0, best)]
    assert error[1] < error[0] / 2
    assert calibration.fit_temperature(np.eye(4)[labels] * 5.0, labels) == pytest.approx(calibration.SHARPEST)


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


def test_reliability_gathers_every_case_once_and_adds_up_to_the_calibration_error(random):
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
