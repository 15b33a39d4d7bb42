"""The pruning audit: trials that the pruner stopped train on, and nothing of the search changes."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import optuna
import pytest
import toys
from optuna.pruners import ThresholdPruner
from optuna.storages import InMemoryStorage

from hpo_optuna import Budget, HyperparameterOptimizer, UserError
from hpo_optuna.audit import is_audited
from hpo_optuna.export import trials_table
from hpo_optuna.loading import load_plan, override
from hpo_optuna.plan import training_seed
from hpo_optuna.records import AUDIT, read_trials
from hpo_optuna.tasks.task import Diverged

PSO = {"pso": toys.SAMPLERS["pso"]}


def stopped(study):
    return [t for t in study.finished if t.state == "PRUNED"]


@pytest.mark.parametrize("label", ["grid", "random", "pso"])
def test_the_search_is_the_same_without_an_audit_with_a_part_and_with_a_full_one(label):
    found = {}
    for audit in (0.0, 0.4, 1.0):
        plan = toys.plan(samplers={label: toys.SAMPLERS[label]}, budget=Budget(trials=24), audit=audit)
        [found[audit]] = toys.run(plan, InMemoryStorage())

    assert toys.results(found[0.0]) == toys.results(found[0.4]) == toys.results(found[1.0])
    assert found[0.0].epochs == found[0.4].epochs == found[1.0].epochs
    chosen = {audit: {t.index for t in stopped(study) if t.audit} for audit, study in found.items()}
    assert chosen[0.0] == set()
    assert chosen[1.0] == {t.index for t in stopped(found[1.0])}
    assert chosen[0.0] < chosen[0.4] < chosen[1.0]


def test_an_audited_trial_has_the_scores_that_its_configuration_and_seed_give_alone():
    [study] = toys.run(toys.plan(samplers=PSO, audit=1.0), InMemoryStorage())
    for trial in stopped(study):
        alone = tuple(toys.bowl(trial.params, seed=training_seed(toys.plan(), 0, trial.index)))
        assert trial.scores + trial.audit.scores == alone
        assert trial.value == trial.scores[-1]


def test_epochs_of_the_audit_are_outside_a_budget_of_epochs():
    budget = Budget(epochs=60)
    [without] = toys.run(toys.plan(samplers=PSO, budget=budget, audit=0.0), InMemoryStorage())
    [audited] = toys.run(toys.plan(samplers=PSO, budget=budget, audit=1.0), InMemoryStorage())
    assert toys.results(audited) == toys.results(without)
    assert any(t.audit and t.audit.scores for t in audited)


def test_seconds_of_the_audit_are_not_seconds_of_the_search():
    storage = InMemoryStorage()
    toys.run(toys.plan(samplers=PSO, audit=0.0), storage)
    study = optuna.load_study(study_name="toy/pso/seed-0", storage=storage)
    whole = next(t for t in study.get_trials() if t.state.name == "PRUNED")
    whole.user_attrs[AUDIT] = {"scores": [1.0], "seconds": whole.duration.total_seconds() / 4}
    study.add_trial(whole)

    record = HyperparameterOptimizer(toys.plan(samplers=PSO), storage).status().studies[0]
    plain, charged = record.trials[whole.number], record.trials[-1]
    assert charged.seconds == pytest.approx(0.75 * plain.seconds)
    assert record.audit_seconds == pytest.approx(0.25 * plain.seconds)


def test_what_goes_wrong_after_the_pruner_stopped_a_trial_is_written_down_and_changes_nothing():
    def breaks(config, *, seed):
        for epoch, score in enumerate(toys.bowl(config, seed=seed)):
            if epoch == 4 and score > 12:  # long since stopped by a pruner that takes no more than 10
                raise Diverged("loss is NaN") if seed % 2 else RuntimeError("out of memory")
            yield score

    fields = {"samplers": PSO, "pruner": ThresholdPruner(upper=10.0)}
    [audited] = toys.run(toys.plan(task=breaks, audit=1.0, **fields), InMemoryStorage())
    [without] = toys.run(toys.plan(audit=0.0, **fields), InMemoryStorage())

    assert toys.results(audited) == toys.results(without)
    broken = [t.audit for t in stopped(audited) if len(t.scores) + len(t.audit.scores) == 4]
    assert {a.diverged for a in broken} == {"loss is NaN", None}
    assert {a.error for a in broken} == {"RuntimeError: out of memory", None}
    assert all((a.diverged is None) != (a.error is None) for a in broken)


PLAN_THAT_ENDS_ITSELF = """
    import os, signal, sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    import toys

    SIGNALS = {signals!r}  # x of trials that the pruner stops -> what ends their worker two epochs later

    def task(config, *, seed):
        x = f"{{config['x']:.3f}}"
        marker = Path({folder!r}) / x
        for epoch, score in enumerate(toys.bowl(config, seed=seed)):
            if epoch == 5 and x in SIGNALS and not marker.exists():
                marker.touch()
                os.kill(os.getpid(), SIGNALS[x])
            yield score

    PLAN = toys.plan(task=task, samplers={{"pso": toys.SAMPLERS["pso"]}}, audit=1.0)
"""


def test_a_worker_that_ends_in_the_unreported_part_costs_a_retry_and_changes_nothing(tmp_path):
    [expected] = toys.run(toys.plan(samplers=PSO, audit=1.0), InMemoryStorage())
    chosen = [f"{t.params['x']:.3f}" for t in stopped(expected) if len(t.scores) < 5]
    signals = dict(zip(chosen, (signal.SIGKILL.value, signal.SIGTERM.value), strict=False))
    marks = tmp_path / "marks"
    marks.mkdir()
    tests = str(Path(__file__).parent)
    path = toys.write_plan(tmp_path, PLAN_THAT_ENDS_ITSELF.format(tests=tests, folder=str(marks), signals=signals))
    url = f"sqlite:///{tmp_path}/hpo.db"

    killed = subprocess.run(toys.command("run", path, "--storage", url), capture_output=True, check=False)
    with pytest.raises(KeyboardInterrupt):
        toys.run(load_plan(str(path)), url)
    [actual] = toys.run(load_plan(str(path)), url)

    assert killed.returncode == -signal.SIGKILL
    assert len(os.listdir(marks)) == 2
    assert toys.results(actual) == toys.results(expected)
    assert [t.audit.scores for t in stopped(actual)] == [t.audit.scores for t in stopped(expected)]
    assert [t.audit for t in actual if t.superseded] == [None, None]


def test_a_plan_may_change_its_audit_and_is_not_extended_by_it():
    storage = InMemoryStorage()
    toys.run(toys.plan(samplers=PSO, audit=0.0, budget=Budget(trials=6)), storage)
    [study] = toys.run(toys.plan(samplers=PSO, audit=1.0), storage)
    assert len(study.finished) == 12
    [again] = toys.run(toys.plan(samplers=PSO, audit=0.5), storage)
    assert again == study


def test_about_the_stated_share_is_audited():
    plan = toys.plan(audit=0.25)
    chosen = sum(is_audited(plan, replicate, index) for replicate in range(10) for index in range(100))
    assert 210 < chosen < 290


@pytest.mark.parametrize("share", [-0.1, 1.01, float("nan"), "0.5", True, None])
def test_a_share_outside_0_to_1_is_refused_by_name(share):
    with pytest.raises(UserError, match="audit must be a share of the pruned trials between 0 and 1, got"):
        toys.plan(audit=share)


def test_the_command_line_changes_the_share():
    assert override(toys.plan(), audit=0.0).audit == 0.0
    assert override(toys.plan(audit=0.7)).audit == 0.7


def test_unreported_scores_leave_the_database_in_a_column_of_their_own():
    [study] = toys.run(toys.plan(samplers=PSO, audit=1.0), InMemoryStorage())
    table = trials_table([study]).set_index("number")
    for trial in study:
        assert table["audit"].isna()[trial.number] == (trial.state == "COMPLETE")


@pytest.mark.parametrize("foreign", ["yes", 3, [1.0], {"scores": [1.0]}, {"scores": ["a"], "seconds": 1}])
def test_another_tools_attribute_of_this_name_is_no_audit(foreign):
    made = optuna.create_trial(value=1.0, user_attrs={AUDIT: foreign})
    assert read_trials([made])[0].audit is None
