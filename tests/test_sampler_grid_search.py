"""Grid search: every point exactly once, whatever fails, dies, races or is enqueued."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from hpo_optuna.samplers.grid_search import GridExhausted, GridSearchSampler, _sampler

SPACE: dict[str, BaseDistribution] = {
    "x": FloatDistribution(0.0, 3.0),
    "n": IntDistribution(1, 100, log=True),
    "c": CategoricalDistribution(["a", "b"]),
}
POINTS = {"x": 4, "n": 2, "c": 2}
N = 16


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)


def objective(trial: optuna.Trial) -> float:
    x = trial.suggest_float("x", 0.0, 3.0)
    return x + trial.suggest_int("n", 1, 100, log=True) + len(trial.suggest_categorical("c", ["a", "b"]))


def grid(**options: Any) -> GridSearchSampler:
    return GridSearchSampler(SPACE, **{"points": POINTS, "seed": 0, **options})


def evaluated(study: optuna.Study, *states: TrialState) -> Counter[tuple[Any, ...]]:
    finished = states or (TrialState.COMPLETE, TrialState.PRUNED)
    return Counter(tuple(sorted(t.params.items())) for t in study.trials if t.state in finished)


def is_exactly_once(study: optuna.Study, n: int = N) -> bool:
    counts = evaluated(study)
    return len(counts) == n and set(counts.values()) == {1}


# -- the points ---------------------------------------------------------------------------------------------------

AXES: list[tuple[BaseDistribution, Any, tuple[Any, ...]]] = [
    (FloatDistribution(0, 1), 3, (0.0, 0.5, 1.0)),
    (FloatDistribution(0, 0.9), 4, (0.0, 0.3, 0.6, 0.9)),
    (FloatDistribution(2, 4), 1, (3.0,)),
    (FloatDistribution(1e-4, 1, log=True), 3, (1e-4, 1e-2, 1.0)),
    (FloatDistribution(1e-4, 1, log=True), 1, (1e-2,)),
    (FloatDistribution(0, 1, step=0.1), 3, (0.0, 0.5, 1.0)),
    (FloatDistribution(0, 1, step=0.1), 4, (0.0, 0.3, 0.7, 1.0)),
    (FloatDistribution(0, 0.8, step=0.4), 9, (0.0, 0.4, 0.8)),
    (FloatDistribution(7, 7), 5, (7.0,)),
    (IntDistribution(1, 9), 3, (1, 5, 9)),
    (IntDistribution(1, 3), 9, (1, 2, 3)),
    (IntDistribution(0, 10, step=5), 2, (0, 10)),
    (IntDistribution(1, 100, log=True), 3, (1, 10, 100)),
    (IntDistribution(1, 4, log=True), 9, (1, 2, 3, 4)),
    (IntDistribution(4, 64, log=True), 1, (16,)),
    (IntDistribution(5, 5), 3, (5,)),
    (CategoricalDistribution(["a", "b", None]), 2, ("a", "b", None)),
    (CategoricalDistribution(["a"]), 4, ("a",)),
    (CategoricalDistribution([True, False]), [False], (False,)),
    (FloatDistribution(0, 1), [1, 0.25], (1.0, 0.25)),
    (IntDistribution(0, 10, step=5), (10, 0), (10, 0)),
]


@pytest.mark.parametrize(("distribution", "points", "expected"), AXES, ids=str)
def test_points_follow_the_scale(distribution: BaseDistribution, points: Any, expected: tuple[Any, ...]) -> None:
    sampler = GridSearchSampler({"p": distribution}, points={"p": points})
    values = sampler._grid.axes["p"]
    assert values == expected
    assert [type(value) for value in values] == [type(value) for value in expected]
    assert sampler.n_points == len(expected)


MISTAKES: list[tuple[dict[str, Any], Any, str]] = [
    ({}, 3, "at least one parameter"),
    ({"p": 3}, 3, r"search_space\['p'\] must be an Optuna distribution, got 3"),
    ({"p": FloatDistribution(0, 1)}, 0, "points of 'p' must be at least 1, got 0"),
    ({"p": FloatDistribution(0, 1)}, True, "a number of points or a list of values, got True"),
    ({"p": FloatDistribution(0, 1)}, 2.5, "a number of points or a list of values, got 2.5"),
    ({"p": FloatDistribution(0, 1)}, {"p": "abc"}, "a number of points or a list of values, got 'abc'"),
    ({"p": FloatDistribution(0, 1)}, {"p": []}, "at least one value"),
    ({"p": FloatDistribution(0, 1)}, {"p": [0.5, 1.5]}, r"has 1.5, which is not a value of FloatDistribution"),
    ({"p": FloatDistribution(0, 1)}, {"p": ["a"]}, "has 'a', which is not a value"),
    ({"p": FloatDistribution(0, 1, step=0.5)}, {"p": [0.3]}, "has 0.3, which is not a value"),
    ({"p": IntDistribution(0, 10, step=2)}, {"p": [3]}, "has 3, which is not a value"),
    ({"p": IntDistribution(0, 10)}, {"p": [2.5]}, "has 2.5, which is not a value"),
    ({"p": CategoricalDistribution("ab")}, {"p": ["c"]}, "has 'c', which is not a value"),
    ({"p": IntDistribution(0, 10)}, {"p": [1, 1.0]}, "names a value twice"),
    ({"p": IntDistribution(0, 10)}, {"q": 3}, r"points names 'q', but the space has only \['p'\]"),
    ({"p": IntDistribution(0, 10), "q": IntDistribution(0, 1)}, {"p": 3}, "points has no entry for 'q'"),
    ({c: FloatDistribution(0, 1) for c in "abcd"}, 100, r"has 100,000,000 points \(a: 100 x b: 100"),
]


@pytest.mark.parametrize(("space", "points", "message"), MISTAKES, ids=[m[2] for m in MISTAKES])
def test_a_grid_that_does_not_fit_is_refused(space: dict[str, Any], points: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GridSearchSampler(space, points=points)


def test_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="seed must be a non-negative integer or None, got -2"):
        GridSearchSampler(SPACE, seed=-2)


# -- the order ----------------------------------------------------------------------------------------------------


def test_the_order_is_the_seeds_and_not_that_of_the_mapping() -> None:
    def order(seed: int, names: list[str]) -> list[dict[str, Any]]:
        study = optuna.create_study(sampler=GridSearchSampler({n: SPACE[n] for n in names}, points=POINTS, seed=seed))
        study.optimize(objective, n_trials=N)
        return [trial.params for trial in study.trials]

    assert order(0, ["x", "n", "c"]) == order(0, ["c", "n", "x"])
    assert order(0, ["x", "n", "c"]) != order(1, ["x", "n", "c"])


def test_a_truncated_grid_is_a_fair_sample() -> None:
    """A tenth of 1,000 points: every level of every parameter is seen about ten times, not the first levels only."""
    space: dict[str, BaseDistribution] = {name: IntDistribution(0, 9) for name in "abc"}
    counts = np.zeros((3, 10))
    for seed in range(4):
        study = optuna.create_study(sampler=GridSearchSampler(space, points=10, seed=seed))
        for _ in range(100):
            params = study.ask(space).params
            for i, name in enumerate("abc"):
                counts[i, params[name]] += 1
    assert counts.min() >= 20
    assert counts.max() <= 60


def test_a_grid_of_a_million_points_starts_at_once() -> None:
    space: dict[str, BaseDistribution] = {name: FloatDistribution(0, 1) for name in "abcdef"}
    study = optuna.create_study(sampler=GridSearchSampler(space, points=10, seed=0))
    assert len({tuple(study.ask(space).params.values()) for _ in range(20)}) == 20


# -- exactly once -------------------------------------------------------------------------------------------------


def test_a_study_ends_by_itself_with_every_point_evaluated_once() -> None:
    study = optuna.create_study(sampler=grid())
    study.optimize(objective, n_trials=1000)
    assert len(study.trials) == N
    assert is_exactly_once(study)
    assert grid().is_exhausted(study)
    assert grid().remaining(study) == 0


def test_a_finished_grid_resumed_evaluates_nothing() -> None:
    """Optuna's GridSampler evaluates one point more."""
    study = optuna.create_study(sampler=grid())
    study.optimize(objective, n_trials=N)
    with pytest.raises(GridExhausted, match="All 16 points of the grid"):
        study.optimize(objective, n_trials=10)
    study.optimize(objective, n_trials=10, catch=(GridExhausted,))
    assert is_exactly_once(study)
    assert [(t.state, t.params) for t in study.trials[N:]] == [(TrialState.FAIL, {})] * 2  # void


def test_outside_of_optimize_the_trial_that_met_the_end_is_closed() -> None:
    study = optuna.create_study(sampler=grid())
    for _ in range(N):
        study.tell(study.ask(SPACE), 0.0)
    with pytest.raises(GridExhausted):
        study.ask(SPACE)
    assert [t.state for t in study.trials[N:]] == [TrialState.FAIL]


@pytest.mark.parametrize("single", ["first", "only"])
def test_single_values_that_optuna_fixes_itself_do_not_hide_the_end(single: str) -> None:
    space: dict[str, BaseDistribution] = {"a": IntDistribution(5, 5)}
    if single == "first":
        space["b"] = IntDistribution(0, 2)

    def evaluate(trial: optuna.Trial) -> float:
        return sum(
            trial.suggest_int(name, d.low, d.high) for name, d in space.items() if isinstance(d, IntDistribution)
        )

    study = optuna.create_study(sampler=GridSearchSampler(space, seed=0))
    study.optimize(evaluate, n_trials=10)
    n = 3 if single == "first" else 1
    assert is_exactly_once(study, n)
    with pytest.raises(GridExhausted):
        study.optimize(evaluate, n_trials=10)
    assert [(t.state, t.params) for t in study.trials[n:]] == [(TrialState.FAIL, {})]


def test_a_point_that_fails_once_is_tried_again() -> None:
    """Optuna's GridSampler counts it as visited."""
    failed: set[tuple[Any, ...]] = set()

    def fails_once(trial: optuna.Trial) -> float:
        value = objective(trial)
        if trial.params["x"] == 1.0 and tuple(trial.params.values()) not in failed:
            failed.add(tuple(trial.params.values()))
            raise ValueError
        return value

    study = optuna.create_study(sampler=grid())
    study.optimize(fails_once, n_trials=1000, catch=(ValueError,))
    assert is_exactly_once(study)
    assert set(evaluated(study, TrialState.FAIL).values()) == {1}
    retries = [t for t in study.trials if "retry_history" in t.system_attrs]
    assert [t.system_attrs["failed_trial"] for t in retries] == [t.number - 1 for t in retries]
    assert {t.system_attrs["grid_search:failures"] for t in retries} == {1}


def test_a_point_that_always_fails_is_given_up_after_three() -> None:
    def fails(trial: optuna.Trial) -> float:
        value = objective(trial)
        if trial.params["x"] == 1.0:
            raise ValueError
        return value

    study = optuna.create_study(sampler=grid())
    study.optimize(fails, n_trials=1000, catch=(ValueError,))
    assert is_exactly_once(study, 12)
    assert sorted(evaluated(study, TrialState.FAIL).values()) == [3, 3, 3, 3]
    assert grid().is_exhausted(study)
    assert grid().remaining(study) == 0


def test_a_pruned_point_is_done() -> None:
    def pruned(trial: optuna.Trial) -> float:
        objective(trial)
        raise optuna.TrialPruned

    study = optuna.create_study(sampler=grid())
    study.optimize(pruned, n_trials=1000)
    assert is_exactly_once(study)
    assert grid().is_exhausted(study)


def test_a_death_that_somebody_else_retries_is_no_failure_of_the_point() -> None:
    """SIGINT reaches `after_trial` as a failure; whoever handles the signal has queued the trial before."""

    def interrupted(trial: optuna.Trial) -> float:
        objective(trial)
        frozen = trial.study.trials[trial.number]
        history = [*frozen.system_attrs.get("retry_history", []), trial.number]
        trial.study.add_trial(
            optuna.create_trial(
                state=TrialState.WAITING,
                params=frozen.params,
                distributions=frozen.distributions,
                system_attrs={**frozen.system_attrs, "failed_trial": history[0], "retry_history": history},
            )
        )
        raise KeyboardInterrupt

    study = optuna.create_study(sampler=grid())
    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            study.optimize(interrupted, n_trials=1)
    assert len(study.trials) == 5
    study.optimize(objective, n_trials=100)
    assert is_exactly_once(study)


def test_a_death_that_nobody_retries_leaves_its_point_for_the_end() -> None:
    study = optuna.create_study(sampler=grid())
    dead = study.ask(SPACE)
    study._storage.set_trial_state_values(dead._trial_id, TrialState.FAIL)
    assert grid().remaining(study) == N
    study.optimize(objective, n_trials=100)
    assert is_exactly_once(study)
    assert study.trials[-1].params == dead.params


def test_a_point_that_kills_every_worker_is_given_up_in_the_end() -> None:
    study = optuna.create_study(sampler=grid(points={"x": [1.0], "n": [1], "c": 2}))
    for _ in range(3):
        trial = study.ask(SPACE)
        while trial.params["c"] == "a":
            study.tell(trial, 0.0)
            trial = study.ask(SPACE)
        study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    with pytest.raises(GridExhausted):
        study.ask(SPACE)


def test_a_retry_does_not_carry_what_was_written_of_the_try_that_failed() -> None:
    def fails(trial: optuna.Trial) -> float:
        objective(trial)
        trial.set_user_attr("error", "boom")
        raise ValueError

    study = optuna.create_study(sampler=grid())
    study.optimize(fails, n_trials=1, catch=(ValueError,))
    assert study.trials[1].state == TrialState.WAITING
    assert study.trials[1].params == study.trials[0].params
    assert study.trials[1].user_attrs == {}


def test_a_running_point_is_neither_left_nor_done() -> None:
    study = optuna.create_study(sampler=grid())
    running = study.ask(SPACE)
    study.optimize(objective, n_trials=100)
    assert grid().remaining(study) == 0
    assert not grid().is_exhausted(study)
    study.tell(running, 1.0)
    assert grid().is_exhausted(study)
    assert is_exactly_once(study)


def test_workers_with_different_seeds_share_one_grid() -> None:
    """Four of Optuna's GridSampler with seeds 0 to 3 evaluated 11 of 16 points and stopped as finished."""
    study = optuna.create_study(sampler=grid())
    for seed in itertools.cycle(range(4)):
        study.sampler = grid(seed=seed)
        if grid().remaining(study) == 0:
            break
        study.optimize(objective, n_trials=1)
    assert is_exactly_once(study)


@pytest.mark.parametrize("later_first", [True, False])
def test_of_two_claims_on_one_point_one_gives_way(later_first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both trials choose before either has written."""
    study = optuna.create_study(sampler=grid())
    trials = [study.ask(), study.ask()]
    first, second = reversed(trials) if later_first else trials
    same = iter([3, 3])
    choose = GridSearchSampler._choose
    write = _sampler._write

    def choose_the_same(self: GridSearchSampler, *args: Any) -> int | None:
        return next(same, None) or choose(self, *args)

    def let_the_other_run(study: optuna.Study, trial: Any, key: str, value: int) -> None:
        write(study, trial, key, value)
        monkeypatch.setattr(_sampler, "_write", write)
        if trial.number == first.number:
            objective(second)

    monkeypatch.setattr(GridSearchSampler, "_choose", choose_the_same)
    monkeypatch.setattr(_sampler, "_write", let_the_other_run)
    monkeypatch.setattr(_sampler, "_PAUSE", 0.0)
    objective(first)
    assert first.params != second.params
    for trial in trials:
        study.tell(trial, 0.0)
    study.optimize(objective, n_trials=100)
    assert is_exactly_once(study)


WORKER = """
import sys, optuna, sqlalchemy
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from hpo_optuna.samplers.grid_search import GridExhausted, GridSearchSampler

url, study_name = sys.argv[1:]
optuna.logging.set_verbosity(optuna.logging.CRITICAL)
storage = optuna.storages.RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 60}})
sqlalchemy.event.listen(storage.engine, "connect", lambda c, _: c.execute("PRAGMA synchronous=OFF"))
storage.engine.dispose()
space = {"x": FloatDistribution(0, 3), "n": IntDistribution(1, 100, log=True), "c": CategoricalDistribution(["a", "b"])}
sampler = GridSearchSampler(space, points={"x": 4, "n": 2, "c": 2}, seed=0)

def objective(trial):
    trial.suggest_float("x", 0, 3), trial.suggest_int("n", 1, 100, log=True), trial.suggest_categorical("c", ["a", "b"])
    if trial.params["x"] == 1.0:
        raise ValueError
    return 0.0

study = optuna.load_study(study_name=study_name, storage=storage, sampler=sampler)
print("ready", flush=True)
sys.stdin.readline()
study.optimize(objective, n_trials=100, catch=(GridExhausted, ValueError))
"""


def test_four_processes_evaluate_every_point_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/grid.db"
    study = optuna.create_study(storage=url, study_name="grid")
    command = [sys.executable, "-c", WORKER, url, "grid"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(4)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.communicate("go\n")
    assert [worker.returncode for worker in workers] == [0] * 4
    assert is_exactly_once(study, 12)
    assert sorted(n for params, n in evaluated(study, TrialState.FAIL).items() if params) == [3, 3, 3, 3]
    assert grid().is_exhausted(study)


# -- what others put into the study -------------------------------------------------------------------------------


def test_an_enqueued_point_counts_as_evaluated() -> None:
    study = optuna.create_study(sampler=grid())
    study.enqueue_trial({"x": 1, "n": 100, "c": "b"})
    study.enqueue_trial({"x": 3.0, "n": 1.0, "c": "a"})
    study.optimize(objective, n_trials=100)
    assert is_exactly_once(study)
    assert len(study.trials) == N


def test_a_point_enqueued_in_part_is_completed_from_the_grid() -> None:
    study = optuna.create_study(sampler=grid())
    study.enqueue_trial({"x": 2.0})
    study.enqueue_trial({"x": 2.0, "c": "a"})
    study.optimize(objective, n_trials=100)
    assert [t.params["x"] for t in study.trials[:2]] == [2.0, 2.0]
    assert is_exactly_once(study)


def test_a_point_beside_the_grid_is_the_users_own() -> None:
    study = optuna.create_study(sampler=grid())
    study.enqueue_trial({"x": 0.123})
    study.enqueue_trial({"x": 0.123, "n": 7, "c": "a"})
    study.optimize(objective, n_trials=100)
    assert [t.params["x"] for t in study.trials[:2]] == [0.123, 0.123]
    assert len(study.trials) == N + 2
    assert is_exactly_once(study, N + 2)


def test_a_larger_grid_on_the_same_study_evaluates_what_is_new() -> None:
    study = optuna.create_study(sampler=grid())
    study.optimize(objective, n_trials=100)
    study.sampler = grid(points={**POINTS, "n": 3})
    study.optimize(objective, n_trials=100)
    assert is_exactly_once(study, 24)


def test_grid_search_sees_all_trials_behind_hyperband() -> None:
    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9)
    study = optuna.create_study(sampler=grid(), pruner=pruner)
    study.optimize(objective, n_trials=100)
    assert is_exactly_once(study)


def test_parameters_the_grid_does_not_have_are_errors_that_name_them() -> None:
    study = optuna.create_study(sampler=grid())
    with pytest.raises(ValueError, match=r"asks for 'momentum', but the grid has only \['c', 'n', 'x'\]"):
        study.ask().suggest_float("momentum", 0, 1)
    study.sampler = GridSearchSampler(SPACE, points={**POINTS, "x": [3.0]}, seed=0)
    with pytest.raises(ValueError, match=r"gives 'x' the value 3\.0, but the objective asks for"):
        study.ask().suggest_float("x", 0, 1)


def test_a_parameter_fixed_outside_of_the_grid_is_an_error() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.PartialFixedSampler({"x": 1.0}, grid())
    study = optuna.create_study(sampler=sampler)
    with pytest.raises(ValueError, match="'x' is fixed outside of the grid; give its value in points instead"):
        study.optimize(objective, n_trials=1)
