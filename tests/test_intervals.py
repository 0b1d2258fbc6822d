"""Intervals and tests of runs: against scipy where it is there, and against what is known of their coverage."""

import itertools
import math

import numpy as np
import pytest

from wavelens.runs.statistics.columns import short_heads
from wavelens.runs.statistics.intervals import FEWEST, bca, bootstrap, flips, holm, signs

SKEWED = np.array([0.1, 0.2, 0.2, 0.3, 0.4, 0.4, 0.6, 0.9, 1.4, 2.2, 4.5, 9.0])


def interval(values, seed=0, resamples=4000):
    draws = bootstrap(values[None], np.mean, resamples, seed)[0]
    return bca(values.mean(), draws, values, len(values))


@pytest.mark.needs("scipy")
def test_intervals_are_scipys():
    from scipy.stats import bootstrap as theirs

    ours = interval(SKEWED, resamples=9999)
    expected = theirs((SKEWED,), np.mean, method="BCa", n_resamples=9999, rng=np.random.default_rng(1))
    low, high = expected.confidence_interval
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=0.05 * (high - low))


def test_a_skewed_sample_has_a_longer_upper_arm():
    found = interval(SKEWED)
    assert found.high - found.value > 1.5 * (found.value - found.low)
    draws = bootstrap(SKEWED[None], np.mean, 4000, 0)[0]
    assert found.low > np.quantile(draws, 0.025)
    assert found.high > np.quantile(draws, 0.975)


def test_intervals_cover_the_mean_of_a_skewed_distribution_more_often_than_percentiles():
    """Of 200 samples of 25 exponential numbers; both fall short of 95 %, percentiles further."""
    random, corrected, plain = np.random.default_rng(3), 0, 0
    for seed in range(200):
        values = random.exponential(size=25)
        draws = bootstrap(values[None], np.mean, 800, seed)[0]
        found = bca(values.mean(), draws, values, 25)
        corrected += found.low <= 1 <= found.high
        plain += np.quantile(draws, 0.025) <= 1 <= np.quantile(draws, 0.975)
    assert corrected >= plain
    assert corrected >= 178


def test_three_items_have_no_interval_and_constants_have_no_width():
    assert not interval(SKEWED[:3]).has_interval
    assert math.isnan(interval(SKEWED[: FEWEST - 1]).low)
    constant = interval(np.full(9, 0.25))
    assert (constant.low, constant.high) == (0.25, 0.25)


def test_flipped_signs_are_those_of_all_sign_patterns():
    """Of eight differences there are 256 patterns; drawn ones come close to what all of them say."""
    differences = np.array([0.5, 0.9, -0.1, 0.4, 0.3, 0.8, -0.2, 0.6])
    patterns = np.array(list(itertools.product((-1, 1), repeat=8)))
    exact = (np.abs(patterns @ differences) >= abs(differences.sum()) - 1e-12).mean()
    assert flips(differences, 20000, 0) == pytest.approx(exact, abs=0.005)
    assert flips(np.zeros(8), 500, 0) == 1.0


def test_the_sign_test_is_the_binomial_one():
    assert signs(np.array([1.0] * 9 + [-1.0])) == pytest.approx(2 * (1 + 10) / 2**10)
    assert signs(np.array([1.0, -1.0, 0.0])) == 1.0


def test_holm_keeps_its_order_and_is_between_one_test_and_all():
    p_values = [0.04, 0.001, 0.02, 0.5]
    adjusted = holm(p_values)
    assert adjusted == pytest.approx([0.08, 0.004, 0.06, 0.5])
    assert all(p <= own <= min(1, 4 * p) for p, own in zip(p_values, adjusted, strict=True))


def test_no_true_null_is_rejected_more_often_than_said():
    """Of 300 tables of 6 tests of nothing, at most one in twenty has a rejection, to three standard errors."""
    random, rejected = np.random.default_rng(0), 0
    for seed in range(300):
        table = random.standard_normal((6, 12))
        rejected += min(holm([flips(row, 400, seed) for row in table])) <= 0.05
    assert rejected <= 15 + 3 * (300 * 0.05 * 0.95) ** 0.5


def test_heads_are_short_and_tell_columns_apart():
    from_zero = "insertion(steps=8, fill='zero')"
    shuffled = "insertion(steps=8, fractions='log', fill='shuffled', samples=2, score='logit')"
    heads = short_heads([from_zero, shuffled, "ff", "own:kept(power=2.0)"])
    assert heads[from_zero] == "insertion (zero)"
    assert heads[shuffled] == "insertion (log, shuffled, samples=2, logit)"
    assert (heads["ff"], heads["own:kept(power=2.0)"]) == ("ff", "own:kept")
    assert len(set(heads.values())) == 4
