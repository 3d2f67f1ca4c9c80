import itertools
import warnings

import numpy as np
import pytest
from sklearn import metrics as reference

from train.metrics import calibration, retrieval
from train.metrics.alignment import paired_cosine
from train.metrics.classification import classification_metrics, melanoma_vs_nevus_auroc
from train.metrics.retrieval import mean_average_precision, recall_at

NAMES = ("a", "b", "melanoma", "melanocytic nevus", "never")


@pytest.fixture
def random():
    return np.random.default_rng(7)


def units(random, n, d=6, coarse=False):
    rows = random.integers(-1, 2, size=(n, d)) + 0.1 * np.eye(d)[0] if coarse else random.normal(size=(n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def predictions(random, n=200):
    labels = random.integers(0, 4, size=n)  # class 4 never occurs
    p = random.dirichlet(np.ones(5), size=n) + 0.7 * np.eye(5)[labels] * random.random((n, 1))
    return labels, np.round(p / p.sum(axis=1, keepdims=True), 2)  # rounding makes ties


@pytest.mark.parametrize("weighted", [False, True])
def test_classification_agrees_with_scikit_learn(random, weighted):
    labels, p = predictions(random)
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


def test_melanoma_against_nevus_looks_at_these_two_alone(random):
    labels, p = predictions(random)
    pair = labels >= 2
    share = p[pair, 2] / (p[pair, 2] + p[pair, 3])
    expected = reference.roc_auc_score(labels[pair] == 2, share)
    assert melanoma_vs_nevus_auroc(labels, p, NAMES) == pytest.approx(expected)
    assert np.isnan(melanoma_vs_nevus_auroc(labels, p, ("a", "b", "c", "d", "e")))


def test_one_class_alone_has_no_kappa_and_no_auroc():
    got = classification_metrics(np.zeros(3, int), np.eye(5)[[0, 0, 0]], NAMES)
    assert got["accuracy"] == got["balanced_accuracy"] == 1
    assert np.isnan(got["kappa"]) and np.isnan(got["macro_auroc"]) and np.isnan(got["melanoma_vs_nevus_auroc"])
    with pytest.raises(ValueError, match="n > 0"):
        classification_metrics(np.zeros(0, int), np.zeros((0, 5)), NAMES)


def naive_ap(scores, relevant):
    """Mean precision at the relevant ranks of one given order without ties."""
    hits = relevant[np.argsort(-scores)]
    ranks = np.flatnonzero(hits) + 1
    return np.mean(np.arange(1, len(ranks) + 1) / ranks) if len(ranks) else np.nan


def test_average_precision_agrees_with_a_naive_loop_and_scikit_learn(random):
    q, g = units(random, 40), units(random, 60)
    ql, gl = random.integers(0, 5, size=40), random.integers(0, 4, size=60)
    got = mean_average_precision(q, g, ql, gl)
    for i in range(40):
        expected = naive_ap(g @ q[i], gl == ql[i])
        assert got.average_precision[i] == pytest.approx(expected, nan_ok=True)
        if ql[i] < 4:
            assert expected == pytest.approx(reference.average_precision_score(gl == ql[i], g @ q[i]))
    assert np.isnan(got.average_precision).sum() == (ql == 4).sum() > 0


def test_blocks_do_not_change_the_answer(random, monkeypatch):
    q, g, labels = units(random, 30), units(random, 30), random.integers(0, 3, size=30)
    whole, near = mean_average_precision(q, g, labels, labels), recall_at(q, g, np.arange(len(q)))
    monkeypatch.setattr(retrieval, "BLOCK_SCORES", 100)
    np.testing.assert_allclose(mean_average_precision(q, g, labels, labels).average_precision, whole.average_precision)
    assert all(np.array_equal(recall_at(q, g, np.arange(len(q)))[k], near[k]) for k in near)


def test_ties_score_the_mean_over_all_orders(random):
    q = units(random, 3)
    g = np.repeat(units(random, 3), [3, 1, 2], axis=0)
    ql, gl = np.array([0, 1, 0]), np.array([0, 1, 0, 0, 1, 0])
    got = mean_average_precision(q, g, ql, gl).average_precision
    near = recall_at(q, g[[0, 3, 4]], np.arange(3), ks=(1, 2))
    assert all(set(np.unique(values)) <= {0.0, 1.0} for values in near.values())
    for i in range(3):
        scores = (g @ q[i])[[0, 0, 0, 3, 4, 4]].astype(float)
        orders = [naive_ap(scores - 1e-6 * np.array(order), gl == ql[i]) for order in itertools.permutations(range(6))]
        assert got[i] == pytest.approx(np.mean(orders))


def test_a_gallery_of_one_repeated_vector_scores_exactly_chance_in_any_row_order(random):
    q, labels = units(random, 50), np.sort(random.integers(0, 4, size=50))
    same = np.repeat(units(random, 1), 50, axis=0)
    for order in (np.arange(50), np.arange(50)[::-1], random.permutation(50)):
        got = mean_average_precision(q, same, labels, labels[order])
        assert got.average_precision.mean() == pytest.approx(got.chance, rel=1e-12)
    np.testing.assert_allclose(recall_at(q, same, np.arange(50))[5], 5 / 50)


def test_a_query_that_is_always_the_same_scores_exactly_chance_wherever_it_lies(random):
    """Near the most frequent class, one fixed order beats a random one; that must not pass for knowledge."""
    labels = np.repeat([0, 1, 2], [30, 8, 2])
    gallery = np.eye(3, dtype=np.float32)[labels]
    got = mean_average_precision(np.repeat(gallery[:1], 40, axis=0), gallery, labels, labels)
    assert got.average_precision.mean() == pytest.approx(got.chance, rel=1e-12)
    assert got.chance > 0.75 > sum(share**2 for share in (0.75, 0.2, 0.05))


def test_chance_is_the_mean_over_shuffled_classes(random):
    q, g, labels = units(random, 12), units(random, 15), random.integers(0, 3, size=12)
    shown = random.integers(0, 3, size=15)
    got = mean_average_precision(q, g, labels, shown)
    shuffled = [
        np.mean([naive_ap(g @ q[i], shown == label) for i, label in enumerate(random.permutation(labels))])
        for _ in range(4000)
    ]
    assert got.chance == pytest.approx(np.mean(shuffled), abs=0.005)
    some = np.arange(12) < 7
    assert got.take(some).chance == mean_average_precision(q[:7], g, labels[:7], shown).chance


def test_chance_leaves_out_what_cannot_be_found(random):
    labels = np.array([0, 0, 1, 5])
    got = mean_average_precision(units(random, 4), units(random, 6), labels, np.array([0, 0, 0, 1, 1, 1]))
    assert np.isnan(got.average_precision).tolist() == [False, False, False, True]
    assert 0 < got.chance < 1


def test_a_perfect_search_scores_one_and_an_inverted_one_near_nothing():
    vectors, labels = np.eye(4, dtype=np.float32)[[0, 0, 1, 1]], np.array([0, 0, 1, 1])
    assert mean_average_precision(vectors, vectors, labels, labels).average_precision.tolist() == [1.0] * 4
    worst = mean_average_precision(vectors, vectors, labels, labels[::-1]).average_precision
    np.testing.assert_allclose(worst, (1 / 3 + 2 / 4) / 2)


def test_recall_agrees_with_a_naive_rank(random):
    q, g = units(random, 40), units(random, 40)
    rank = np.array([np.flatnonzero(np.argsort(-(g @ q[i])) == i)[0] for i in range(40)])
    for k, values in recall_at(q, g[::-1], np.arange(40)[::-1], ks=(1, 5, 10)).items():
        np.testing.assert_array_equal(values, rank < k)


def test_values_that_are_not_finite_are_refused(random):
    q, labels = units(random, 4), np.zeros(4, int)
    bad = q.copy()
    bad[1, 1] = np.nan
    for pair in ((bad, q), (q, bad)):
        with pytest.raises(ValueError, match="finite"):
            mean_average_precision(*pair, labels, labels)


def test_paired_cosine_and_random_pairs_agree_with_the_full_table(random):
    a, b = units(random, 9), units(random, 9)
    table = a.astype(float) @ b.T
    got = paired_cosine(a, b)
    np.testing.assert_allclose(got.paired, np.diag(table))
    assert got.random_pairs == pytest.approx(table[~np.eye(9, dtype=bool)].mean())
    assert np.isnan(paired_cosine(a[:1], b[:1]).random_pairs)


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
    labels, p = predictions(random)
    sure, right = p.max(axis=1), p.argmax(axis=1) == labels
    expected = sum(
        len(inside) / len(labels) * abs(sure[inside].mean() - right[inside].mean())
        for b in range(15)
        if len(inside := np.flatnonzero((sure >= b / 15) & ((sure < (b + 1) / 15) | (b == 14))))
    )
    assert calibration.expected_calibration_error(p, labels) == pytest.approx(expected)
