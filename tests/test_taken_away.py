"""A worker that was suspended while another declared its trial dead drops the trial and goes on."""

from __future__ import annotations

import os
import subprocess
import sys

import optuna
import pytest
import toys
from optuna.trial import TrialState

from hpo_optuna import Budget, SamplerSpec
from hpo_optuna.deaths import end_dead_trial
from hpo_optuna.plan import suggest
from hpo_optuna.processes import is_dead, this_process


@pytest.mark.parametrize("epoch", [0, 2, 5], ids=["at the start", "in the middle", "after the last report"])
def test_the_trial_is_dropped_its_retry_is_run_and_every_index_is_there_once(tmp_path, epoch):
    url = f"sqlite:///{tmp_path}/hpo.db"
    taken = []

    def slept(config, *, seed):
        for step, score in enumerate(toys.bowl(config, seed=seed)):
            yield score
            if step == epoch and len(taken) < 1:
                study = optuna.load_study(study_name="toy/random/seed-0", storage=url)
                [running] = study.get_trials(states=(TrialState.RUNNING,))
                if running.number == 2:
                    taken.append(running.number)
                    end_dead_trial(study, running, "another host thought so")

    samplers = {"random": SamplerSpec("random_search")}
    [expected] = toys.run(toys.plan(samplers=samplers, pruner=None), f"sqlite:///{tmp_path}/whole.db")
    [actual] = toys.run(toys.plan(task=slept, samplers=samplers, pruner=None), url)

    assert taken == [2]
    assert actual.trials[2].superseded
    assert toys.results(actual) == toys.results(expected)


def test_a_worker_that_was_slow_to_choose_drops_the_trial_too(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/hpo.db"
    taken = []

    def slow(trial, name, distribution):
        if trial.number == 2 and len(trial.params) == 1 and not taken:
            taken.append(name)
            study = optuna.load_study(study_name="toy/random/seed-0", storage=url)
            end_dead_trial(study, study.get_trials()[2], "it was slow to sign")
        return suggest(trial, name, distribution)

    samplers = {"random": SamplerSpec("random_search")}
    [expected] = toys.run(toys.plan(samplers=samplers, pruner=None), f"sqlite:///{tmp_path}/whole.db")
    monkeypatch.setattr("hpo_optuna.objective.suggest", slow)
    [actual] = toys.run(toys.plan(samplers=samplers, pruner=None), url)

    assert taken
    assert actual.trials[2].superseded
    assert toys.results(actual) == toys.results(expected)


def test_a_trial_finished_after_its_retry_was_queued_counts_once(tmp_path):
    url = f"sqlite:///{tmp_path}/hpo.db"
    samplers = {"random": SamplerSpec("random_search")}
    toys.run(toys.plan(samplers=samplers, budget=Budget(trials=3)), url)
    study = optuna.load_study(study_name="toy/random/seed-0", storage=url)
    end_dead_trial(study, study.get_trials()[2], "it was complete already")

    [record] = toys.run(toys.plan(samplers=samplers, budget=Budget(trials=4)), url)
    assert [t.index for t in record.finished] == [0, 1, 2, 3]
    assert record.count("WAITING") == 0


def test_processes_are_told_apart_by_host_pid_and_start():
    me = this_process()
    assert not is_dead(me)
    assert is_dead({**me, "started": me["started"] - 100}), "the pid was given to another process"
    assert is_dead({**me, "pid": 2**22 + 1})
    assert not is_dead({**me, "host": "elsewhere", "pid": 2**22 + 1}), "only heartbeats judge other hosts"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
def test_a_forked_worker_is_not_taken_for_its_parent():
    code = (
        "import os\n"
        "from hpo_optuna.processes import this_process\n"
        "mine = this_process()\n"
        "if child := os.fork():\n"
        "    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "os._exit(0 if this_process()['pid'] == os.getpid() != mine['pid'] else 1)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
