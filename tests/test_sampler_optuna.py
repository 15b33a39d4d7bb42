"""Optuna's samplers by name: what their names say, the same in every process, different in every replicate."""

from __future__ import annotations

import importlib.util

import optuna
import pytest
import toys
from optuna.storages import InMemoryStorage

from hpo_optuna import Budget, HyperparameterOptimizer, SamplerSpec, UserError
from hpo_optuna.registry import SAMPLERS, make_sampler

KINDS = {
    "tpe": (optuna.samplers.TPESampler, {"n_startup_trials": 5}),
    "gp": (optuna.samplers.GPSampler, {"n_startup_trials": 10}),
    "cmaes": (optuna.samplers.CmaEsSampler, {"popsize": 4}),
    "nsga2": (optuna.samplers.NSGAIISampler, {"population_size": 4}),
}
NAMES = list(KINDS)


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def plan(name, trials=12, **changes):
    return toys.plan(
        samplers={name: SamplerSpec(name, **KINDS[name][1])}, budget=Budget(trials=trials), pruner=None, **changes
    )


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_name_of_the_registry_builds_a_sampler_without_a_word(name, recwarn):
    options = {"points": 3} if name == "grid_search" else {}
    assert isinstance(make_sampler(name, toys.SPACE, seed=0, **options), optuna.samplers.BaseSampler)
    assert not recwarn.list


@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_sampler_that_its_name_says(name):
    sampler = make_sampler(name, toys.SPACE, seed=0, **KINDS[name][1])
    assert isinstance(sampler, KINDS[name][0])
    assert type(sampler.build(0)) is KINDS[name][0]


@pytest.mark.parametrize("name", NAMES)
def test_it_learns_replicates_differ_and_two_sittings_are_one(name):
    whole = toys.run(plan(name, replicates=2), InMemoryStorage())
    assert [t.params for t in whole[0]] != [t.params for t in whole[1]]
    parts = InMemoryStorage()
    [first] = toys.run(plan(name, trials=7), parts)
    [resumed] = toys.run(plan(name), parts)
    assert toys.results(resumed) == toys.results(whole[0])
    assert [t.params for t in first] == [t.params for t in whole[0]][: len(first.trials)]


@pytest.mark.parametrize("name", ["tpe", "cmaes", "nsga2"])
def test_it_leaves_random_search_behind_on_a_bowl(name):
    """Were it seeded wrongly or fed nothing, it would still run, and draw at random."""

    def best(sampler):
        study = optuna.create_study(sampler=sampler)
        study.optimize(lambda t: sum((t.suggest_float(x, -5, 5) - 1) ** 2 for x in "abc"), n_trials=80)
        return study.best_value

    space = dict.fromkeys("abc", optuna.distributions.FloatDistribution(-5, 5))
    mine = [best(make_sampler(name, space, seed=seed)) for seed in range(3)]
    random = [best(make_sampler("random_search", space, seed=seed)) for seed in range(3)]
    assert sum(mine) < sum(random)


def test_a_configuration_by_hand_joins_the_generation_of_the_genetic_algorithm():
    storage = InMemoryStorage()
    mine = {"x": 0.25, "n": 1, "k": "a"}  # the optimum, nearly
    HyperparameterOptimizer(plan("nsga2"), storage).enqueue(mine)
    [study] = toys.run(plan("nsga2"), storage)
    inherited = [t for t in study.trials[4:] if t.params["x"] == 0.25]
    assert inherited, "no child has a gene of the best"


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"CMA-ES needs the package cmaes; install it: pip install cmaes\."):
        make_sampler("cmaes", toys.SPACE, seed=0)


def test_a_sampler_without_a_seed_has_the_studys():
    study = optuna.create_study(sampler=make_sampler("tpe", toys.SPACE))
    trial = study.ask(toys.SPACE)
    again = make_sampler("tpe", toys.SPACE)
    assert again.sample_independent(study, study.trials[0], "x", toys.SPACE["x"]) == trial.params["x"]
    other = optuna.create_study(sampler=make_sampler("tpe", toys.SPACE))
    assert other.ask(toys.SPACE).params != trial.params
