"""Repeats, noise, diversity, coverage, sampler time and mishaps, computed by hand; with and without our engine."""

from __future__ import annotations

import math

import optuna
import pytest
import toy_comparison as toy
import toys
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection

from hpo_optuna import Budget, SamplerSpec
from hpo_optuna.health import bins, coverage, diversity, health, mishaps, noise, position, repeated
from hpo_optuna.health_section import as_dict, section
from hpo_optuna.records import SAMPLER_MS, read, study_record
from hpo_optuna.units import Unit

SPACE = {
    "x": FloatDistribution(0.0, 10.0),
    "n": IntDistribution(1, 4),
    "rate": FloatDistribution(1e-4, 1.0, log=True),
    "k": CategoricalDistribution(("a", "b")),
}


def point(x=0.0, n=1, rate=1e-4, k="a"):
    return {"x": x, "n": n, "rate": rate, "k": k}


def study(*rows, name="toy/pso/seed-0"):
    """Rows of (state, params, scores)."""
    trials = [toy.trial(i, state, params, scores, space=SPACE) for i, (state, params, scores) in enumerate(rows)]
    return recorded(trials, name)


def recorded(trials, name="toy/pso/seed-0"):
    """The record of a study of these trials."""
    for number, trial in enumerate(trials):
        trial.number = number
    return study_record(name, [StudyDirection.MAXIMIZE], trials, {})


def test_a_repeat_is_a_configuration_that_its_study_has_met_before():
    one = study(
        ("COMPLETE", point(1.0), [0.1, 0.5]), ("PRUNED", point(1.0), [0.2]), ("COMPLETE", point(2.0), [0.1, 0.2])
    )
    other = study(("COMPLETE", point(1.0), [0.1, 0.7]), name="toy/pso/seed-1")
    [found] = health([one, other])
    assert [t.number for t in repeated(one)] == [1]
    assert (found.finished, found.distinct, found.repeated) == (4, 3, 1)
    assert (found.repeat_epochs, found.epochs) == (1, 7)
    assert found.repeat_share == pytest.approx(1 / 7)


def test_noise_is_pooled_over_configurations_and_replicates():
    one = study(("COMPLETE", point(1.0), [1.0]), ("COMPLETE", point(1.0), [3.0]), ("COMPLETE", point(2.0), [5.0]))
    other = study(("COMPLETE", point(2.0), [9.0]), ("COMPLETE", point(3.0), [7.0]), name="toy/pso/seed-1")
    sd, df = noise([one, other])  # (1, 3) has a sum of squares of 2, (5, 9) of 8
    assert (sd, df) == (pytest.approx(math.sqrt(10 / 2)), 2)
    assert math.isnan(noise([other])[0])


def test_a_pruned_repeat_counts_to_the_noise_where_the_audit_knows_its_end():
    rows = [
        toy.trial(0, "COMPLETE", {"x": 1.0}, [1.0, 2.0], space=SPACE),
        toy.trial(1, "PRUNED", {"x": 1.0}, [0.0], space=SPACE, attrs={"audit": {"scores": [4.0], "seconds": 1.0}}),
        toy.trial(2, "PRUNED", {"x": 1.0}, [0.0], space=SPACE),
    ]
    assert noise([recorded(rows)]) == (pytest.approx(math.sqrt(2)), 1)


@pytest.mark.parametrize(
    ("name", "value", "expected"), [("x", 2.5, 0.25), ("n", 2, 1 / 3), ("rate", 1e-2, 0.5), ("k", "b", 0.75)]
)
def test_a_value_lies_on_its_parameters_own_scale(name, value, expected):
    assert position(SPACE[name], value) == pytest.approx(expected)


def test_a_parameter_of_one_value_lies_in_the_middle():
    assert position(IntDistribution(3, 3), 3) == 0.5


def test_diversity_is_the_mean_distance_of_recent_trials():
    corners = study(
        ("COMPLETE", point(), [0.1]), ("COMPLETE", point(10.0, 4, 1.0, "b"), [0.1]), ("PRUNED", point(), [0.1])
    )
    assert diversity(corners) == pytest.approx([1.0, 2 / 3])
    assert diversity(corners, window=2) == pytest.approx([1.0, 1.0])
    half = study(("COMPLETE", point(0.0), [0.1]), ("COMPLETE", point(5.0), [0.1]))
    assert diversity(half) == pytest.approx([math.sqrt(0.25 / 4)])
    assert diversity(study()).shape == (0,)


def test_coverage_is_the_share_of_bins_that_trials_lie_in():
    some = study(
        ("COMPLETE", point(0.5, 1, 1e-4, "a"), [0.1]),
        ("PRUNED", point(0.7, 2, 1.0, "a"), [0.1]),
        ("FAIL", point(9.0, 4, 1e-2, "b"), [0.1]),
    )
    assert bins(some)["n"] == [1, 1, 0, 0]
    assert coverage(some) == {"x": 0.1, "n": 0.5, "rate": 0.2, "k": 0.5}


@pytest.mark.parametrize(
    "distribution",
    [IntDistribution(1, 4, log=True), IntDistribution(1, 64, log=True), IntDistribution(0, 84, step=7), SPACE["n"]],
)
def test_every_value_of_a_whole_number_tried_is_full_coverage(distribution):
    values = range(distribution.low, distribution.high + 1, distribution.step)
    rows = [toy.trial(i, "COMPLETE", {"p": v}, [0.1], space={"p": distribution}) for i, v in enumerate(values)]
    assert coverage(recorded(rows)) == {"p": 1.0}


def test_what_went_wrong_is_grouped_with_its_reason():
    records = read(toy.toy_comparison(replicates=2, trials=6), "toy")
    found = {(m.label, m.kind): m for m in mishaps(records)}
    assert set(found) == {("grid", kind) for kind in ("failed", "diverged", "retried", "void")}
    assert found["grid", "failed"].reason.startswith("ValueError")
    assert (found["grid", "retried"].reason, found["grid", "retried"].trials) == ("interrupted", ((0, 7),))
    assert found["grid", "void"].reason == "the budget of 18 trials was taken"
    assert found["grid", "diverged"].reason == "diverged: NaN"


def test_deaths_of_different_processes_are_one_line():
    rows = [
        toy.trial(i, "FAIL", {"x": 1.0 * i}, [], space=SPACE, attrs={"ended": f"its worker died (process {i} on here)"})
        for i in range(2)
    ]
    rows += [toy.trial(2 + i, "COMPLETE", {"x": 1.0 * i}, [0.1], space=SPACE, history=[i]) for i in range(2)]
    [mishap] = mishaps([recorded(rows)])
    assert (mishap.kind, mishap.reason, len(mishap.trials)) == ("retried", "its worker died", 2)


@pytest.mark.parametrize("label", ["grid", "random", "pso"])
def test_every_finished_trial_says_how_long_its_sampler_took(label):
    plan = toys.plan(samplers={label: toys.SAMPLERS[label]}, budget=Budget(trials=6))
    [record] = toys.run(plan, InMemoryStorage())
    assert all(t.sampler_ms > 0 for t in record.finished)
    [found] = health([record])
    assert found.sampler_ms > 0


def test_a_sampler_of_optunas_own_is_timed_without_being_changed():
    storage = InMemoryStorage()
    plan = toys.plan(samplers={"tpe": SamplerSpec("test_health:tpe")}, budget=Budget(trials=12))
    [record] = toys.run(plan, storage)
    assert all(SAMPLER_MS in t.user_attrs for t in optuna.load_study(study_name=record.name, storage=storage).trials)

    alone = optuna.create_study(sampler=tpe(seed=3), direction="minimize")
    alone.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=12)
    from hpo_optuna.stopwatch import TimedSampler

    timed = optuna.create_study(sampler=TimedSampler(tpe(seed=3)), direction="minimize")
    timed.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=12)
    assert [t.params for t in timed.trials] == [t.params for t in alone.trials]


def tpe(search_space=None, *, seed):
    """Optuna's TPE, named as a user names a sampler."""
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=5)


def test_a_study_of_another_tool_has_a_health_section_too():
    alone = optuna.create_study(study_name="alone", sampler=optuna.samplers.RandomSampler(seed=0))
    alone.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=5)
    record = study_record("alone", alone.directions, alone.trials, {}, foreign=True)
    [found] = health([record])
    assert found.finished == found.distinct == 5
    assert math.isnan(found.sampler_ms)
    _, _, html = section([record], Unit())
    assert "No trial failed, diverged, was retried or was void." in html
    assert as_dict([record])["mishaps"] == []


def test_a_study_without_a_trial_has_a_health_section_too():
    _, _, html = section([study()], Unit())
    assert "It needs two finished trials of a study." in html
    assert "No trial is finished yet." in html


def test_the_section_draws_where_the_trials_lie_and_how_far_apart():
    records = read(toy.toy_comparison(replicates=2, trials=8), "toy")
    _, _, html = section(records, Unit())
    assert 'data-figure="all-coverage"' in html
    assert 'data-figure="all-diversity"' in html
    assert "ValueError: &lt;script&gt;" in html
