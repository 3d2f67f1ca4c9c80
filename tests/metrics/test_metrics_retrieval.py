"""Retrieval metrics against naive loops, scikit-learn, and all orders of tied items."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from tests.random_answers import units
from train.metrics import ranking, retrieval
from train.metrics.retrieval import mean_average_precision


def naive_ap(scores, relevant):
    """Mean precision at the relevant ranks of one given order without ties."""
    hits = relevant[np.argsort(-scores)]
    ranks = np.flatnonzero(hits) + 1
    return np.mean(np.arange(1, len(ranks) + 1) / ranks) if len(ranks) else np.nan


def naive_rank(scores, own):
    """1 for the first, of one given order without ties."""
    return int(np.flatnonzero(np.argsort(-scores) == own)[0]) + 1


def naive_precision(scores, relevant, k):
    return relevant[np.argsort(-scores)][:k].sum() / k


@pytest.mark.parametrize("classes", [1, 4, 9, 40])
def test_rankings_agree_with_naive_loops_and_scikit_learn(random, classes):
    q, g = units(random, 40), units(random, 60)
    ql, gl = random.integers(0, classes + 1, size=40), random.integers(0, classes, size=60)
    partners = random.permutation(60)[:40]
    got = mean_average_precision(q, g, ql, gl, partners)
    for i in range(40):
        scores, relevant = g @ q[i], gl == ql[i]
        expected = naive_ap(scores, relevant)
        assert got.average_precision[i] == pytest.approx(expected, nan_ok=True)
        assert got.rank_of_own[i] == naive_rank(scores, partners[i])
        for label in set(gl):
            assert got.by_class[i, label] == pytest.approx(naive_ap(scores, gl == label))
        if relevant.any():
            assert expected == pytest.approx(average_precision_score(relevant, scores))
            assert [got.precision[k][i] for k in (5, 10)] == [naive_precision(scores, relevant, k) for k in (5, 10)]
    unknown = ~np.isin(ql, gl)
    assert np.isnan(got.average_precision).tolist() == np.isnan(got.precision[5]).tolist() == unknown.tolist()
    assert unknown.any() and np.isfinite(got.chance)


def test_blocks_and_processes_do_not_change_the_answer(random, monkeypatch):
    q, g, labels = units(random, 30), units(random, 30), 2500 * random.integers(0, 3, size=30)
    q[3] = q[7] = q[9]
    whole = mean_average_precision(q, g, labels, labels, np.arange(30))
    assert whole.by_class.nbytes > 2**20  # arrays of this size reach other processes read-only
    monkeypatch.setattr(ranking, "BLOCK_SCORES", 200)
    blocks = mean_average_precision(q, g, labels, labels, np.arange(30))
    monkeypatch.setattr(retrieval, "ALONE", 0)
    monkeypatch.setattr(retrieval, "available_cores", lambda: 3)
    parts = mean_average_precision(q, g, labels, labels, np.arange(30))
    for other in (blocks, parts):
        np.testing.assert_allclose(other.average_precision, whole.average_precision)
        np.testing.assert_allclose(other.by_class, whole.by_class)
        np.testing.assert_allclose(other.precision[5], whole.precision[5])
        np.testing.assert_array_equal(other.rank_of_own, whole.rank_of_own)
    assert len(set(whole.rank_of_own[[3, 7, 9]])) == 3  # one query, three partners


def test_ties_score_the_mean_over_all_orders(random):
    q = units(random, 3)
    g = np.repeat(units(random, 3), [3, 1, 2], axis=0)
    ql, gl, partners = np.array([0, 1, 0]), np.array([0, 1, 0, 0, 1, 0]), np.array([1, 3, 5])
    got = mean_average_precision(q, g, ql, gl, partners, ks=(1, 2, 4, 6))
    for i in range(3):
        scores = (g @ q[i])[[0, 0, 0, 3, 4, 4]].astype(float)
        orders = [scores - 1e-6 * np.array(order) for order in itertools.permutations(range(6))]
        relevant = gl == ql[i]
        assert got.average_precision[i] == pytest.approx(np.mean([naive_ap(each, relevant) for each in orders]))
        ranks = np.array([naive_rank(each, partners[i]) for each in orders])
        assert got.rank_of_own[i] == pytest.approx(ranks.mean())
        for k in (1, 2, 4, 6):
            assert got.recall_of_own(k)[i] == pytest.approx((ranks <= k).mean())
            expected = np.mean([naive_precision(each, relevant, k) for each in orders])
            assert got.precision[k][i] == pytest.approx(expected)


def test_different_vectors_with_equal_scores_are_tied(random):
    """A query orthogonal to everything must not depend on the order in which classes are numbered."""
    labels = np.sort(random.integers(0, 4, size=50))
    gallery = np.hstack([np.zeros((50, 1), np.float32), units(random, 50)])
    query = np.eye(7, dtype=np.float32)[:1]
    got = mean_average_precision(np.repeat(query, 50, axis=0), gallery, labels, labels, np.arange(50))
    assert got.average_precision.mean() == pytest.approx(got.chance, rel=1e-12)
    np.testing.assert_allclose(got.rank_of_own, 25.5)
    np.testing.assert_allclose(got.precision[10], np.bincount(labels)[labels] / 50)


def test_uninformative_vectors_score_exactly_chance_in_any_row_order(random):
    q, labels = units(random, 50), np.sort(random.integers(0, 4, size=50))
    same = np.repeat(units(random, 1), 50, axis=0)
    for order in (np.arange(50), np.arange(50)[::-1], random.permutation(50)):
        got = mean_average_precision(q, same, labels, labels[order], np.arange(50))
        assert got.average_precision.mean() == pytest.approx(got.chance, rel=1e-12)
        np.testing.assert_allclose(got.recall_of_own(5), 5 / 50)
    labels = np.repeat([0, 1, 2], [30, 8, 2])  # near the most frequent class, one fixed order beats a random one
    gallery = np.eye(3, dtype=np.float32)[labels]
    got = mean_average_precision(np.repeat(gallery[:1], 40, axis=0), gallery, labels, labels)
    assert got.average_precision.mean() == pytest.approx(got.chance, rel=1e-12)
    assert got.chance > 0.75


def test_chance_is_the_mean_over_shuffled_classes(random):
    q, g, labels = units(random, 12), units(random, 15), random.integers(0, 3, size=12)
    shown = random.integers(0, 3, size=15)
    got = mean_average_precision(q, g, labels, shown)
    shuffled = [
        np.mean([naive_ap(g @ q[i], shown == label) for i, label in enumerate(random.permutation(labels))])
        for _ in range(1500)
    ]
    assert got.chance == pytest.approx(np.mean(shuffled), abs=0.008)
    some = np.arange(12) < 7
    assert got.take(some).chance == pytest.approx(mean_average_precision(q[:7], g, labels[:7], shown).chance)


def test_chance_of_many_queries_uses_a_sample(random, monkeypatch):
    q, g, labels = units(random, 60), units(random, 50), random.integers(0, 3, size=60)
    shown = random.integers(0, 3, size=50)
    whole = mean_average_precision(q, g, labels, shown)
    monkeypatch.setattr(retrieval, "EXACT_CHANCE", 59)
    monkeypatch.setattr(retrieval, "CHANCE_SAMPLE", 20)
    part = mean_average_precision(q, g, labels, shown)
    drawn = np.isfinite(part.by_class).all(axis=1)
    assert drawn.sum() == 20
    np.testing.assert_allclose(part.average_precision, whole.average_precision)
    np.testing.assert_allclose(part.by_class[drawn], whole.by_class[drawn])
    shares = np.bincount(labels) / 60  # of all queries, the sample is of their rankings
    assert part.chance == pytest.approx((whole.by_class[drawn] @ shares).mean())


def test_the_exact_pair_as_relevance_is_the_reciprocal_of_its_rank(random):
    q, g, own = units(random, 30), units(random, 30), np.arange(30)
    got = mean_average_precision(q, g, own, own, own)
    np.testing.assert_allclose(got.average_precision, 1 / got.rank_of_own)
    assert mean_average_precision(q, q, own, own).average_precision.tolist() == [1.0] * 30


def test_results_are_aligned_with_cases_without_a_query(random):
    q, labels = units(random, 5), np.array([0, 1, 0, 1, 0])
    queries = np.array([True, False, True, True, False, True, True])
    all_labels = np.array([0, 1, 1, 0, 0, 1, 0])
    got = mean_average_precision(q, q, labels, labels, np.arange(5))
    whole = got.spread(queries, all_labels)
    for name in ("average_precision", "by_class", "nearer", "tied", "rank_of_own"):
        np.testing.assert_array_equal(getattr(whole, name)[queries], getattr(got, name))
        assert np.isnan(getattr(whole, name)[~queries]).all()
    assert whole.chance == got.chance


def test_values_that_are_not_finite_are_refused(random):
    q, labels = units(random, 4), np.zeros(4, int)
    bad = q.copy()
    bad[1, 1] = np.nan
    for pair in ((bad, q), (q, bad), (q, q[:0])):
        with pytest.raises(ValueError, match="finite"):
            mean_average_precision(*pair, labels, labels)
