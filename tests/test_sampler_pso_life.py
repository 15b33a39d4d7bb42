"""The swarm lives in the trials alone: whatever process asks, whatever was put among them, it goes on."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState
from test_sampler_resume import open_database

from hpo_optuna.samplers.pso import PSOSampler, _book
from hpo_optuna.samplers.pso._index import trial_indices

SPACE: dict[str, BaseDistribution] = {
    "x": FloatDistribution(-5.0, 5.0),
    "lr": FloatDistribution(1e-4, 1.0, log=True),
    "n": IntDistribution(1, 9),
    "c": CategoricalDistribution(["a", "b", "c"]),
}
SCREENS = pytest.mark.parametrize("screen", PSOSampler.SCREENS)


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)


def loss(params: dict[str, Any]) -> float:
    return float(
        params["x"] ** 2 + (math.log10(params["lr"]) + 2) ** 2 + abs(params["n"] - 4) + "bca".index(params["c"])
    )


def worked_by(workers: int, study: optuna.Study, n: int, seed: int = 0) -> None:
    """Trials finish in an order of chance: complete, pruned, failed or not at all."""
    rng = np.random.default_rng(seed)
    pending: list[optuna.Trial] = []
    for _ in range(n):
        pending.append(study.ask(SPACE))
        if len(pending) < workers:
            continue
        trial = pending.pop(int(rng.integers(len(pending))))
        fate = rng.random()
        if fate < 0.15:
            study.tell(trial, state=TrialState.FAIL)
        elif fate < 0.4:
            trial.report(loss(trial.params), 0)
            study.tell(trial, state=TrialState.PRUNED)
        elif fate < 0.95:
            study.tell(trial, loss(trial.params))


def copy_of(study: optuna.Study, sampler: PSOSampler) -> optuna.Study:
    """The same history in another study, as another process would read it."""
    other = optuna.create_study(study_name=study.study_name, sampler=sampler)
    other.add_trials(study.get_trials())
    return other


# -- one history, one next trial ----------------------------------------------------------------------------------


@SCREENS
def test_the_same_history_gives_the_same_next_trial_after_eight_workers(screen: Any) -> None:
    study = optuna.create_study(sampler=PSOSampler(SPACE, seed=0, screen=screen))
    worked_by(8, study, 60)
    other = copy_of(study, PSOSampler(SPACE, seed=0, screen=screen))
    assert [other.ask(SPACE).params for _ in range(3)] == [study.ask(SPACE).params for _ in range(3)]


@pytest.mark.parametrize("workers", [1, 3, 8])
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "undeclared"])
def test_dropping_the_cache_at_every_ask_changes_nothing(workers: int, declared: bool) -> None:
    class Forgetful(PSOSampler):
        def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
            self._cache.clear()

    def run(kind: type[PSOSampler]) -> list[tuple[Any, ...]]:
        study = optuna.create_study(sampler=kind(SPACE if declared else None, seed=0))
        study.enqueue_trial({"x": 1.0, "lr": 0.5, "n": 3, "c": "b"})
        worked_by(workers, study, 50)
        return [(t.state, t.params) for t in study.trials]

    assert run(Forgetful) == run(PSOSampler)


CHILD = """
import sys, optuna
sys.path.insert(0, sys.argv[2])
from test_sampler_pso_life import SPACE, PSOSampler
optuna.logging.set_verbosity(optuna.logging.CRITICAL)
study = optuna.load_study(study_name="s", storage=sys.argv[1], sampler=PSOSampler(SPACE))
print([study.ask(SPACE).params for _ in range(3)])
"""


def test_another_process_without_a_seed_continues_the_same_swarm(tmp_path: Path) -> None:
    storage = open_database(tmp_path / "swarm.db")
    study = optuna.create_study(storage=storage, study_name="s", sampler=PSOSampler(SPACE))
    worked_by(2, study, 18)
    (tmp_path / "copy.db").write_bytes((tmp_path / "swarm.db").read_bytes())
    expected = [study.ask(SPACE).params for _ in range(3)]
    command = [sys.executable, "-c", CHILD, f"sqlite:///{tmp_path}/copy.db", str(Path(__file__).parent)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == str(expected)


def test_the_books_index_is_the_index() -> None:
    """The vectorised copy of the rule against the plain one, on histories of chance."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        study = optuna.create_study()
        for number in range(30):
            history = study.trials[int(rng.integers(number))].number if number and rng.random() < 0.3 else None
            earlier = study.trials[history].system_attrs.get("retry_history", []) if history is not None else []
            bare = rng.random() < 0.4
            study.add_trial(
                optuna.create_trial(
                    state=TrialState.FAIL if bare or rng.random() < 0.3 else TrialState.RUNNING,
                    params={} if bare else {"x": 0.5},
                    distributions={} if bare else {"x": FloatDistribution(0, 1)},
                    system_attrs={} if history is None else {"retry_history": [*earlier, history]},
                )
            )
        book = _book.Book()
        book._update(study, 0, read_all=True)
        rows = {name: column[:30] for name, column in book._rows.items()}
        assert _book.trial_indices(rows)[:30].tolist() == list(trial_indices(study.trials).values())


def test_a_sampler_travels_without_its_cache() -> None:
    sampler = PSOSampler(SPACE, seed=0)
    study = optuna.create_study(sampler=sampler)
    worked_by(1, study, 20)
    study.sampler = pickle.loads(pickle.dumps(sampler))
    expected = copy_of(study, sampler).ask(SPACE).params
    assert study.ask(SPACE).params == expected


def test_two_studies_of_one_name_are_not_mixed_up(tmp_path: Path) -> None:
    sampler = PSOSampler(SPACE, seed=0)
    storage = open_database(tmp_path / "studies.db")
    params = []
    for sign in (1.0, -1.0, 1.0):
        study = optuna.create_study(study_name="s", storage=storage, sampler=sampler)
        for _ in range(18):
            trial = study.ask(SPACE)
            study.tell(trial, sign * loss(trial.params))
        params.append([t.params for t in study.trials])
        optuna.delete_study(study_name="s", storage=storage)
    assert params[0] == params[2] != params[1]


def test_threads_share_one_sampler() -> None:
    study = optuna.create_study(sampler=PSOSampler(seed=0))

    def objective(trial: optuna.Trial) -> float:
        return trial.suggest_float("x", -1, 1) ** 2 + trial.suggest_int("k", 0, 9)

    study.optimize(objective, n_trials=40, n_jobs=4)
    assert {t.state for t in study.trials} == {TrialState.COMPLETE}
    assert study.best_value < 0.1


# -- what others put into the study -------------------------------------------------------------------------------


def test_an_enqueued_trial_takes_its_index_and_shifts_no_other() -> None:
    """In OptunaHub's PSO one enqueued trial shifts every particle after it."""

    def run(enqueue: bool) -> list[dict[str, Any]]:
        study = optuna.create_study(sampler=PSOSampler(SPACE, seed=0))
        for number in range(10):
            if enqueue and number == 3:
                study.enqueue_trial({"x": 1.0, "lr": 0.5, "n": 3, "c": "b"})
            study.tell(study.ask(SPACE), 1.0)
        return [t.params for t in study.trials]

    with_it, without = run(True), run(False)
    assert with_it[3] == {"x": 1.0, "lr": 0.5, "n": 3, "c": "b"}
    assert with_it[:3] + with_it[4:] == without[:3] + without[4:]


def test_void_trials_shift_no_other() -> None:
    def run(voids: set[int]) -> list[dict[str, Any]]:
        study = optuna.create_study(sampler=PSOSampler(SPACE, seed=0))
        for i in range(24):
            if i in voids:
                study.tell(study.ask(), state=TrialState.FAIL)
            trial = study.ask(SPACE)
            study.tell(trial, loss(trial.params))
        return [t.params for t in study.trials if t.params]

    assert run({0, 4, 17}) == run(set())


def test_trials_of_other_samplers_lead_the_swarm() -> None:
    """Fifteen trials of the swarm alone are its hypercube; these go on from the leader they find."""
    foreign = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    for _ in range(30):
        trial = foreign.ask(SPACE)
        foreign.tell(trial, loss(trial.params))

    def best(history: list[FrozenTrial]) -> float:
        study = optuna.create_study(sampler=PSOSampler(SPACE, seed=0))
        study.add_trials(history)
        for _ in range(15):
            trial = study.ask(SPACE)
            study.tell(trial, loss(trial.params))
        return study.best_value

    assert best(foreign.trials) < foreign.best_value


def test_a_trial_enqueued_in_part_is_completed_by_the_swarm() -> None:
    study = optuna.create_study(sampler=PSOSampler(SPACE, seed=0))
    study.enqueue_trial({"c": "b"})
    for _ in range(3):
        trial = study.ask(SPACE)
        study.tell(trial, loss(trial.params))
    assert study.trials[0].params["c"] == "b"


def test_trials_outside_of_the_space_do_no_harm() -> None:
    study = optuna.create_study(sampler=PSOSampler(SPACE, seed=0))
    other: dict[str, BaseDistribution] = {"x": FloatDistribution(-50, 50), "c": CategoricalDistribution(["z"])}
    study.add_trial(optuna.create_trial(params={"x": 40.0, "c": "z"}, distributions=other, value=-1.0))
    for _ in range(25):
        trial = study.ask({name: SPACE[name] for name in ("x", "lr", "n")})
        study.tell(trial, trial.params["x"] ** 2)
    assert study.trials[-1].params["x"] ** 2 < 1.0


# -- conditional spaces, constraints, several objectives ------------------------------------------------------------


@SCREENS
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "undeclared"])
def test_conditional_parameters_are_learned_by_the_trials_that_have_them(declared: bool, screen: Any) -> None:
    """OptunaHub's PSO invents values for parameters that a trial does not have."""
    space: dict[str, BaseDistribution] = {
        "kind": CategoricalDistribution(["svm", "forest"]),
        "C": FloatDistribution(1e-3, 1e3, log=True),
        "depth": IntDistribution(1, 32),
    }

    def objective(trial: optuna.Trial) -> float:
        if trial.suggest_categorical("kind", ["svm", "forest"]) == "svm":
            return 1.0 + abs(math.log10(trial.suggest_float("C", 1e-3, 1e3, log=True)) - 1)
        return abs(trial.suggest_int("depth", 1, 32) - 20) / 10

    study = optuna.create_study(sampler=PSOSampler(space if declared else None, seed=0, screen=screen))
    study.optimize(objective, n_trials=60)
    assert {tuple(t.params) for t in study.trials} == {("kind", "C"), ("kind", "depth")}
    late = study.trials[30:]
    assert sum(t.params["kind"] == "forest" for t in late) > 15
    assert study.best_value <= 0.1
    assert np.median([abs(t.params["depth"] - 20) for t in late if "depth" in t.params]) <= 4


def test_independent_parameters_are_drawn_apart() -> None:
    study = optuna.create_study(sampler=PSOSampler(seed=0, n_startup_trials=1, n_particles=2))

    def objective(trial: optuna.Trial) -> float:
        name = f"p{trial.number}"
        return trial.suggest_float(f"{name}a", 0, 1) - trial.suggest_float(f"{name}b", 0, 1)

    study.optimize(objective, n_trials=10)
    assert all(len(set(t.params.values())) == 2 for t in study.trials)


def test_constraints_are_kept() -> None:
    study = optuna.create_study(sampler=PSOSampler(seed=0))

    def objective(trial: optuna.Trial) -> float:
        x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)
        trial.set_constraint("sum", 1.0 - x - y)
        return x**2 + y**2  # 0.5 at best

    study.optimize(objective, n_trials=60)
    feasible = [t.value for t in study.trials if t.constraints["sum"] <= 0 and t.value is not None]
    assert 0.5 <= min(feasible) < 0.55


@SCREENS
def test_several_objectives_spread_over_the_front(screen: Any) -> None:
    """Schaffer's problem in three dimensions: OptunaHub's PSO refuses several objectives."""

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        x = np.array([trial.suggest_float(name, -3.0, 5.0) for name in "xyz"])
        return float((x**2).sum()), -float(((x - 2) ** 2).sum())

    def volume(sampler: optuna.samplers.BaseSampler) -> float:
        study = optuna.create_study(directions=["minimize", "maximize"], sampler=sampler)
        study.optimize(objective, n_trials=80)
        points = sorted(
            (t.values[0], -t.values[1]) for t in study.best_trials if t.values[0] < 30 and t.values[1] > -30
        )
        edges = [*(p[0] for p in points[1:]), 30.0]
        return sum((right - x) * (30.0 - y) for (x, y), right in zip(points, edges, strict=True))

    random = np.median([volume(optuna.samplers.RandomSampler(seed=s)) for s in range(3)])
    assert np.median([volume(PSOSampler(seed=s, screen=screen)) for s in range(3)]) > 1.1 * random


def test_hyperband_does_not_hide_trials_from_the_swarm() -> None:
    def objective(trial: optuna.Trial) -> float:
        value = trial.suggest_float("x", -1, 1) ** 2
        for step in range(9):
            trial.report(value, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return value

    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9)
    study = optuna.create_study(sampler=PSOSampler(seed=0), pruner=pruner)
    study.optimize(objective, n_trials=40)
    assert study.best_value < 1e-3


def test_a_pruner_that_is_wrong_half_of_the_time_does_not_stop_the_swarm() -> None:
    def best(sampler: optuna.samplers.BaseSampler, seed: int) -> float:
        study = optuna.create_study(sampler=sampler)
        pruned = np.random.default_rng(seed).random(60) < 0.5
        for n in range(60):
            trial = study.ask()
            value = sum((trial.suggest_float(name, -1, 1) - 0.3) ** 2 for name in "xyz")
            trial.report(value, 0)
            study.tell(trial, state=TrialState.PRUNED if pruned[n] else None, values=None if pruned[n] else value)
        return study.best_value

    plain = [best(PSOSampler(seed=seed, screen=None), seed) for seed in range(5)]
    assert np.median([best(PSOSampler(seed=seed), seed) for seed in range(5)]) < 0.1 * np.median(plain)


def prune(trial: optuna.Trial) -> float:
    raise optuna.TrialPruned


WORST: dict[str, Any] = {
    "all infinite": lambda trial: math.inf,
    "all pruned": prune,
    "all equal": lambda trial: 1.0,
    "as large as floats go": lambda trial: (trial.params["x"] - 0.5) * 1e308,
    "some infinite, some pruned": lambda trial: prune(trial) if trial.number % 3 else math.inf,
    "none feasible": lambda trial: trial.set_constraint("c", 1.0 + trial.params["x"]) or trial.params["k"],
    "two, one infinite": lambda trial: (trial.params["x"], math.inf if trial.number % 2 else -trial.params["x"]),
    "two, both infinite": lambda trial: (math.inf, -math.inf),
}


@SCREENS
@pytest.mark.parametrize("name", WORST)
def test_objectives_from_which_nothing_can_be_learned_stop_no_search(name: str, screen: Any) -> None:
    def objective(trial: optuna.Trial) -> Any:
        trial.suggest_float("x", 0, 1), trial.suggest_int("k", 0, 10**15), trial.suggest_categorical("c", "ab")
        return WORST[name](trial)

    directions = ["minimize", "maximize"] if name.startswith("two") else ["minimize"]
    study = optuna.create_study(directions=directions, sampler=PSOSampler(seed=0, screen=screen))
    study.optimize(objective, n_trials=25)
    assert len({tuple(t.params.values()) for t in study.trials}) == 25
