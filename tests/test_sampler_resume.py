"""A search in one go equals the same search in pieces, for every sampler: with pruning, failures and deaths."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from hpo_optuna import optuna_samplers
from hpo_optuna.samplers.grid_search import GridSearchSampler
from hpo_optuna.samplers.pso import PSOSampler
from hpo_optuna.samplers.qmc import QMCSampler
from hpo_optuna.samplers.random_search import RandomSearchSampler
from hpo_optuna.samplers.spsa import SPSASampler

SPACE: dict[str, BaseDistribution] = {
    "x": FloatDistribution(-5.0, 5.0),
    "n": IntDistribution(1, 64, log=True),
    "c": CategoricalDistribution(["a", "b"]),
}
SAMPLERS: dict[str, Callable[[], BaseSampler]] = {
    "grid": lambda: GridSearchSampler(SPACE, points=5, seed=7),
    "random": lambda: RandomSearchSampler(SPACE, seed=7),
    **{
        f"pso-{screen}": (lambda s: lambda: PSOSampler(SPACE, seed=7, screen=s))(screen)
        for screen in PSOSampler.SCREENS
    },
    "pso-undeclared": lambda: PSOSampler(seed=7),
    "qmc": lambda: QMCSampler(SPACE, seed=7),
    "qmc-undeclared": lambda: QMCSampler(seed=7),
    "spsa": lambda: SPSASampler(SPACE, seed=7),
    "spsa-undeclared": lambda: SPSASampler(seed=7),
    "tpe": lambda: optuna_samplers.TPE(SPACE, seed=7, n_startup_trials=5),
    "tpe-group": lambda: optuna_samplers.TPE(SPACE, seed=7, n_startup_trials=5, group=True),
    "gp": lambda: optuna_samplers.GP(SPACE, seed=7, n_startup_trials=20),
    "cmaes": lambda: optuna_samplers.CMAES(SPACE, seed=7, popsize=4),
    "cmaes-margin": lambda: optuna_samplers.CMAES(SPACE, seed=7, popsize=4, with_margin=True),
    "nsga2": lambda: optuna_samplers.NSGA2(SPACE, seed=7, population_size=4),
}


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)


def suggest(trial: optuna.Trial) -> float:
    x = trial.suggest_float("x", -5.0, 5.0)
    n = trial.suggest_int("n", 1, 64, log=True)
    return x**2 + abs(n - 9) + (trial.suggest_categorical("c", ["a", "b"]) == "b")


def objective(trial: optuna.Trial) -> float:
    value = suggest(trial)
    if round(value * 1000) % 7 == 0:
        raise ZeroDivisionError("a failure that depends on the parameters")
    for step in range(3):
        trial.report(value + 3 - step, step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return value


def rows(study: optuna.Study) -> list[tuple[Any, ...]]:
    def attrs(trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
        # CMA-ES pickles its state: the same numbers in other bytes.
        return {key: value for key, value in trial.system_attrs.items() if ":optimizer:" not in key}

    return [(t.state, t.params, t.values, t.intermediate_values, attrs(t)) for t in study.get_trials()]


def open_database(file: Path) -> optuna.storages.RDBStorage:
    """SQLite that leaves it to the operating system when to write to the disk; tests survive no power cut."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{file}")
    sqlalchemy.event.listen(storage.engine, "connect", lambda c, _: c.execute("PRAGMA synchronous=OFF"))
    storage.engine.dispose()
    return storage


@pytest.mark.parametrize("name", SAMPLERS)
def test_36_trials_equal_13_and_11_and_12_after_reloads(name: str, tmp_path: Path) -> None:
    def run(parts: list[int]) -> list[tuple[Any, ...]]:
        file = tmp_path / f"{len(parts)}.db"
        pruner = optuna.pruners.MedianPruner(n_startup_trials=4)
        optuna.create_study(storage=open_database(file), study_name="study")
        for n in parts:  # every part has a storage, study and sampler object of its own, as a new process has
            storage = open_database(file)
            study = optuna.load_study(study_name="study", storage=storage, sampler=SAMPLERS[name](), pruner=pruner)
            study.optimize(objective, n_trials=n, catch=(ZeroDivisionError,))
        return rows(study)

    in_one_go = run([36])
    assert run([13, 11, 12]) == in_one_go
    assert {row[0] for row in in_one_go} == {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}


@pytest.mark.parametrize("suggested", [True, False], ids=["in its training", "before its first suggestion"])
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_killed_and_retried_trial_changes_nothing(name: str, suggested: bool) -> None:
    """Trials 4 and 15 die; the retry dies too, once; what follows is the search in which nothing died."""

    def die(study: optuna.Study) -> None:
        trial = study.ask()
        if suggested:
            suggest(trial)
        study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            retry = optuna.storages.RetryHeartbeatStaleTrialCallback()
        retry(study, copy.deepcopy(study.trials[trial.number]))

    def run(deaths: set[int]) -> dict[int, tuple[Any, ...]]:
        study = optuna.create_study(sampler=SAMPLERS[name]())
        finished = 0
        while finished < 24:
            if finished in deaths:
                die(study)
                if finished == 4:
                    die(study)
                deaths.remove(finished)
            study.optimize(suggest, n_trials=1)
            finished += 1
        return {
            index: (trial.params, trial.values)
            for index, trial in enumerate(
                sorted(
                    (t for t in study.trials if t.state == TrialState.COMPLETE),
                    key=lambda t: t.system_attrs.get("retry_history", [t.number])[0],
                )
            )
        }

    assert run({4, 15}) == run(set())
