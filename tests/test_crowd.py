"""Promise 2: any number of processes may work on one study; none needs to know of another."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import psutil
import toys

from hpo_optuna import Budget, HyperparameterOptimizer

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
