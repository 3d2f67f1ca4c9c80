import numpy as np
import pytest

from train.metrics import bootstrap
from train.metrics.bootstrap import over_seeds, paired_difference, weighted_mean


@pytest.fixture
def random():
    return np.random.default_rng(7)


def test_the_interval_is_seeded_and_drawn_over_groups(random):
    values = random.normal(size=400)
    alone = bootstrap.interval(bootstrap.weighted_mean(values), np.arange(400), seed=1)
    assert alone == bootstrap.interval(bootstrap.weighted_mean(values), np.arange(400), seed=1)
    se = values.std() / 20  # of a mean over 400 independent cases
    assert alone == pytest.approx((values.mean() - 1.96 * se, values.mean() + 1.96 * se), abs=0.5 * se)
    twins = bootstrap.interval(bootstrap.weighted_mean(np.repeat(values[:40], 10)), np.repeat(np.arange(40), 10))
    assert twins[1] - twins[0] > 2 * (alone[1] - alone[0])  # forty patients know less than four hundred


def test_no_interval_is_better_than_a_made_up_one():
    assert bootstrap.interval(lambda w: 1.0, ["p1"] * 50 + ["p2"] * 50) is None
    assert bootstrap.interval(lambda w: float("nan"), range(50), n_boot=20) is None


def naive_paired_difference(first, second, groups, n_boot, seed):
    """Draws lists of groups, gathers their cases, means them; for both sides from the same list."""
    names = sorted(set(groups))
    random, rows = np.random.default_rng(seed), {name: np.flatnonzero(np.array(groups) == name) for name in names}
    drawn = []
    for _ in range(n_boot):
        often = random.multinomial(len(names), [1 / len(names)] * len(names))
        cases = np.concatenate([np.tile(rows[name], times) for name, times in zip(names, often, strict=True)])
        drawn.append(np.mean([run[cases].mean() for run in first]) - np.mean([run[cases].mean() for run in second]))
    return np.quantile(drawn, [0.025, 0.975])


def test_a_paired_difference_agrees_with_drawing_cases_by_hand(random):
    groups = [f"p{i // 3}" for i in range(60)]
    first, second = [random.normal(size=60) + 0.3 for _ in range(3)], [random.normal(size=60) for _ in range(2)]
    value, ends = paired_difference(
        [weighted_mean(run) for run in first], [weighted_mean(run) for run in second], groups, n_boot=200, seed=3
    )
    assert value == pytest.approx(np.mean(first) - np.mean(second))
    np.testing.assert_allclose(ends, naive_paired_difference(first, second, groups, 200, 3))


def test_what_both_runs_find_hard_cancels_out(random):
    hard = 5 * random.normal(size=300)
    one, other = hard + 0.2 + 0.1 * random.normal(size=300), hard + 0.1 * random.normal(size=300)
    _, (low, high) = paired_difference([weighted_mean(one)], [weighted_mean(other)], range(300), n_boot=300)
    alone = [bootstrap.interval(weighted_mean(each), range(300), n_boot=300) for each in (one, other)]
    assert 0.1 < low < 0.2 < high < 0.3
    assert alone[1][1] > alone[0][0]  # apart, their intervals overlap and would tell nothing


def test_a_run_differs_from_itself_by_nothing_and_one_undefined_seed_leaves_the_mean_undefined(random):
    run = [weighted_mean(random.normal(size=40))]
    assert paired_difference(run, run, range(40), n_boot=20) == (0.0, (0.0, 0.0))
    value, ends = paired_difference([*run, lambda weights: float("nan")], run, range(40), n_boot=20)
    assert np.isnan(value) and ends is None
    assert paired_difference(run, run, ["p1"] * 40)[1] is None
    with pytest.raises(ValueError, match="at least one"):
        over_seeds([])
