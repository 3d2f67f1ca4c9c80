"""Classification, calibration and selective prediction against scikit-learn and naive loops."""

import itertools
import warnings

import numpy as np
import pytest
from sklearn import metrics as reference

from tests.random_answers import answers
from train.metrics import calibration
from train.metrics.classification import classification_metrics, melanoma_vs_nevus_auroc, statistics
from train.metrics.selective import Aurc, risk_coverage

NAMES = ("a", "b", "melanoma", "melanocytic nevus", "never")


@pytest.mark.parametrize("weighted", [False, True])
def test_classification_agrees_with_scikit_learn(random, weighted):
    labels, p = answers(random)
    w = random.integers(0, 4, size=len(labels)).astype(float) if weighted else np.ones(len(labels))
    got, predicted = classification_metrics(labels, p, NAMES, w), p.argmax(axis=1)
    same = {"labels": range(5), "sample_weight": w}
    assert got["kappa"] == pytest.approx(reference.cohen_kappa_score(labels, predicted, **same))
    assert got["kappa_linear"] == pytest.approx(
        reference.cohen_kappa_score(labels, predicted, weights="linear", **same)
    )
    assert got["accuracy"] == pytest.approx(reference.accuracy_score(labels, predicted, sample_weight=w))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns that class 4 is predicted and never true
        expected = reference.balanced_accuracy_score(labels, predicted, sample_weight=w)
    assert got["balanced_accuracy"] == pytest.approx(expected)
    f1 = reference.f1_score(labels, predicted, labels=range(4), average="macro", sample_weight=w)
    assert got["macro_f1"] == pytest.approx(f1)
    each = [reference.roc_auc_score(labels == c, p[:, c], sample_weight=w) for c in range(4)]
    assert got["macro_auroc"] == pytest.approx(np.mean(each))
    np.testing.assert_allclose(got["confusion"], reference.confusion_matrix(labels, predicted, **same))
    recall = reference.recall_score(labels, predicted, labels=range(4), average=None, sample_weight=w)
    assert list(got["recall"].values())[:4] == pytest.approx(recall)
    assert got["classes_absent"] == ["never"] and np.isnan(got["recall"]["never"])


def test_melanoma_against_nevus_uses_only_these_two_classes(random):
    labels, p = answers(random)
    pair = labels >= 2
    share = p[pair, 2] / (p[pair, 2] + p[pair, 3])
    expected = reference.roc_auc_score(labels[pair] == 2, share)
    assert melanoma_vs_nevus_auroc(labels, p, NAMES)(np.ones(200)) == pytest.approx(expected)
    for own in (("a", "b", "Melanoma", "nevus", "e"), ("a", "b", "melanoma", "Naevus", "e")):
        assert melanoma_vs_nevus_auroc(labels, p, own)(np.ones(200)) == pytest.approx(expected)
    for unclear in (("a", "b", "c", "d", "e"), ("a", "b", "melanoma", "nevus", "blue nevus")):
        assert np.isnan(melanoma_vs_nevus_auroc(labels, p, unclear)(np.ones(200)))


def test_one_class_alone_has_no_kappa_and_no_auroc():
    got = classification_metrics(np.zeros(3, int), np.eye(5)[[0, 0, 0]], NAMES)
    assert got["accuracy"] == got["balanced_accuracy"] == 1
    assert np.isnan(got["kappa"]) and np.isnan(got["macro_auroc"]) and np.isnan(got["melanoma_vs_nevus_auroc"])
    with pytest.raises(ValueError, match="n > 0"):
        classification_metrics(np.zeros(0, int), np.zeros((0, 5)), NAMES)


def test_the_statistics_of_intervals_equal_the_metrics(random):
    labels, p = answers(random)
    found = statistics(labels, p, NAMES)
    for w in (np.ones(200), random.integers(0, 4, size=200).astype(float)):
        metrics = classification_metrics(labels, p, NAMES, w)
        assert {name: each(w) for name, each in found.items()} == pytest.approx({name: metrics[name] for name in found})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert all(np.isnan(each(np.zeros(200))) for each in found.values())  # a resample may omit a group


def test_temperature_has_the_lowest_likelihood_and_keeps_the_order(random):
    labels = random.integers(0, 4, size=500)
    logits = 3.0 * (random.normal(size=(500, 4)) + 1.5 * np.eye(4)[labels])  # three times overconfident
    best = calibration.fit_temperature(logits, labels)
    losses = {t: calibration.negative_log_likelihood(logits, labels, t) for t in np.linspace(0.5, 6, 111)}
    assert best == pytest.approx(min(losses, key=losses.get), abs=0.05)
    error = [calibration.expected_calibration_error(calibration.softmax(logits, t), labels) for t in (1.0, best)]
    assert error[1] < error[0] / 2
    assert calibration.fit_temperature(np.eye(4)[labels] * 5.0, labels) == pytest.approx(calibration.LOWEST)


def test_brier_scores_agree_with_a_naive_loop_and_scikit_learn(random):
    labels, p = answers(random)
    p = p / p.sum(axis=1, keepdims=True)
    expected = [sum((p[i, c] - (labels[i] == c)) ** 2 for c in range(5)) for i in range(200)]
    got = calibration.brier_scores(p, labels)
    np.testing.assert_allclose(got, expected)
    assert got.mean() == pytest.approx(reference.brier_score_loss(labels, p, labels=range(5), scale_by_half=False))
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
    twice = np.repeat(np.arange(80), weights)  # a case drawn twice is two cases of equal score
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
