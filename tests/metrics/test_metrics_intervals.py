"""Bootstrap intervals over groups, and comparisons of subgroups, against resampling by hand."""

import numpy as np
import pytest

from train.metrics import bootstrap
from train.metrics.bootstrap import over_seeds, paired_difference, weighted_mean
from train.metrics.groups import age_band, compare_groups, tone_scale


def test_the_interval_is_seeded_and_drawn_over_groups(random):
    values = random.normal(size=400)
    alone = bootstrap.interval(bootstrap.weighted_mean(values), np.arange(400), seed=1)
    assert alone == bootstrap.interval(bootstrap.weighted_mean(values), np.arange(400), seed=1)
    se = values.std() / 20  # of a mean over 400 independent cases
    assert alone == pytest.approx((values.mean() - 1.96 * se, values.mean() + 1.96 * se), abs=0.5 * se)
    twins = bootstrap.interval(bootstrap.weighted_mean(np.repeat(values[:40], 10)), np.repeat(np.arange(40), 10))
    assert twins[1] - twins[0] > 2 * (alone[1] - alone[0])  # forty patients say less than four hundred


def test_few_groups_and_undefined_statistics_have_no_interval():
    assert bootstrap.interval(lambda w: 1.0, ["p1"] * 50 + ["p2"] * 50) is None
    assert bootstrap.interval(lambda w: float("nan"), range(50), n_boot=20) is None


def resampled(groups, n_boot, seed, statistic):
    """Resample groups by hand; return the interval of a function of the rows of their cases."""
    groups, random = np.asarray(groups), np.random.default_rng(seed)
    rows = [np.flatnonzero(groups == name) for name in sorted(set(groups))]
    drawn = []
    for _ in range(n_boot):
        often = random.multinomial(len(rows), [1 / len(rows)] * len(rows))
        drawn.append(statistic(np.concatenate([np.tile(each, k) for each, k in zip(rows, often, strict=True)])))
    return np.quantile(drawn, [0.025, 0.975])


def test_a_paired_difference_agrees_with_resampling_by_hand(random):
    groups = [f"p{i // 3}" for i in range(60)]
    first, second = [random.normal(size=60) + 0.3 for _ in range(3)], [random.normal(size=60) for _ in range(2)]
    value, ends = paired_difference(
        [weighted_mean(run) for run in first], [weighted_mean(run) for run in second], groups, n_boot=200, seed=3
    )
    assert value == pytest.approx(np.mean(first) - np.mean(second))

    def difference(rows):
        return np.mean([run[rows].mean() for run in first]) - np.mean([run[rows].mean() for run in second])

    np.testing.assert_allclose(ends, resampled(groups, 200, 3, difference))


def test_the_difficulty_of_cases_cancels_out(random):
    hard = 5 * random.normal(size=300)
    one, other = hard + 0.2 + 0.1 * random.normal(size=300), hard + 0.1 * random.normal(size=300)
    _, (low, high) = paired_difference([weighted_mean(one)], [weighted_mean(other)], range(300), n_boot=300)
    alone = [bootstrap.interval(weighted_mean(each), range(300), n_boot=300) for each in (one, other)]
    assert 0.1 < low < 0.2 < high < 0.3
    assert alone[1][1] > alone[0][0]  # separately, their intervals overlap


def test_a_run_does_not_differ_from_itself_and_an_undefined_seed_leaves_the_mean_undefined(random):
    run = [weighted_mean(random.normal(size=40))]
    assert paired_difference(run, run, range(40), n_boot=20) == (0.0, (0.0, 0.0))
    value, ends = paired_difference([*run, lambda weights: float("nan")], run, range(40), n_boot=20)
    assert np.isnan(value) and ends is None
    assert paired_difference(run, run, ["p1"] * 40)[1] is None
    with pytest.raises(ValueError, match="at least one"):
        over_seeds([])


def test_bands_and_scales():
    ages = {0: "0-29", 29.5: "0-29", 30: "30-44", 45: "45-59", 60: "60-74", 74: "60-74", 75: "75+"}
    assert {age: age_band(age) for age in ages} == ages
    assert age_band(None) is None and age_band(float("nan")) is None
    scales = {
        "Fitzpatrick III": "Fitzpatrick",
        "Fitzpatrick I-II": "Fitzpatrick",
        "MILK10k tone 4 (0 darkest to 5)": "MILK10k tone",
        "Monk 7": "Monk",
        "dark": "dark",
    }
    assert {tone: tone_scale(tone) for tone in scales} == scales


def compared(right, values, groups, **options):
    return compare_groups(values, {"accuracy": lambda mask: weighted_mean(right[mask])}, groups, **options)


def test_values_worst_and_gap_agree_with_resampling_by_hand(random):
    values = np.array(["red", "green", "blue"], dtype=object)[random.integers(0, 3, size=150)]
    groups = np.array([f"p{i // 2}" for i in range(150)])
    right = (random.random(150) < np.where(values == "red", 0.9, 0.5)).astype(float)
    got = compared(right, values, groups, n_boot=150, seed=2)
    means = {value: right[values == value].mean() for value in ("red", "green", "blue")}
    assert {value: each["accuracy"].value for value, each in got.figures.items()} == pytest.approx(means)
    assert got.counts == {value: int((values == value).sum()) for value in means}
    worst = min(means, key=means.get)
    assert (got.best["accuracy"], got.worst["accuracy"]) == ("red", worst)
    gap = got.gap["accuracy"]
    assert gap.value == pytest.approx(means["red"] - means[worst])

    def difference(rows):
        red, other = (right[rows][values[rows] == value].mean() for value in ("red", worst))
        return red - other

    np.testing.assert_allclose(gap.ci, resampled(groups, 150, 2, difference))


def test_a_group_under_twenty_and_a_missing_value_give_no_figure(random):
    values = np.array(["many"] * 60 + ["few"] * 19 + [None] * 21, dtype=object)
    got = compared(random.random(100), values, np.arange(100).astype(str), n_boot=20)
    assert set(got.figures) == {"many"} and got.counts == {"many": 60, "few": 19}
    assert got.gap == {} and got.worst == {}


def test_few_patients_give_a_figure_without_an_interval(random):
    values = np.repeat(np.array(["a", "b"], dtype=object), 30)
    groups = np.array([f"a{i % 4}" for i in range(30)] + [f"b{i}" for i in range(30)])
    got = compared(random.random(60), values, groups, n_boot=20)
    assert got.figures["a"]["accuracy"].ci is None and got.figures["b"]["accuracy"].ci is not None
    assert got.gap["accuracy"].value > 0 and got.gap["accuracy"].ci is None


def test_an_undefined_measure_is_neither_best_nor_worst(random):
    values = np.repeat(np.array(["a", "b", "c"], dtype=object), 30)
    right = np.concatenate([np.full(30, np.nan), random.random(60)])
    got = compared(right, values, np.arange(90).astype(str), n_boot=20)
    assert np.isnan(got.figures["a"]["accuracy"].value)
    assert {got.best["accuracy"], got.worst["accuracy"]} == {"b", "c"}
