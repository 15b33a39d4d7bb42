"""The test set is locked until the plan is finished; then each winner is retrained, tested and saved, once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import optuna
import pytest
import toys
from filelock import FileLock
from optuna.storages import InMemoryStorage

from hpo_optuna import Budget, HyperparameterOptimizer, SamplerSpec, UserError
from hpo_optuna.final_results import FinalResult, by_sampler, results
from hpo_optuna.looks import events
from hpo_optuna.plan import training_seed
from hpo_optuna.tasks import Diverged, FinalScore, LeNet5Task

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


def test_a_second_look_is_refused_without_a_reason_and_recorded_with_one(tmp_path):
    task, storage = Exam(), InMemoryStorage()
    plan = toys.plan(task=task, samplers={"random": SamplerSpec("random_search")}, budget=Budget(trials=2))
    toys.run(plan, storage)
    optimizer = HyperparameterOptimizer(plan, storage)
    optimizer.finalize(tmp_path, seeds=1, progress=False)
    with pytest.raises(UserError, match=r"was opened on .* say why: --again REASON"):
        optimizer.finalize(tmp_path, seeds=3, progress=False)
    assert len(task.seen) == 1
    [result] = optimizer.finalize(tmp_path, seeds=3, again="one model is too few", progress=False)
    assert len(task.seen) == len(result.tests) == 3
    entries = events(optimizer.status().studies)
    assert [(e.kind, e.why, e.seeds) for e in entries] == [
        ("opened", "the plan is finished", 1),
        ("opened", "one model is too few", 3),
    ]
    assert all("@" in e.by and e.command for e in entries)
    with pytest.raises(UserError, match="nothing new to see: 3 models of each winner are tested"):
        optimizer.finalize(tmp_path, seeds=3, again="curious", progress=False)
    assert "The test set was opened 2 times" in str(optimizer.status())


@pytest.mark.parametrize("reason", ["", "  ", True])
def test_a_reason_has_words(tmp_path, reason):
    with pytest.raises(UserError, match="needs a reason in words"):
        finish_one(Exam(), InMemoryStorage(), trials=2).finalize(tmp_path, again=reason, progress=False)


def finish_one(task, storage, *, trials, samplers=("random",)):
    plan = toys.plan(task=task, samplers={s: SAMPLERS[s] for s in samplers}, budget=Budget(trials=trials))
    optimizer = HyperparameterOptimizer(plan, storage)
    optimizer.run(progress=False)
    return optimizer


def test_a_plan_extended_after_finalize_is_reopened_on_record_and_keeps_both_looks(tmp_path, capsys):
    task, storage = Exam(), InMemoryStorage()
    finish_one(task, storage, trials=2).finalize(tmp_path, seeds=1, progress=False)
    plan = toys.plan(task=task, samplers={"random": SAMPLERS["random"]}, budget=Budget(trials=30))
    optimizer = HyperparameterOptimizer(plan, storage)
    optimizer.run()
    assert "finalize had closed this plan" in " ".join(capsys.readouterr().out.split())
    assert "The plan was reopened on" in " ".join(str(optimizer.status()).split())
    with pytest.raises(UserError, match="--again REASON"):
        optimizer.finalize(tmp_path, seeds=1, progress=False)
    optimizer.finalize(tmp_path, seeds=1, again="the plan was too small", progress=False)
    [study] = optimizer.status().studies
    assert len({look["trial"] for look in study.attrs["final"]}) == 2
    assert study.attrs["extended"] is True
    entries = events([study])
    assert [e.kind for e in entries] == ["opened", "reopened", "opened"]
    assert "from 2 trials in each study; 1 replicate to 30 trials" in entries[1].why
    [latest], [earlier] = results([study])
    assert (latest.trial, earlier.trial) == (study.best.number, entries[0].winners[study.name])


def test_a_sampler_added_after_finalize_reopens_the_plan_and_running_it_as_it_was_does_not(tmp_path):
    task, storage = Exam(), InMemoryStorage()
    finish_one(task, storage, trials=2).finalize(tmp_path, seeds=1, progress=False)
    once = finish_one(task, storage, trials=2)
    assert [e.kind for e in events(once.status().studies)] == ["opened"]
    more = finish_one(task, storage, trials=2, samplers=("random", "pso"))
    reopened = events(more.status().studies)[-1]
    assert (reopened.kind, reopened.why) == ("reopened", "studies were added to the plan")


def test_what_one_study_did_not_get_to_log_another_one_has(tmp_path):
    task, storage = Exam(), InMemoryStorage()
    optimizer = finish_one(task, storage, trials=2, samplers=("random", "pso"))
    first = optimizer.status().studies[0].name
    optimizer.finalize(tmp_path, seeds=1, progress=False)
    optuna.load_study(study_name=first, storage=storage).set_user_attr("test_set", [])  # died before it wrote here
    optimizer.finalize(tmp_path, seeds=1, progress=False)
    assert len(task.seen) == 2
    assert [e.kind for e in events(optimizer.status().studies)] == ["opened"]


def test_a_model_that_diverges_is_told_and_not_averaged(tmp_path):
    class Shaky(Exam):
        def finalize(self, config, *, seed, directory):
            score = super().finalize(config, seed=seed, directory=directory)
            if len(self.seen) == 2:
                raise Diverged("the loss is NaN")
            return score

    [result] = finish_one(Shaky(), InMemoryStorage(), trials=2).finalize(tmp_path, seeds=3, progress=False)
    assert (result.tests, result.diverged) == ((0.51, 0.53), 1)


def test_a_missing_test_split_is_one_clear_error(tmp_path):
    class Lost(Exam):
        def finalize(self, config, *, seed, directory):
            raise ValueError("'data' has no folder 'test'")

    with pytest.raises(UserError, match="toy/random/seed-0: 'data' has no folder 'test'"):
        finish_one(Lost(), InMemoryStorage(), trials=2).finalize(tmp_path, progress=False)


def test_two_processes_do_not_finalize_at_once(tmp_path):
    optimizer = finish_one(Exam(), f"sqlite:///{tmp_path}/hpo.db", trials=2)
    (tmp_path / "hpo.db-artifacts").mkdir()
    with (
        FileLock(tmp_path / "hpo.db-artifacts" / "finalize.lock", is_singleton=False),
        pytest.raises(UserError, match="another process finalizes"),
    ):
        optimizer.finalize(tmp_path, progress=False)


def test_samplers_are_summed_up_over_replicates_and_the_gap_is_what_flatters():
    def winner(replicate, validation, *tests, direction="maximize"):
        return FinalResult("pso", replicate, 0, {}, validation, tests, (), 0, direction)

    [pso] = by_sampler([winner(0, 0.95, 0.90, 0.92), winner(1, 0.97, 0.94, 0.94), winner(2, 0.99, 0.99)])
    assert (pso.replicates, pso.models) == (3, 5)
    mean, low, high = pso.test
    half = 4.302652729911275 * np.std([0.91, 0.94, 0.99], ddof=1) / np.sqrt(3)  # t of 97.5 %, 2 degrees of freedom
    assert (mean, low, high) == pytest.approx((2.84 / 3, 2.84 / 3 - half, 2.84 / 3 + half))
    assert pso.gap[0] == pytest.approx((0.04 + 0.03 + 0.0) / 3)
    [alone] = by_sampler([winner(0, 1.0, 1.5, direction="minimize")])
    assert alone.gap[0] == pytest.approx(0.5)
    assert np.isnan(alone.test[1:]).all()


def test_lenet5_on_digits_is_finalized_from_the_command_line(tmp_path, monkeypatch, capsys):
    from hpo_optuna import cli

    monkeypatch.setenv("HPO_OPTUNA_DATA", str(tmp_path / "data"))
    words = ["lenet5_digits", "--storage", f"sqlite:///{tmp_path}/hpo.db", "--budget-trials", "1", "--replicates", "1"]
    assert cli.main(["run", *words]) == 0
    assert cli.main(["finalize", *words, "--seeds", "1", "--directory", str(tmp_path / "models")]) == 0
    assert "random/seed-0" in capsys.readouterr().out
    models = sorted(p.relative_to(tmp_path / "models").parts for p in (tmp_path / "models").rglob("model.pt"))
    assert [m[1] for m in models] == ["grid", "pso", "random"]
    assert LeNet5Task().score_name == "validation accuracy"


def test_a_database_without_a_folder_beside_it_says_where_the_models_are(tmp_path, capsys):
    finish_one(Exam(), InMemoryStorage(), trials=2).finalize(tmp_path, seeds=1)
    assert f"The models lie in {tmp_path}; artifacts lie beside an SQLite file" in capsys.readouterr().out
