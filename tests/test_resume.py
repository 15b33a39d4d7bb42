"""Promise 1: trials killed by anything at any moment and resumed are, index by index, the trials of one go."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
import toys

from hpo_optuna import Budget, HyperparameterOptimizer, deaths, processes, storage
from hpo_optuna.matrix import open_studies

LABELS = ["grid", "random", "pso"]


def failing_bowl(config, *, seed):
    """The bowl, where about one training seed of eight raises."""
    if seed % 8 == 0:
        raise RuntimeError("this seed fails")
    yield from toys.bowl(config, seed=seed)


@pytest.mark.parametrize("label", LABELS)
def test_36_trials_in_one_go_are_13_and_11_and_12_with_pruned_and_failing_ones(tmp_path, label):
    samplers = {label: toys.SAMPLERS[label]}
    whole = toys.plan(task=failing_bowl, samplers=samplers, budget=Budget(trials=36))
    [expected] = toys.run(whole, f"sqlite:///{tmp_path}/whole.db")

    for trials in (13, 24, 36):
        part = toys.plan(task=failing_bowl, samplers=samplers, budget=Budget(trials=trials))
        [actual] = toys.run(part, f"sqlite:///{tmp_path}/parts.db")

    assert expected.count("PRUNED") > 0
    assert expected.count("FAIL") > 0
    assert len(expected.finished) == 36
    assert toys.results(actual) == toys.results(expected)


PLAN_THAT_ENDS_ITSELF = """
    import os, signal, sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    import toys

    NUMBER = signal.{signal}

    def task(config, *, seed):
        for epoch, score in enumerate(toys.bowl(config, seed=seed)):
            marker = Path({folder!r}) / f"{{config['x']:.3f}}"
            if epoch == 1 and seed % 3 != 0 and len(os.listdir(marker.parent)) < 5 and not marker.exists():
                marker.touch()
                os.kill(os.getpid(), NUMBER)
            yield score

    PLAN = toys.plan(task=task, name="toy")
"""


def _run_until_done(plan: Path, url: str, code: int) -> int:
    """Run the same command until it ends well; how often it was ended before."""
    for times in range(40):
        ended = subprocess.run(toys.command("run", plan, "--storage", url), capture_output=True, text=True, check=False)
        if ended.returncode == 0:
            return times
        assert ended.returncode == code, ended.stderr
    raise AssertionError("the run never came to its end")


@pytest.mark.parametrize(
    ("name", "code"), [("SIGKILL", -signal.SIGKILL), ("SIGTERM", 130), ("SIGINT", 130)], ids=lambda v: str(v)
)
def test_a_run_ended_by_a_signal_in_the_middle_of_trials_and_resumed_equals_an_uninterrupted_one(tmp_path, name, code):
    marks = tmp_path / "marks"
    marks.mkdir()
    tests = str(Path(__file__).parent)
    plan = toys.write_plan(tmp_path, PLAN_THAT_ENDS_ITSELF.format(tests=tests, signal=name, folder=str(marks)))

    url = f"sqlite:///{tmp_path}/ended.db"
    times = _run_until_done(plan, url, code)
    expected = {s.name: toys.results(s) for s in toys.run(toys.plan(), f"sqlite:///{tmp_path}/whole.db")}

    assert times == len(os.listdir(marks)) == 5
    studies = HyperparameterOptimizer(toys.plan(), url).status().studies
    assert {s.name: toys.results(s) for s in studies} == expected
    for study in studies:
        assert study.count("RUNNING") == study.count("WAITING") == 0


@pytest.mark.parametrize("label", LABELS)
def test_a_trial_whose_worker_died_before_it_signed_is_void_and_moves_nothing(tmp_path, label, monkeypatch):
    monkeypatch.setattr(deaths, "UNCLAIMED_SECONDS", 0.0)
    samplers = {label: toys.SAMPLERS[label]}
    [expected] = toys.run(toys.plan(samplers=samplers), f"sqlite:///{tmp_path}/whole.db")

    url = f"sqlite:///{tmp_path}/died.db"
    toys.run(toys.plan(samplers=samplers, budget=Budget(trials=5)), url)
    database = storage.open_storage(url)
    [opened] = open_studies(toys.plan(samplers=samplers), database)
    database.create_new_trial(opened.study._study_id)  # what `ask` does first, and then nothing more
    [actual] = toys.run(toys.plan(samplers=samplers), url)

    assert [t.number for t in actual if t.void] == [5]
    assert toys.results(actual) == toys.results(expected)


def test_a_retry_keeps_index_parameters_and_place_in_the_budget(tmp_path):
    url = f"sqlite:///{tmp_path}/hpo.db"
    samplers = {"pso": toys.SAMPLERS["pso"]}
    toys.run(toys.plan(samplers=samplers, budget=Budget(trials=4)), url)
    database = storage.open_storage(url)
    [opened] = open_studies(toys.plan(samplers=samplers), database)
    dead = database.create_new_trial(opened.study._study_id)
    database.set_trial_user_attr(dead, "worker", {**processes.this_process(), "pid": 2**22 + 1})
    database.set_trial_param(dead, "x", 1.25, toys.SPACE["x"])

    [record] = toys.run(toys.plan(samplers=samplers, budget=Budget(trials=6)), url)

    original, retry = record.trials[4:6]
    assert (original.state, original.superseded, original.index) == ("FAIL", True, 4)
    assert (retry.history, retry.index, retry.params["x"]) == ((4,), 4, 1.25)
    assert [t.index for t in record.finished] == [0, 1, 2, 3, 4, 5]


def test_running_again_when_nothing_is_left_changes_no_trial(tmp_path):
    url = f"sqlite:///{tmp_path}/hpo.db"
    before = toys.run(toys.plan(), url)
    assert toys.run(toys.plan(), url) == before
