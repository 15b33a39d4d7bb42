"""A configuration by hand is run next, counted in the budget, and seen by the samplers."""

from __future__ import annotations

import pytest
import toys
from optuna.storages import InMemoryStorage

from hpo_optuna import Budget, HyperparameterOptimizer, UserError
from hpo_optuna.enqueue import parse

MINE = {"x": 0.5, "n": 2, "k": "b"}


def test_it_is_run_first_and_takes_a_place_in_every_study():
    storage = InMemoryStorage()
    plan = toys.plan(budget=Budget(trials=5), replicates=2)
    assert HyperparameterOptimizer(plan, storage).enqueue(MINE) == 6
    for study in toys.run(plan, storage):
        assert study.trials[0].params == MINE
        assert study.trials[0].finished
        assert len(study.finished) == 5


def test_it_may_go_to_one_sampler_only():
    storage = InMemoryStorage()
    plan = toys.plan(budget=Budget(trials=2))
    assert HyperparameterOptimizer(plan, storage).enqueue(MINE, only=["pso"]) == 1
    assert [s.label for s in toys.run(plan, storage) if s.trials[0].params == MINE] == ["pso"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({**MINE, "x": 6.0}, r"x=6\.0 is outside -5\.0 to 5\.0"),
        ({**MINE, "n": 65}, "n=65 is outside the whole numbers 1 to 64"),
        ({**MINE, "n": "many"}, "n='many' is outside"),
        ({**MINE, "k": "d"}, "k='d' is outside the choices 'a', 'b', 'c'"),
        ({**MINE, "y": 1}, "y is no hyperparameter of this plan; it has x, n, k"),
        ({"x": 1.0}, "missing: n, k"),
    ],
)
def test_what_lies_outside_the_space_is_refused_and_nothing_is_queued(config, message):
    storage = InMemoryStorage()
    with pytest.raises(UserError, match=message):
        HyperparameterOptimizer(toys.plan(), storage).enqueue(config)
    assert storage.get_all_studies() == []


def test_a_taken_budget_is_said():
    storage = InMemoryStorage()
    plan = toys.plan(budget=Budget(trials=2))
    toys.run(plan, storage)
    with pytest.raises(UserError, match="budget of study toy/grid/seed-0 is taken"):
        HyperparameterOptimizer(plan, storage).enqueue(MINE)


def test_the_command_line_writes_values_as_text():
    assert parse(["x=0.5", "n=2", "k=b"], toys.SPACE) == MINE
    with pytest.raises(UserError, match="write NAME=VALUE"):
        parse(["x"], toys.SPACE)
    with pytest.raises(UserError, match="'few' is no number"):
        parse(["n=few"], toys.SPACE)
