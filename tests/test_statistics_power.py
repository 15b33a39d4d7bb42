"""Replicates needed agree with published tables and with the test they are for."""

import numpy as np
import pytest

from hpo_optuna.power import detectable, needs, power, replicates_needed, sd_interval
from hpo_optuna.statistics import paired_difference


@pytest.mark.parametrize(("effect", "n"), [(1.0, 10), (0.8, 15), (0.5, 34), (0.2, 199)])
def test_the_needed_replicates_are_those_of_the_tables(effect: float, n: int) -> None:
    # G*Power 3.1, paired t-test, two-sided 5 %, power 80 %.
    assert replicates_needed(1.0, effect) == n


def test_power_is_what_the_test_finds() -> None:
    d = np.random.default_rng(2).normal(0.9, 1.0, size=(2000, 8))
    found = np.mean([paired_difference(row, np.zeros(8)).p <= 0.05 for row in d])
    assert power(1.0, 0.9, 8) == pytest.approx(found, abs=0.03)


def test_what_is_detectable_is_found_with_the_stated_power() -> None:
    assert power(0.62, detectable(0.62, 8), 8) == pytest.approx(0.8, abs=1e-4)


def test_one_replicate_detects_nothing() -> None:
    assert detectable(0.62, 1) == float("inf")
    assert power(0.62, 5.0, 1) == 0.0


def test_more_comparisons_need_more_replicates() -> None:
    assert replicates_needed(1.0, 1.0, alpha=0.05 / 3) > replicates_needed(1.0, 1.0)


def test_a_small_pilot_gives_a_range() -> None:
    few, many, assumed = (needs(1.0, pairs, (1.0,))[0] for pairs in (4, 8, None))
    assert few.low < few.replicates < few.high
    assert many.low == many.replicates == many.high
    assert assumed.low == assumed.high


def test_the_interval_of_the_sd_covers() -> None:
    sds = np.random.default_rng(3).normal(size=(4000, 4)).std(axis=1, ddof=1)
    ends = np.array([sd_interval(float(sd), 4) for sd in sds])
    assert np.mean((ends[:, 0] <= 1) & (ends[:, 1] >= 1)) == pytest.approx(0.8, abs=0.02)


def test_no_number_of_replicates_finds_no_difference() -> None:
    with pytest.raises(ValueError, match="difference of 0"):
        replicates_needed(1.0, 0.0)
