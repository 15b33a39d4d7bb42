"""Random search: every draw a function of the seed, the index and the parameter's name."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from hpo_optuna.samplers.random_search import RandomSearchSampler

SPACE: dict[str, BaseDistribution] = {
    "x": FloatDistribution(-1.0, 3.0),
    "lr": FloatDistribution(1e-5, 1e-1, log=True),
    "q": FloatDistribution(0.0, 1.0, step=0.1),
    "n": IntDistribution(1, 1000, log=True),
    "k": IntDistribution(3, 21, step=3),
    "c": CategoricalDistribution(["a", "b", None, 4]),
}


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def draw(n: int, space: dict[str, BaseDistribution] = SPACE, **options: Any) -> list[dict[str, Any]]:
    study = optuna.create_study(sampler=RandomSearchSampler(**options))
    params = []
    for _ in range(n):
        trial = study.ask(space)
        params.append(trial.params)
        study.tell(trial, 0.0)
    return params


def test_same_seed_same_draws_and_another_seed_others() -> None:
    assert draw(5, seed=1) == draw(5, seed=1)
    assert draw(5, seed=1) != draw(5, seed=2)


def test_a_declared_space_changes_no_draw() -> None:
    assert draw(5, seed=1) == draw(5, seed=1, search_space=SPACE)


def test_a_parameter_more_changes_no_draw_of_the_others() -> None:
    fewer = {name: SPACE[name] for name in ("lr", "k")}
    assert draw(5, fewer, seed=1) == [{name: params[name] for name in fewer} for params in draw(5, seed=1)]


def test_parameters_of_equal_ranges_are_drawn_apart() -> None:
    space: dict[str, BaseDistribution] = {name: FloatDistribution(0, 1) for name in ("a", "b")}
    assert all(params["a"] != params["b"] for params in draw(5, space, seed=1))


def test_what_failed_or_was_void_before_shifts_nothing() -> None:
    expected = draw(4, seed=1)
    study = optuna.create_study(sampler=RandomSearchSampler(seed=1))
    study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)  # void
    first = study.ask(SPACE)
    study.tell(first, state=optuna.trial.TrialState.FAIL)  # dies, and is retried
    study.add_trial(
        optuna.create_trial(
            state=optuna.trial.TrialState.WAITING,
            params=first.params,
            distributions=first.distributions,
            system_attrs={"retry_history": [first.number]},
        )
    )
    assert [study.ask(SPACE).params for _ in range(4)] == expected


def test_seedless_samplers_of_one_study_agree() -> None:
    study = optuna.create_study(sampler=RandomSearchSampler())
    trial = study.ask(SPACE)
    assert RandomSearchSampler().sample_relative(study, study.trials[0], SPACE) == trial.params
    assert draw(1) != draw(1)


def test_values_are_spread_evenly_over_their_scale() -> None:
    params = draw(700, seed=0)
    half = math.sqrt(1e-5 * 1e-1)
    assert np.mean([p["lr"] < half for p in params]) == pytest.approx(0.5, abs=0.05)
    assert np.mean([p["n"] <= 31 for p in params]) == pytest.approx(0.5, abs=0.05)
    for name, levels in {"k": 7, "c": 4, "q": 11}.items():
        counts = np.unique([str(p[name]) for p in params], return_counts=True)[1]
        assert len(counts) == levels
        assert counts.min() > 0.6 * 700 / levels
    assert all(SPACE[name]._contains(SPACE[name].to_internal_repr(p[name])) for p in params[:200] for name in SPACE)


def test_another_range_than_declared_is_an_error() -> None:
    study = optuna.create_study(sampler=RandomSearchSampler({"x": FloatDistribution(5, 6)}, seed=0))
    with pytest.raises(ValueError, match=r"asks for 'x' in .*make the two agree"):
        study.ask().suggest_float("x", 0, 1)
    assert 0 <= study.ask().suggest_float("y", 0, 1) <= 1


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="seed must be a non-negative integer or None, got -1"):
        RandomSearchSampler(seed=-1)
    with pytest.raises(ValueError, match=r"search_space\['x'\] must be an Optuna distribution, got 3"):
        RandomSearchSampler({"x": 3})  # type: ignore[dict-item]
