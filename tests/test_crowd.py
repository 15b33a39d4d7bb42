"""Promise 2: any number of processes may work on one study; none needs to know of another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import urllib.request
from pathlib import Path

import optuna
import psutil
import pytest
import toys
from optuna.trial import TrialState, create_trial

from hpo_optuna import Budget, HyperparameterOptimizer
from hpo_optuna.matrix import open_studies
from hpo_optuna.storage import open_storage

WAITING = create_trial(state=TrialState.WAITING)

FOUR = """
    import sys
    sys.path.insert(0, {tests!r})
    import toys
    from hpo_optuna import Budget

    PLAN = toys.plan(samplers={{"random": toys.SAMPLERS["random"]}}, budget=Budget(trials=30))
"""


def test_four_processes_that_nobody_coordinates_hit_the_budget_exactly(tmp_path):
    plan = toys.write_plan(tmp_path, FOUR.format(tests=str(Path(__file__).parent)))
    url = f"sqlite:///{tmp_path}/hpo.db"
    workers = [
        subprocess.Popen(toys.command("worker", plan, "--storage", url), stderr=subprocess.PIPE) for _ in range(4)
    ]
    said = [worker.communicate()[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4, said

    samplers = {"random": toys.SAMPLERS["random"]}
    [study] = HyperparameterOptimizer(toys.plan(samplers=samplers), url).status().studies
    assert len(study.finished) == 30
    assert [t.number for t in study] == list(range(len(study.trials)))
    assert len({t.worker["pid"] for t in study.finished}) > 1
    assert study.count("RUNNING") == study.count("WAITING") == 0
    configurations = [tuple(t.params.items()) for t in study.finished]
    assert len(set(configurations)) == 30, "random draws are keyed by the index: no two workers draw the same"


CROWD = """
    import sys
    sys.path.insert(0, {tests!r})
    import toys
    from hpo_optuna import Budget

    samplers = {{label: toys.SAMPLERS[label] for label in ("grid", "random")}}
    PLAN = toys.plan(samplers=samplers, budget=Budget(trials={trials}))
"""


@pytest.mark.parametrize(
    ("workers", "trials"), [(8, 24), pytest.param(16, 160, marks=pytest.mark.soak)], ids=["8 workers", "16 workers"]
)
def test_a_crowd_on_one_sqlite_file_and_a_dashboard_that_polls_it_disturb_nobody(tmp_path, workers, trials):
    plan = toys.write_plan(tmp_path, CROWD.format(tests=str(Path(__file__).parent), trials=trials))
    url = f"sqlite:///{tmp_path}/hpo.db"
    samplers = {label: toys.SAMPLERS[label] for label in ("grid", "random")}
    wanted = toys.plan(samplers=samplers, budget=Budget(trials=trials))
    open_studies(wanted, open_storage(url))
    order = toys.command("dashboard", plan, "--storage", url, "--port", "0")
    dashboard = subprocess.Popen(order, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = next(word for word in dashboard.stdout.readline().split() if word.startswith("http://127.0.0.1:"))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        order = toys.command("run", plan, "--storage", url, "--workers", workers)
        run = subprocess.Popen(order, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        polls = 0
        while run.poll() is None:
            for path in ("api/studies", "api/studies/1"):
                with opener.open(f"{address}{path}") as answer:
                    json.load(answer)
                polls += 1
        said = run.communicate()[1]
    finally:
        dashboard.kill()
        dashboard.communicate()
    assert run.returncode == 0, said
    assert "locked" not in said
    assert polls > 0
    assert ("PostgreSQL" in said) == (workers > 8)

    for study in HyperparameterOptimizer(wanted, url).status().studies:
        size = min(trials, 48) if study.label == "grid" else trials
        assert [t.number for t in study] == list(range(len(study.trials)))
        assert sorted(t.index for t in study.finished) == list(range(size))
        assert len({tuple(t.params.items()) for t in study.finished}) == size
        assert all(len(t.scores) == 6 for t in study.finished if t.state == "COMPLETE"), "no report was lost"
        assert all(0 < len(t.scores) <= 6 for t in study.finished)
        assert study.count("RUNNING") == study.count("WAITING") == study.count("FAIL") == 0


def test_a_waiting_trial_is_begun_by_one_of_all_that_want_it(tmp_path):
    url = f"sqlite:///{tmp_path}/hpo.db"
    study = optuna.create_study(storage=open_storage(url))
    waiting = [study._storage.create_new_trial(study._study_id, WAITING) for _ in range(25)]
    begun, gate = [], threading.Barrier(4)

    def take() -> None:
        storage = open_storage(url)
        gate.wait()
        begun.extend(number for number in waiting if storage.set_trial_state_values(number, TrialState.RUNNING))

    takers = [threading.Thread(target=take) for _ in range(4)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    assert sorted(begun) == waiting


def test_workers_that_are_killed_are_replaced_and_nothing_is_lost_or_doubled(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()

    def deadly(config, *, seed):
        for epoch, score in enumerate(toys.bowl(config, seed=seed)):
            if epoch == 1 and seed % 3 == 0 and not (marks / str(seed)).exists():
                (marks / str(seed)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield score

    samplers = {"grid": toys.SAMPLERS["grid"]}
    plan = toys.plan(task=deadly, samplers=samplers, budget=Budget(trials=100))  # the grid has 4 * 4 * 3 points
    [study] = toys.run(plan, f"sqlite:///{tmp_path}/hpo.db", workers=2)

    assert list(marks.iterdir())
    points = [tuple(t.params.items()) for t in study.finished]
    assert len(points) == len(set(points)) == 48
    assert study.count("RUNNING") == study.count("WAITING") == study.count("FAIL") == 0


def test_workers_orphaned_by_sigkill_of_their_parent_finish_their_trials_and_leave(tmp_path):
    tests = str(Path(__file__).parent)
    plan = toys.write_plan(
        tmp_path,
        f"""
        import os, signal, sys, time
        from pathlib import Path
        sys.path.insert(0, {tests!r})
        import psutil, toys
        from hpo_optuna import Budget

        def task(config, *, seed):
            yield 1.0
            parent = psutil.Process(os.getppid())
            if "run" in parent.cmdline():
                parent.kill()
                parent.wait()
                yield 2.0
            yield 3.0

        PLAN = toys.plan(task=task, samplers={{"random": toys.SAMPLERS["random"]}}, budget=Budget(trials=1000))
        """,
    )
    url = f"sqlite:///{tmp_path}/hpo.db"
    parent = subprocess.Popen(toys.command("run", plan, "--storage", url, "--workers", "2"), stdout=subprocess.DEVNULL)
    assert parent.wait() == -signal.SIGKILL
    optimizer = HyperparameterOptimizer(toys.plan(samplers={"random": toys.SAMPLERS["random"]}), url)
    pids = {t.worker["pid"] for [study] in [optimizer.status().studies] for t in study if t.worker}
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=60)
    assert not alive, "orphans leave"

    [study] = optimizer.status().studies
    assert 0 < len(study.finished) < 20
    assert any(t.scores == (1.0, 2.0, 3.0) for t in study.finished), "the trial that ran was finished"
    assert study.count("RUNNING") == 0
