"""Classification metrics against scikit-learn and naive loops."""

import warnings

import numpy as np
import pytest
from sklearn import metrics as reference

from tests.random_answers import answers
from train.metrics.classification import classification_metrics, melanoma_vs_nevus_auroc, statistics

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
    assert got["classes_absent"] == ["never"] and np.isnan(got["recall"]["never"])


def test_melanoma_against_nevus_uses_only_these_two_classes(random):
    labels, p = answers(random)
    pair = labels >= 2
    share = p[pair, 2] / (p[pair, 2] + p[pair, 3])
    expected = reference.roc_auc_score(labels[pair] == 2, share)
    assert melanoma_vs_nevus_auroc(labels, p, NAMES) == pytest.approx(expected)
    for own in (("a", "b", "Melanoma", "nevus", "e"), ("a", "b", "melanoma", "Naevus", "e")):
        assert melanoma_vs_nevus_auroc(labels, p, own) == pytest.approx(expected)
    for unclear in (("a", "b", "c", "d", "e"), ("a", "b", "melanoma", "nevus", "blue nevus")):
        assert np.isnan(melanoma_vs_nevus_auroc(labels, p, unclear))


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


def naive_macro_auroc(labels, p):
    """Over the classes that occur, the mean chance that one of it scores above one of the rest."""
    each = []
    for c in sorted(set(labels)):
        pairs = [(a > b) + (a == b) / 2 for a in p[labels == c, c] for b in p[labels != c, c]]
        each.append(np.mean(pairs))
    return np.mean(each)


def naive_kappa(labels, predicted, cost):
    """One minus the cost of the errors over their expected cost by chance."""
    by_chance = np.mean([cost(a, b) for a in labels for b in predicted])
    return 1 - np.mean([cost(a, b) for a, b in zip(labels, predicted, strict=True)]) / by_chance


def test_classification_agrees_with_naive_loops(random):
    labels, p = answers(random, 60)
    predicted = p.argmax(axis=1)
    got = classification_metrics(labels, p, NAMES)
    assert got["kappa"] == pytest.approx(naive_kappa(labels, predicted, lambda a, b: a != b))
    assert got["kappa_linear"] == pytest.approx(naive_kappa(labels, predicted, lambda a, b: abs(a - b)))
    assert got["macro_auroc"] == pytest.approx(naive_macro_auroc(labels, p))
    recall = [np.mean(predicted[labels == c] == c) for c in range(4)]
    precision = [np.mean(labels[predicted == c] == c) if (predicted == c).any() else 0 for c in range(4)]
    assert list(got["recall"].values())[:4] == pytest.approx(recall)
    assert got["balanced_accuracy"] == pytest.approx(np.mean(recall))
    f1 = [2 * r * s / (r + s) if r + s else 0 for r, s in zip(recall, precision, strict=True)]
    assert got["macro_f1"] == pytest.approx(np.mean(f1))
