"""Before spending, a plan says what it can see and what more would cost."""

import pytest
import toy_comparison as toy

from hpo_optuna.errors import UserError
from hpo_optuna.planning import forecast
from hpo_optuna.records import read
from hpo_optuna.units import Unit

PERCENT = Unit("accuracy", 100.0, " %", " points")
PLAN = {"samplers": 3, "trials": 27, "epochs": None}


def test_without_a_pilot_the_assumption_is_stated() -> None:
    found = forecast([], replicates=8, epochs_per_trial=10, unit=PERCENT, **PLAN)
    words = found.lines(PERCENT)
    assert words[0] == "Planned: 24 studies, at most 6,480 epochs."
    assert "Assumed: paired results of two studies differ by 0.88 points (SD)" in words[1]
    assert [n.difference for n in found.needs] == [0.01, 0.005, 0.0025]
    assert found.needs[0].replicates < found.needs[1].replicates < found.needs[2].replicates


def test_a_pilot_gives_the_sd_the_epochs_and_the_time() -> None:
    records = read(toy.toy_comparison(replicates=6), "toy")
    found = forecast(records, replicates=6, unit=PERCENT, **PLAN)
    assert found.pairs == 6
    assert found.sd_low == found.sd == found.sd_high
    assert "From a pilot of 6 pairs" in found.lines(PERCENT)[1]
    assert "of training" in found.cost(6)
    assert found.epochs is not None
    assert 3 * 27 <= found.epochs <= 5 * 27


def test_a_small_pilot_gives_ranges() -> None:
    records = read(toy.toy_comparison(replicates=3), "toy")
    found = forecast(records, replicates=3, unit=PERCENT, **PLAN)
    assert found.sd_low < found.sd < found.sd_high
    assert f"{found.needs[0].low} to {found.needs[0].high} replicates" in found.lines(PERCENT)[3]


def test_one_replicate_proves_nothing() -> None:
    found = forecast([], replicates=1, unit=PERCENT, **PLAN)
    assert "One replicate proves nothing about the samplers." in found.lines(PERCENT)
    assert found.as_dict()["sees"] is None


def test_differences_can_be_stated() -> None:
    found = forecast([], replicates=5, sd=2.0, differences=[4.0], **PLAN)
    assert [n.difference for n in found.needs] == [4.0]


def test_a_score_that_is_no_accuracy_needs_a_pilot_or_an_sd() -> None:
    with pytest.raises(UserError, match="run a pilot of at least 2 replicates, or state the SD"):
        forecast([], replicates=5, **PLAN)


@pytest.mark.parametrize(("sd", "differences"), [(0.0, []), (1.0, [0.0]), (float("nan"), [])])
def test_impossible_assumptions_are_refused(sd: float, differences: list[float]) -> None:
    with pytest.raises(UserError, match="must be above 0"):
        forecast([], replicates=5, sd=sd, differences=differences, **PLAN)
