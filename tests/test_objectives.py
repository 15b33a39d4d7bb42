"""Two objectives: no pruning, the same promises, fronts compared by what they dominate."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import toys
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.pruners import MedianPruner
from optuna.storages import InMemoryStorage

from hpo_optuna import Budget, HyperparameterOptimizer, SamplerSpec
from hpo_optuna.errors import UserError
from hpo_optuna.fronts import box, front, scalar
from hpo_optuna.objectives import values_of
from hpo_optuna.pareto import hypervolume, nondominated
from hpo_optuna.tasks import Diverged, LeNet5Task

SPACE = {"x": FloatDistribution(0.0, 1.0), "n": IntDistribution(0, 3)}
SAMPLERS = {
    "grid": SamplerSpec("grid_search", points=3),
    "random": SamplerSpec("random_search"),
    "pso": SamplerSpec("pso"),
    "tpe": SamplerSpec("tpe", n_startup_trials=3),
    "nsga2": SamplerSpec("nsga2", population_size=3),
}


def quality_and_cost(config: Mapping[str, Any], *, seed: int) -> Iterator[tuple[float, float]]:
    """Three epochs; quality, to be maximized, grows with x, and so does the cost, which n adds to."""
    rng = np.random.default_rng(seed)
    for epoch in range(3):
        yield config["x"] ** 0.5 - 0.3 / (epoch + 1) + 0.001 * rng.standard_normal(), config["x"] + config["n"]


def fragile(config: Mapping[str, Any], *, seed: int) -> Iterator[tuple[float, float]]:
    scores = quality_and_cost(config, seed=seed)
    yield next(scores)
    if config["n"] == 3:
        raise Diverged("n is 3")
    yield from scores


def plan(**changes: Any) -> Any:
    fields = {
        "task": quality_and_cost,
        "space": SPACE,
        "samplers": SAMPLERS,
        "budget": Budget(trials=9),
        "direction": ("maximize", "minimize"),
        "pruner": None,
    }
    return toys.plan(**{**fields, **changes})


def results(study: Any) -> dict[int, Any]:
    return {t.index: (t.state, dict(t.params), t.values, t.epochs) for t in study if not t.void and not t.superseded}


def test_every_sampler_searches_two_objectives_and_resumes_to_the_same_trials() -> None:
    whole = HyperparameterOptimizer(plan(budget=Budget(trials=6)), InMemoryStorage())
    expected = {s.label: results(s) for s in whole.run(progress=False).studies}
    storage = InMemoryStorage()
    for trials in (4, 6):
        resumed = HyperparameterOptimizer(plan(budget=Budget(trials=trials)), storage)
        studies = resumed.run(progress=False).studies
    assert {s.label: results(s) for s in studies} == expected
    for study in studies:
        assert [len(t.values) for t in study] == [2] * 6
        assert study.epochs == 18
        assert study.best is None, "two objectives have no single winner"


def test_an_interrupted_trial_of_two_objectives_is_retried_and_counts_once() -> None:
    calls: list[int] = []

    def interrupted(config: Mapping[str, Any], *, seed: int) -> Iterator[tuple[float, float]]:
        for score in quality_and_cost(config, seed=seed):
            calls.append(1)
            if len(calls) == 8:
                raise KeyboardInterrupt
            yield score

    interrupted.__qualname__ = quality_and_cost.__qualname__
    samplers = {"random": SAMPLERS["random"]}
    [expected] = HyperparameterOptimizer(plan(samplers=samplers), InMemoryStorage()).run(progress=False).studies
    storage = InMemoryStorage()
    with pytest.raises(KeyboardInterrupt):
        HyperparameterOptimizer(plan(samplers=samplers, task=interrupted), storage).run(progress=False)
    [study] = HyperparameterOptimizer(plan(samplers=samplers), storage).run(progress=False).studies
    assert results(study) == results(expected)
    assert sum(t.superseded for t in study) == 1
    assert study.epochs == 27


def test_a_diverged_trial_has_no_place_on_the_front_and_stops_no_sampler() -> None:
    optimizer = HyperparameterOptimizer(plan(task=fragile, budget=Budget(trials=14)), InMemoryStorage())
    for study in optimizer.run(progress=False).studies:
        pruned = [t for t in study if t.state == "PRUNED"]
        assert all(t.params["n"] == 3 and t.values == () and t.epochs == 1 for t in pruned)
        assert {t.number for _, t in front([study])}.isdisjoint(t.number for t in pruned)


def test_a_budget_of_epochs_counts_them_without_reports() -> None:
    samplers = {"random": SAMPLERS["random"]}
    optimizer = HyperparameterOptimizer(plan(samplers=samplers, budget=Budget(epochs=10)), InMemoryStorage())
    [study] = optimizer.run(progress=False).studies
    assert study.epochs == 12
    assert len(study.finished) == 4


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"pruner": MedianPruner()}, "cannot be pruned.*pruner=None"),
        ({"direction": ("maximize", "up")}, "direction must be 'maximize' or 'minimize'"),
        ({"direction": ("maximize", "minimize", "minimize")}, "one objective or two"),
        ({"reference": (1.0,)}, "reference is one finite number for each of two objectives"),
        ({"direction": "maximize", "reference": (0.0, 1.0)}, "reference is one finite number"),
        (
            {"task": LeNet5Task(data="digits", costs=("parameters",)), "direction": "maximize"},
            r"parameters is to be minimized; give the plan direction=\('maximize', 'minimize'\)",
        ),
    ],
)
def test_a_plan_that_cannot_have_two_objectives_is_refused_with_the_cure(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        plan(**changes)


def test_a_score_with_another_number_of_values_fails_its_trial_with_the_reason() -> None:
    optimizer = HyperparameterOptimizer(plan(task=toys.bowl, space=toys.SPACE), InMemoryStorage())
    with pytest.raises(Exception, match="the plan has 2 objectives, the score"):
        optimizer.run(progress=False)


def test_what_a_score_is_worth() -> None:
    assert values_of(0.5) == (0.5,)
    assert values_of((1, 2)) == values_of(np.array([1, 2])) == (1.0, 2.0)
    assert values_of(np.float64(3)) == (3.0,)


def test_hypervolume_and_fronts_by_hand() -> None:
    points = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0], [3.0, 3.0], [2.0, 2.0], [5.0, 0.0]])
    assert nondominated(points).tolist() == [True, True, True, False, True, True]
    assert hypervolume(points, np.array([4.0, 4.0])) == 1 * 3 + 1 * 2 + 1 * 1
    assert hypervolume(points, np.array([1.0, 4.0])) == 0
    assert hypervolume(np.empty((0, 2)), np.array([1.0, 1.0])) == 0
    assert nondominated(np.empty((0, 2))).tolist() == []


@pytest.mark.parametrize("seed", range(3))
def test_hypervolume_is_that_of_optuna(seed: int) -> None:
    from optuna._hypervolume import compute_hypervolume

    points = np.random.default_rng(seed).integers(0, 8, (30, 2)).astype(float)
    reference = np.array([6.0, 7.0])
    inside = points[(points <= reference).all(axis=1)]
    assert hypervolume(points, reference) == pytest.approx(compute_hypervolume(inside, reference))


def test_best_so_far_is_what_the_front_dominates_against_one_reference_of_all_studies() -> None:
    given = plan(reference=(0.0, 5.0), replicates=2, samplers={k: SAMPLERS[k] for k in ("random", "nsga2")})
    studies = HyperparameterOptimizer(given, InMemoryStorage()).run(progress=False).studies
    common = box(studies)
    assert common is not None
    assert common.given
    assert common.reference == (0.0, 5.0)
    for study, view in zip(studies, scalar(studies), strict=True):
        shares = [t.value for t in view]
        assert shares == sorted(shares)
        assert shares[-1] == pytest.approx(common.share(np.array([t.values for _, t in front([study])])))
        assert 0 < shares[-1] <= 1
        assert view.direction == "maximize"
    assert scalar(scalar(studies)) == scalar(studies)


def test_the_page_shows_the_fronts_and_a_verdict_over_them(tmp_path: Path) -> None:
    several = plan(replicates=2, samplers={k: SAMPLERS[k] for k in ("random", "pso")}, budget=Budget(trials=5))
    optimizer = HyperparameterOptimizer(several, InMemoryStorage())
    optimizer.run(progress=False)
    assert "front of" in str(optimizer.status())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page, numbers, table = optimizer.report(tmp_path / "page.html")
    text = page.read_text()
    assert "The front of all studies together" in text
    assert "higher is better, lower is better" in text
    facts = json.loads(numbers.read_text())
    assert facts["metric"] == "hypervolume"
    assert facts["verdict"]["status"] != "preliminary"
    best = {s["study"]: s["score"] for s in facts["studies"]}
    assert best == pytest.approx(facts["front"]["hypervolume"])
    assert '"[' in table.read_text().splitlines()[1], "both values stand in the table"


def test_two_objectives_are_stored_as_optuna_stores_them(tmp_path: Path) -> None:
    storage, random = InMemoryStorage(), {"random": SAMPLERS["random"]}
    HyperparameterOptimizer(plan(samplers=random), storage).run(progress=False)
    study = optuna.load_study(study_name="toy/random/seed-0", storage=storage)
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert len(study.best_trials) == len(front(toys.records.read(study._storage, "toy")))
    with pytest.raises(UserError, match="has no finalize"):
        HyperparameterOptimizer(plan(samplers=random), storage).finalize(tmp_path)
    changed = HyperparameterOptimizer(plan(samplers=random, direction=("maximize", "maximize")), storage)
    with pytest.raises(UserError, match=r"another direction: .* was 'maximize/minimize', now 'maximize/maximize'"):
        changed.run(progress=False)
