"""The verdict is right as often as it says, on simulated comparisons with known truth.

The table of `benchmarks/verdict.py` with fewer comparisons; the seeds are fixed, so each number is always the same.
"""

import runpy
from pathlib import Path

import pytest

from hpo_optuna.comparison import ALPHA
from hpo_optuna.power import replicates_needed

BENCHMARK = runpy.run_path(str(Path(__file__).parent.parent / "benchmarks" / "verdict.py"))
NOISE, SD, POINT = BENCHMARK["NOISE"], BENCHMARK["SD"], BENCHMARK["POINT"]


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("samplers", [2, 3])
def test_equal_samplers_are_called_different_in_at_most_one_of_twenty(noise: str, samplers: int) -> None:
    assert BENCHMARK["false_claims"](NOISE[noise], samplers, 8, 400) <= 0.05


@pytest.mark.parametrize("samplers", [2, 3])
def test_a_difference_is_found_at_the_planned_replicates(samplers: int) -> None:
    n = replicates_needed(SD * 2**0.5, POINT, alpha=ALPHA / (samplers * (samplers - 1) // 2))
    assert BENCHMARK["found"](NOISE["normal"], samplers, n, 300) == pytest.approx(0.82, abs=0.08)


@pytest.mark.parametrize("n", [5, 8, 15])
def test_intervals_cover_at_their_stated_rate(n: int) -> None:
    student, bootstrap = BENCHMARK["coverage"](NOISE["normal"], n, 600)
    assert student == pytest.approx(0.95, abs=0.02)
    assert bootstrap < student


def test_peeking_claims_a_difference_in_about_one_comparison_of_five() -> None:
    assert BENCHMARK["peeking"](15, 400) == pytest.approx(0.2, abs=0.05)
