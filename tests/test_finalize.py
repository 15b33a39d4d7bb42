"""The test set is locked until the plan is finished; then each winner is retrained, tested and saved, once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import toys
from optuna.storages import InMemoryStorage

from hpo_optuna import Budget, HyperparameterOptimizer, SamplerSpec, UserError
from hpo_optuna.plan import training_seed
from hpo_optuna.tasks import FinalScore, LeNet5Task

SAMPLERS = {"random": SamplerSpec("random_search"), "pso": SamplerSpec("pso")}


@dataclass
class Exam:
    """A bowl with a test split that counts who looks."""

    seen: list = field(default_factory=list)
    fails_at: int = 10**9
    fingerprint = {}  # noqa: RUF012 -- a constant of this toy

    def __call__(self, config, *, seed):
        yield from toys.bowl(config, seed=seed)

    def finalize(self, config, *, seed, directory):
        if len(self.seen) == self.fails_at:
            raise KeyboardInterrupt
        self.seen.append((dict(config), seed))
        return FinalScore(accuracy=0.5 + 0.01 * len(self.seen), loss=1.0, path=Path(directory) / "model.pt")


def test_it_refuses_while_the_plan_is_unfinished_and_looks_at_nothing(tmp_path):
    task, storage = Exam(), InMemoryStorage()
    plan = toys.plan(task=task, samplers=SAMPLERS, budget=Budget(trials=4), replicates=2)
    toys.run(toys.plan(task=task, samplers=SAMPLERS, budget=Budget(trials=4)), storage)
    with pytest.raises(UserError, match="locked until the plan is finished; 2 of 4 studies are not"):
        HyperparameterOptimizer(plan, storage).finalize(tmp_path, progress=False)
    assert task.seen == []


def test_each_winner_is_tested_with_fresh_seeds_and_an_interrupted_call_goes_on(tmp_path):
    task, storage = Exam(fails_at=3), InMemoryStorage()
    plan = toys.plan(task=task, samplers=SAMPLERS, budget=Budget(trials=4))
    studies = toys.run(plan, storage)
    optimizer = HyperparameterOptimizer(plan, storage)
    with pytest.raises(KeyboardInterrupt):
        optimizer.finalize(tmp_path, seeds=2, progress=False)

    task.fails_at = 10**9
    results = optimizer.finalize(tmp_path, seeds=2, progress=False)
    again = optimizer.finalize(tmp_path, seeds=2, progress=False)

    assert len(task.seen) == 4, "two winners, two seeds, no model tested twice"
    assert again == results
    assert [r.params for r in results] == [dict(s.best.params) for s in studies]
    assert [r.validation for r in results] == [s.best.value for s in studies]
    assert [r.tests for r in results] == [(0.51, 0.52), (0.53, 0.54)]
    mean, low, high = results[0].interval()
    assert mean == pytest.approx(0.515)
    assert low < mean < high
    assert {seed for _, seed in task.seen}.isdisjoint(training_seed(plan, 0, t.index) for s in studies for t in s)


def test_a_look_at_another_winner_is_kept_beside_the_first(tmp_path):
    task, storage = Exam(), InMemoryStorage()
    samplers = {"random": SamplerSpec("random_search")}
    for trials in (2, 30):
        plan = toys.plan(task=task, samplers=samplers, budget=Budget(trials=trials))
        [study] = toys.run(plan, storage)
        HyperparameterOptimizer(plan, storage).finalize(tmp_path, seeds=1, progress=False)
    [study] = HyperparameterOptimizer(plan, storage).status().studies
    assert len({look["trial"] for look in study.attrs["final"]}) == 2
    assert study.attrs["extended"] is True


def test_lenet5_on_digits_is_finalized_from_the_command_line(tmp_path, monkeypatch, capsys):
    from hpo_optuna import cli

    monkeypatch.setenv("HPO_OPTUNA_DATA", str(tmp_path / "data"))
    words = ["lenet5_digits", "--storage", f"sqlite:///{tmp_path}/hpo.db", "--budget-trials", "1", "--replicates", "1"]
    assert cli.main(["run", *words]) == 0
    assert cli.main(["finalize", *words, "--seeds", "1", "--directory", str(tmp_path / "models")]) == 0
    assert "random/seed-0" in capsys.readouterr().out
    models = sorted(p.relative_to(tmp_path / "models").parts for p in (tmp_path / "models").rglob("model.pt"))
    assert [m[1] for m in models] == ["grid", "pso", "random"]
    assert LeNet5Task.metric == "validation accuracy"
