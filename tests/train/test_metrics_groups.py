import numpy as np
import pytest

from train.metrics.bootstrap import weighted_mean
from train.metrics.groups import age_band, compare_groups, tone_scale


@pytest.fixture
def random():
    return np.random.default_rng(7)


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


def naive_gap(right, values, groups, high, low, n_boot, seed):
    """Draws groups by hand and subtracts the means of the two values."""
    names, random = sorted(set(groups)), np.random.default_rng(seed)
    drawn = []
    for _ in range(n_boot):
        often = random.multinomial(len(names), [1 / len(names)] * len(names))
        rows = np.concatenate(
            [np.tile(np.flatnonzero(groups == name), k) for name, k in zip(names, often, strict=True)]
        )
        drawn.append(right[rows][values[rows] == high].mean() - right[rows][values[rows] == low].mean())
    return np.quantile(drawn, [0.025, 0.975])


def compared(right, values, groups, **options):
    return compare_groups(values, {"accuracy": lambda mask: weighted_mean(right[mask])}, groups, **options)


def test_every_value_the_worst_and_the_gap_agree_with_drawing_by_hand(random):
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
    np.testing.assert_allclose(gap.ci, naive_gap(right, values, groups, "red", worst, 150, 2))


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
