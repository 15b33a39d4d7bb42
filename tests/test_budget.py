"""Budgets are hit exactly, in trials or in epochs, and the matrix of studies advances evenly."""

from __future__ import annotations

import pytest
import toys
from optuna.storages import InMemoryStorage

from hpo_optuna import Budget, HyperparameterOptimizer, SamplerSpec
from hpo_optuna.objective import void_reason
from hpo_optuna.plan import training_seed
from hpo_optuna.records import read_trials

RANDOM = {"random": SamplerSpec("random_search")}


@pytest.mark.parametrize("epochs", [1, 6, 7, 50])
def test_a_trial_starts_while_fewer_epochs_are_spent_than_the_budget(epochs):
    [study] = toys.run(toys.plan(samplers=RANDOM, budget=Budget(epochs=epochs), pruner=None), InMemoryStorage())
    assert len(study.finished) == -(-epochs // 6), "six epochs a trial, the last one is begun before the end"


def test_the_budget_that_is_spent_first_ends_the_study():
    few_trials = toys.plan(samplers=RANDOM, budget=Budget(trials=2, epochs=600), pruner=None)
    few_epochs = toys.plan(samplers=RANDOM, budget=Budget(trials=200, epochs=12), pruner=None)
    assert len(toys.run(few_trials, InMemoryStorage())[0].finished) == 2
    assert len(toys.run(few_epochs, InMemoryStorage())[0].finished) == 2


def test_a_failed_trial_costs_no_trial_but_its_index():
    def third_fails(config, *, seed):
        if seed == third:
            raise RuntimeError("once")
        yield from toys.bowl(config, seed=seed)

    third = training_seed(toys.plan(), replicate=0, index=2)
    [study] = toys.run(toys.plan(task=third_fails, samplers=RANDOM, budget=Budget(trials=5)), InMemoryStorage())
    assert [t.index for t in study.finished] == [0, 1, 3, 4, 5]
    assert [t.index for t in study if t.failed] == [2]


def test_an_extended_budget_goes_on_where_the_study_stood():
    storage = InMemoryStorage()
    [short] = toys.run(toys.plan(samplers=RANDOM, budget=Budget(trials=3)), storage)
    [long] = toys.run(toys.plan(samplers=RANDOM, budget=Budget(trials=7)), storage)
    assert long.trials[:3] == short.trials
    assert len(long.finished) == 7


def test_a_trial_asked_for_when_the_budget_was_taken_is_void_and_counted_nowhere():
    storage = InMemoryStorage()
    [study] = toys.run(toys.plan(samplers=RANDOM, budget=Budget(trials=3)), storage)
    extra = storage.create_new_trial(storage.get_study_id_from_name(study.name))
    trials = read_trials(storage.get_all_trials(storage.get_study_id_from_name(study.name)))
    assert "budget of 3 trials" in void_reason(trials, 3, Budget(trials=3))
    assert void_reason(trials, 3, Budget(trials=4)) is None
    assert extra == trials[3].number == trials[3].index == 3


def test_an_interrupted_comparison_is_still_fair():
    finished = []

    def stops_after_13(config, *, seed):
        if len(finished) == 13:
            raise KeyboardInterrupt
        yield from toys.bowl(config, seed=seed)
        finished.append(seed)

    storage = InMemoryStorage()
    plan = toys.plan(task=stops_after_13, replicates=2, pruner=None)
    with pytest.raises(KeyboardInterrupt):
        toys.run(plan, storage)

    done = [len(s.finished) for s in HyperparameterOptimizer(plan, storage).status().studies]
    assert sum(done) == 13
    assert max(done) - min(done) <= 1


def test_replicates_differ_and_samplers_of_one_replicate_share_training_seeds():
    seen = {}

    def notes_seeds(config, *, seed):
        seen.setdefault(len(seen), seed)
        yield from toys.bowl(config, seed=seed)

    toys.run(toys.plan(task=notes_seeds, replicates=2, budget=Budget(trials=4), pruner=None), InMemoryStorage())
    seeds = list(seen.values())
    assert len(seeds) == 3 * 2 * 4
    assert len(set(seeds)) == 2 * 4, "three samplers meet the same seeds, replicates and indices differ"
