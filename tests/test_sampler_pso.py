"""The particle swarm as an algorithm: ownership, velocity, bests, duplicates, scales."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from hpo_optuna.samplers.pso import PSOSampler
from hpo_optuna.samplers.pso._cube import Cube
from hpo_optuna.samplers.random_search import RandomSearchSampler

XY: dict[str, BaseDistribution] = {"x": FloatDistribution(0.0, 1.0), "y": FloatDistribution(0.0, 1.0)}
SCREENS = pytest.mark.parametrize("screen", PSOSampler.SCREENS)


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)


def plain(**options: Any) -> PSOSampler:
    """The swarm without a screen and without chance beyond its equation."""
    return PSOSampler(**{"seed": 0, "screen": None, "mutation": 0.0, **options})


def positions(study: optuna.Study) -> np.ndarray[Any, Any]:
    return np.array([list(trial.params.values()) for trial in study.trials])


# -- the velocity equation ----------------------------------------------------------------------------------------


def test_a_trial_moves_the_particle_of_its_index() -> None:
    """With neither own best nor leader the equation is x + w v: each particle goes on as it went."""
    sampler = plain(n_particles=4, n_startup_trials=4, inertia=0.5, cognitive=0.0, social=0.0)
    study = optuna.create_study(sampler=sampler)
    rng = np.random.default_rng(0)
    for _ in range(24):
        study.tell(study.ask(XY), rng.random())
    x = positions(study)
    for i in range(8, 24):
        np.testing.assert_allclose(x[i], np.clip(x[i - 4] + 0.5 * (x[i - 4] - x[i - 8]), 0, 1))


def test_particles_start_on_their_best_initial_point() -> None:
    sampler = plain(n_particles=2, n_startup_trials=6, inertia=0.0, cognitive=0.0, social=0.0)
    study = optuna.create_study(sampler=sampler)
    for value in [5.0, 0.0, 3.0, 1.0, 4.0, 2.0]:
        study.tell(study.ask(XY), value)
    # Without any force a particle stays where it is; that being evaluated, it moves by the least noise.
    assert math.dist(study.ask(XY).params.values(), study.trials[2].params.values()) < 0.1
    assert math.dist(study.ask(XY).params.values(), study.trials[1].params.values()) < 0.1


def test_results_in_any_order_are_credited_to_the_particle_that_asked() -> None:
    """OptunaHub's PSO credits 38 of 180 right with four workers."""
    sampler = plain(n_particles=4, n_startup_trials=4, inertia=0.5, cognitive=0.0, social=0.0)
    study = optuna.create_study(sampler=sampler)
    rng = np.random.default_rng(1)
    for _ in range(6):
        trials = [study.ask(XY) for _ in range(4)]
        for i in rng.permutation(4):
            study.tell(trials[i], rng.random())
    x = positions(study)
    for i in range(8, 24):
        np.testing.assert_allclose(x[i], np.clip(x[i - 4] + 0.5 * (x[i - 4] - x[i - 8]), 0, 1))


def test_a_failed_trial_leaves_its_particle_where_it_was() -> None:
    sampler = plain(n_particles=2, n_startup_trials=2, inertia=0.5, cognitive=0.0, social=0.0)
    study = optuna.create_study(sampler=sampler)
    for i in range(10):
        trial = study.ask(XY)
        study.tell(trial, *([None, TrialState.FAIL] if i == 6 else [0.0]))
    x = positions(study)
    np.testing.assert_allclose(x[8], np.clip(x[4] + 0.5 * (x[4] - x[2]), 0, 1) * [1, 1], atol=0.1)  # x[6] again
    assert not np.array_equal(x[8], x[6])
    np.testing.assert_allclose(x[9], np.clip(x[7] + 0.5 * (x[7] - x[5]), 0, 1))


def test_a_retried_trial_moves_its_originals_particle() -> None:
    def run(*, die: bool) -> list[dict[str, Any]]:
        study = optuna.create_study(sampler=PSOSampler(XY, seed=0))
        for i in range(30):
            trial = study.ask(XY)
            if die and i == 17:
                study.tell(trial, state=TrialState.FAIL)
                study.add_trial(
                    optuna.create_trial(
                        state=TrialState.WAITING,
                        params=trial.params,
                        distributions=trial.distributions,
                        system_attrs={"retry_history": [trial.number]},
                    )
                )
                trial = study.ask(XY)
            study.tell(trial, math.dist(trial.params.values(), (0.3, 0.6)))
        return [t.params for t in study.trials if t.state == TrialState.COMPLETE]

    assert run(die=True) == run(die=False)


# -- bests --------------------------------------------------------------------------------------------------------


def finished(value: float | None, state: TrialState = TrialState.COMPLETE, **more: Any) -> optuna.trial.FrozenTrial:
    """A trial at x = its number of hundredths, with a value."""
    params = {"x": more.pop("x"), "y": 0.5}
    return optuna.create_trial(state=state, value=value, params=params, distributions=XY, **more)


def leader(trials: list[optuna.trial.FrozenTrial], direction: Any = "minimize") -> float:
    """Where the swarm is led to: with the social term alone, all particles fly from 0 to the leader's x."""
    sampler = PSOSampler(XY, seed=0)
    study = optuna.create_study(sampler=sampler, direction=direction)
    study.add_trials(trials)
    study.ask()
    view = sampler._view(study, study.trials[-1])
    history = view.history(Cube(XY))
    return float(history.x[history.ranking.leaders[0]][0])


PRUNED, COMPLETE = TrialState.PRUNED, TrialState.COMPLETE


def test_a_pruned_trial_is_evidence_and_not_a_best() -> None:
    good_but_pruned = finished(-9.0, PRUNED, x=0.1, intermediate_values={0: -9.0})
    assert leader([good_but_pruned, finished(3.0, x=0.2), finished(2.0, x=0.3)]) == 0.3
    assert leader([good_but_pruned, finished(None, PRUNED, x=0.2)]) == 0.1  # unless there is no other


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_surrogate_takes_a_pruned_trial_for_what_its_last_report_is_worth(direction: str) -> None:
    sign = 1.0 if direction == "minimize" else -1.0

    def trial(x: float, value: float | None, *reports: float) -> optuna.trial.FrozenTrial:
        state = PRUNED if value is None else COMPLETE
        curve = {step: sign * report for step, report in enumerate(reports)}
        shown = sign * (reports[-1] if value is None else value)
        return finished(shown, state, x=x, intermediate_values=curve)

    sampler = PSOSampler(XY, seed=0)
    study = optuna.create_study(sampler=sampler, direction=direction)
    study.add_trials([trial(0.1, 1.0, 30.0, 10.0), trial(0.2, 2.0, 50.0, 20.0), trial(0.3, 4.0, 70.0, 40.0)])
    study.add_trials([trial(0.4, None, 30.0), trial(0.5, None, 60.0, 30.0), trial(0.6, None, 90.0)])
    study.add_trials([trial(0.7, None, 60.0, 60.0, 5.0)])  # at a step that no complete trial reported
    study.ask()
    history = sampler._view(study, study.trials[-1]).history(Cube(XY))
    assert dict(zip(history.x[:, 0].round(3), history.score, strict=True)) == {
        0.1: 1.0, 0.2: 2.0, 0.3: 4.0, 0.4: 1.0, 0.5: 3.0, 0.6: 4.0, 0.7: 5.0,
    }  # fmt: skip


def test_infinite_and_missing_values_are_the_worst() -> None:
    assert leader([finished(math.inf, x=0.1), finished(-math.inf, x=0.2), finished(7.0, x=0.3)]) == 0.3
    assert leader([finished(None, PRUNED, x=0.1), finished(7.0, x=0.3)]) == 0.3
    assert leader([finished(math.inf, x=0.1), finished(7.0, PRUNED, x=0.3, intermediate_values={0: 7.0})]) == 0.3


def test_what_is_maximised_is_maximised() -> None:
    trials = [finished(1.0, x=0.1), finished(5.0, x=0.2), finished(3.0, x=0.3)]
    assert leader(trials, "maximize") == 0.2
    assert leader(trials, "minimize") == 0.1


def test_ties_go_to_the_earlier_trial() -> None:
    assert leader([finished(1.0, x=0.1), finished(1.0, x=0.2)]) == 0.1


def test_constraints_follow_debs_rule() -> None:
    def constrained(value: float, x: float, *constraints: float) -> optuna.trial.FrozenTrial:
        attrs = {f"constraints:{i}": c for i, c in enumerate(constraints)}
        return finished(value, x=x, system_attrs=attrs)

    much, little = constrained(1.0, 0.1, 3.0, -1.0), constrained(2.0, 0.2, 0.5, 0.5)
    assert leader([much, little]) == 0.2
    assert leader([much, little, constrained(9.0, 0.3, 0.0, -1.0)]) == 0.3
    assert leader([constrained(9.0, 0.3, -1.0), constrained(8.0, 0.4, -0.1)]) == 0.4


def test_maximising_is_minimising_mirrored() -> None:
    def run(direction: Any, sign: float) -> list[dict[str, Any]]:
        study = optuna.create_study(direction=direction, sampler=PSOSampler(XY, seed=0))
        for _ in range(25):
            trial = study.ask(XY)
            study.tell(trial, sign * math.dist(trial.params.values(), (0.3, 0.6)))
        return [t.params for t in study.trials]

    assert run("minimize", 1.0) == run("maximize", -1.0)


# -- the space ----------------------------------------------------------------------------------------------------

DISTRIBUTIONS: list[BaseDistribution] = [
    FloatDistribution(-3.0, 5.0),
    FloatDistribution(1e-5, 1e-1, log=True),
    FloatDistribution(0.1, 0.7, step=0.1),
    FloatDistribution(-1e300, 1e300),
    IntDistribution(-3, 5),
    IntDistribution(2, 20, step=3),
    IntDistribution(1, 7, log=True),
    IntDistribution(1, 10**12, log=True),
    IntDistribution(0, 10**12),
    CategoricalDistribution(["a", None, 3, True]),
]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=str)
def test_values_and_coordinates_belong_together(distribution: BaseDistribution) -> None:
    cube = Cube({"p": distribution})
    for u in [0.0, 1.0, *np.random.default_rng(0).random(200)]:
        x = cube.snap(np.array([[u]]))
        value = cube.to_params(x[0])["p"]
        assert distribution._contains(distribution.to_internal_repr(value))
        assert type(value) is type(distribution.to_external_repr(distribution.to_internal_repr(value)))
        again = cube.to_unit({"p": value})
        assert again is not None
        np.testing.assert_allclose(again, x[0], atol=1e-9)
        if cube.levels[0] is not None:
            assert cube.to_params(again)["p"] == value


def test_logarithmic_scales_are_searched_by_their_logarithm() -> None:
    """OptunaHub's PSO ignores the scale."""
    space: dict[str, BaseDistribution] = {
        "lr": FloatDistribution(1e-6, 1.0, log=True),
        "n": IntDistribution(1, 1024, log=True),
    }
    study = optuna.create_study(sampler=plain(n_startup_trials=60))
    params = [study.ask(space).params for _ in range(60)]
    assert sum(p["lr"] < 1e-3 for p in params) == 30  # a Latin hypercube: exactly half
    assert sum(p["n"] < 32 for p in params) == pytest.approx(30, abs=2)


def test_the_first_trials_are_a_latin_hypercube() -> None:
    study = optuna.create_study(sampler=plain(n_startup_trials=16))
    x = np.array([list(study.ask(XY).params.values()) for _ in range(16)])
    assert [sorted(column) for column in np.floor(x * 16).astype(int).T] == [list(range(16))] * 2


def test_the_hypercube_is_the_same_whether_the_space_is_declared_or_found() -> None:
    def first(sampler: PSOSampler) -> list[dict[str, Any]]:
        study = optuna.create_study(sampler=sampler)
        return [study.ask(XY).params for _ in range(10)]

    assert first(PSOSampler(XY, seed=3)) == first(PSOSampler(seed=3))


SMALL: dict[str, BaseDistribution] = {
    "n": IntDistribution(1, 4, log=True),
    "c": CategoricalDistribution(["a", "b", "c"]),
    "q": FloatDistribution(0.0, 0.5, step=0.5),
}


@SCREENS
@pytest.mark.parametrize("told", [True, False], ids=["finished", "pending"])
def test_no_configuration_is_proposed_twice(told: bool, screen: Any) -> None:
    study = optuna.create_study(sampler=PSOSampler(SMALL, seed=0, screen=screen))
    configurations = set()
    for i in range(24):
        trial = study.ask(SMALL)
        configurations.add(tuple(trial.params.values()))
        if told:
            study.tell(trial, *([None, TrialState.FAIL] if i % 5 == 3 else [float(i % 7)]))
    assert len(configurations) == 24


@SCREENS
def test_a_space_that_is_spent_is_searched_on(screen: Any) -> None:
    study = optuna.create_study(sampler=PSOSampler(SMALL, seed=0, screen=screen))
    for i in range(30):
        study.tell(study.ask(SMALL), float(i % 7))
    assert len(study.trials) == 30


def test_steps_are_on_the_grid_and_none_is_replaced_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """OptunaHub's PSO proposes values off the grid, and Optuna replaces these by random draws, silently."""
    space: dict[str, BaseDistribution] = {
        "q": FloatDistribution(0.0, 2.1, step=0.3),
        "k": IntDistribution(3, 30, step=9),
    }
    study = optuna.create_study(sampler=PSOSampler(space, seed=0))
    monkeypatch.setattr(PSOSampler, "sample_independent", lambda *_: pytest.fail("a value was off the grid"))
    for _ in range(30):
        trial = study.ask(space)
        study.tell(trial, trial.params["q"] + trial.params["k"])


@SCREENS
def test_categories_are_learned(screen: Any) -> None:
    """OptunaHub's PSO draws categories at random for ever."""
    space: dict[str, BaseDistribution] = {"c": CategoricalDistribution("abcdefgh"), "x": FloatDistribution(0, 1)}
    study = optuna.create_study(sampler=PSOSampler(space, seed=0, screen=screen))
    for _ in range(60):
        trial = study.ask(space)
        study.tell(trial, abs("abcdefgh".index(trial.params["c"]) - 5) + trial.params["x"])
    late = [trial.params["c"] for trial in study.trials[30:]]
    assert late.count("f") > 15


# -- what it is for -----------------------------------------------------------------------------------------------


@SCREENS
@pytest.mark.parametrize("pruning", [False, True], ids=["complete", "a third pruned"])
def test_it_converges_where_random_search_does_not(screen: Any, pruning: bool) -> None:
    space: dict[str, BaseDistribution] = {
        "x": FloatDistribution(-5.0, 5.0),
        "lr": FloatDistribution(1e-5, 1.0, log=True),
        "n": IntDistribution(1, 100),
    }

    def objective(trial: optuna.Trial) -> float:
        x, lr, n = (
            trial.suggest_float("x", -5, 5),
            trial.suggest_float("lr", 1e-5, 1, log=True),
            trial.suggest_int("n", 1, 100),
        )
        value = (x - 1) ** 2 + (math.log10(lr) + 3) ** 2 + ((n - 37) / 20) ** 2
        trial.report(value, 0)
        if trial.should_prune():
            raise optuna.TrialPruned
        return value

    def best(sampler: optuna.samplers.BaseSampler) -> float:
        pruner = optuna.pruners.PercentilePruner(20.0, n_startup_trials=4) if pruning else optuna.pruners.NopPruner()
        study = optuna.create_study(sampler=sampler, pruner=pruner)
        study.optimize(objective, n_trials=45)
        assert not pruning or len(study.get_trials(states=(PRUNED,))) >= 12
        return study.best_value

    seeds = range(1 if screen == "gp" else 3)
    ratios = [best(PSOSampler(space, seed=s, screen=screen)) / best(RandomSearchSampler(space, seed=s)) for s in seeds]
    assert np.median(ratios) < 0.2


def test_options_are_checked() -> None:
    for options, message in [
        ({"seed": -1}, "seed must be a non-negative integer or None, got -1"),
        ({"n_particles": 1}, "n_particles must be at least 2, got 1"),
        ({"n_startup_trials": 0}, "n_startup_trials must be at least 1, got 0"),
        ({"n_candidates": 0}, "n_candidates must be at least 1, got 0"),
        ({"inertia": 1.5}, "inertia must be between 0 and 1, got 1.5"),
        ({"cognitive": -1}, "cognitive must be between 0 and 4, got -1"),
        ({"social": 5}, "social must be between 0 and 4, got 5"),
        ({"mutation": 2}, "mutation must be between 0 and 1, got 2"),
        ({"screen": "oracle"}, "screen must be one of .*, got 'oracle'"),
        ({"search_space": {"x": 3}}, r"search_space\['x'\] must be an Optuna distribution, got 3"),
    ]:
        with pytest.raises(ValueError, match=message):
            PSOSampler(**options)  # type: ignore[arg-type]
