"""Each statistic agrees with its source: a textbook value, or the same number by another way."""

import math

import numpy as np
import pytest
from scipy import stats

from hpo_optuna import statistics as s

A = np.array([0.61, 0.64, 0.58, 0.66, 0.63])
B = np.array([0.59, 0.63, 0.59, 0.62, 0.60])


def test_the_paired_difference_is_students() -> None:
    found = s.paired_difference(A, B)
    reference = stats.ttest_rel(A, B)
    interval = reference.confidence_interval(0.95)
    assert found.p == pytest.approx(reference.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.mean == pytest.approx((A - B).mean())


@pytest.mark.parametrize("n", [0, 1])
def test_below_two_pairs_there_is_no_interval(n: int) -> None:
    found = s.paired_difference(A[:n], B[:n])
    assert found.n == n
    assert math.isnan(found.low)
    assert math.isnan(found.p)


def test_equal_differences_prove_nothing() -> None:
    found = s.paired_difference(A, A - 0.01)
    assert found.mean == pytest.approx(0.01)
    assert math.isnan(found.p)


def test_equal_scores_are_no_difference() -> None:
    assert s.paired_difference(A, A).p == 1.0
    assert s.wilcoxon(A, A) == 1.0
    assert s.probability_better(A, A)[0] == 0.5


def test_clopper_pearson_is_exact() -> None:
    reference = stats.binomtest(7, 9).proportion_ci(0.95, method="exact")
    assert s.clopper_pearson(7, 9) == pytest.approx((reference.low, reference.high))
    assert s.clopper_pearson(0, 9)[0] == 0.0
    assert s.clopper_pearson(9, 9)[1] == 1.0


def test_the_probability_to_win_counts_ties_half() -> None:
    assert s.probability_better(np.array([2.0, 1.0, 1.0]), np.array([1.0, 1.0, 2.0]))[0] == 0.5


def test_wilcoxon_is_exact_with_few_pairs() -> None:
    d = np.array([0.011, 0.022, 0.033, 0.044, 0.055, 0.066])
    assert s.wilcoxon(d, np.zeros(6)) == pytest.approx(2 / 2**6)


def test_wilcoxon_sees_ties_through_rounding_errors() -> None:
    a = np.array([0.3, 0.2, 0.4, 0.1, 0.6, 0.5])
    assert s.wilcoxon(a, a - 0.1) == pytest.approx(2 / 2**6)


@pytest.mark.parametrize(("comparisons", "least"), [(1, 6), (3, 7), (6, 8)])
def test_too_few_pairs_for_wilcoxon_are_known(comparisons: int, least: int) -> None:
    assert s.least_pairs(comparisons) == least
    best = [s.wilcoxon(np.arange(1.0, n + 1), np.zeros(n)) * comparisons for n in (least - 1, least)]
    assert best[0] > 0.05 >= best[1]


def test_holm_steps_down() -> None:
    assert s.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_a_test_that_cannot_be_made_still_counts_for_holm() -> None:
    adjusted = s.holm([0.02, float("nan")])
    assert adjusted[0] == pytest.approx(0.04)
    assert math.isnan(adjusted[1])


def test_equivalence_is_the_90_percent_interval_within_the_margin() -> None:
    interval = stats.ttest_rel(A, B).confidence_interval(0.90)
    edge = max(abs(interval.low), abs(interval.high))
    assert s.equivalence(A, B, edge) == pytest.approx(0.05)
    assert s.equivalence(A, B, edge * 1.01) < 0.05 < s.equivalence(A, B, edge * 0.99)
    assert s.equivalence(B, A, edge) == pytest.approx(0.05)


def test_the_band_holds_the_mean_and_is_the_same_every_time() -> None:
    values = np.random.default_rng(0).normal(size=(6, 20)).cumsum(axis=1)
    mean, low, high = s.band(values)
    assert (low <= mean).all()
    assert (mean <= high).all()
    again = s.band(values)
    assert np.array_equal(low, again[1])


def test_there_is_no_band_below_three_replicates_nor_where_one_has_no_score() -> None:
    values = np.array([[1.0, 2.0], [1.0, 3.0]])
    assert np.isnan(s.band(values)[1]).all()
    mean, low, _ = s.band(np.array([[np.nan, 1.0], [1.0, 1.0], [2.0, 2.0]]))
    assert np.isnan([mean[0], low[0]]).all()
    assert not np.isnan([mean[1], low[1]]).any()


def test_two_ties_show_no_equivalence_and_five_do() -> None:
    assert np.isnan(s.equivalence(np.ones(4), np.ones(4), 0.5))
    assert s.equivalence(np.ones(5), np.ones(5), 0.5) == 0


def test_ranks_are_shared_by_ties_and_last_without_a_score() -> None:
    values = np.array([[[3.0, 3.0]], [[3.0, 1.0]], [[np.nan, 2.0]]])
    assert s.average_ranks(values).tolist() == [[1.5, 1.0], [1.5, 3.0], [3.0, 2.0]]


def test_the_speed_up_is_the_ratio_of_costs_to_what_both_reach() -> None:
    grid = np.arange(1.0, 7.0)
    slow = np.array([[1.0, 1.0, 1.0, 2.0, 2.0, 2.0]] * 3)
    fast = np.array([[1.0, 2.0, 3.0, 3.0, 3.0, 3.0]] * 3)
    found = s.speed_up(fast, slow, grid)
    assert found is not None
    assert (found.a_cost, found.b_cost, found.ratio) == (2.0, 4.0, 2.0)
    assert (found.low, found.high) == (2.0, 2.0)
    other = s.speed_up(slow, fast, grid)
    assert other is not None
    assert other.ratio == 0.5


def test_there_is_no_speed_up_without_a_score() -> None:
    assert s.speed_up(np.full((2, 3), np.nan), np.ones((2, 3)), np.arange(1.0, 4.0)) is None


def test_friedman_is_scipys_and_knows_equal_samplers() -> None:
    scores = np.random.default_rng(1).normal(size=(7, 3))
    p, ranks = s.friedman(scores)
    assert p == pytest.approx(stats.friedmanchisquare(*scores.T).pvalue)
    assert ranks.sum() == pytest.approx(6.0)
    assert s.friedman(np.ones((4, 3)))[0] == 1.0


def test_the_critical_difference_is_demsars() -> None:
    # Section 3.2.4 of the paper: four classifiers, fourteen data sets.
    assert s.critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
