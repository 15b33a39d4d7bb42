"""Random kills at random moments, resumed until done: nothing lost, nothing doubled. `make soak` runs it."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import toys

from hpo_optuna import Budget, HyperparameterOptimizer
from hpo_optuna.matrix import open_studies
from hpo_optuna.storage import open_storage

KILLS = 100
LONGEST_SECONDS = 1200.0
SIGNALS = [signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT]

PLAN = """
    import sys
    sys.path.insert(0, {tests!r})
    import toys
    from hpo_optuna import Budget

    PLAN = toys.plan(budget=Budget(trials={trials}), replicates={replicates})
"""


def _kill_somebody(run: subprocess.Popen[bytes], dashboard: subprocess.Popen[bytes], chance: random.Random) -> bool:
    """Send a random signal to the run, one of its workers or the dashboard; False where it has ended already."""
    try:
        family = [psutil.Process(run.pid), *psutil.Process(run.pid).children(), psutil.Process(dashboard.pid)]
        chance.choice(family).send_signal(chance.choice(SIGNALS))
    except psutil.NoSuchProcess:
        return False
    return True


@pytest.mark.soak
@pytest.mark.parametrize("workers", [1, 3])
def test_a_comparison_killed_a_hundred_times_loses_and_doubles_nothing(tmp_path, workers):
    trials, replicates = (400, 1) if workers == 1 else (250, 3)
    plan = toys.write_plan(
        tmp_path, PLAN.format(tests=str(Path(__file__).parent), trials=trials, replicates=replicates)
    )
    url = f"sqlite:///{tmp_path}/hpo.db"
    expected_plan = toys.plan(budget=Budget(trials=trials), replicates=replicates)
    order = toys.command("run", plan, "--storage", url, "--workers", workers)
    chance = random.Random(workers)
    watch = toys.command("dashboard", plan, "--storage", url, "--port", "0")
    open_studies(expected_plan, open_storage(url))
    kills, ended, dashboards = 0, False, 0
    dashboard = subprocess.Popen(watch, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + LONGEST_SECONDS
    while kills < KILLS and not ended and time.monotonic() < until:
        run = subprocess.Popen(order, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while run.poll() is None and kills < KILLS:
            time.sleep(chance.uniform(0.1, 3.0))  # the moment of the kill, not a wait for anything
            kills += _kill_somebody(run, dashboard, chance)
            if dashboard.poll() is not None:
                dashboards += 1
                dashboard = subprocess.Popen(watch, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ended = run.wait() == 0
    dashboard.kill()
    dashboard.wait()
    print(f"{kills} kills, {dashboards} of them of a dashboard")
    done = subprocess.run(order, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr

    assert kills >= KILLS // 2, "the study was too small for this soak"
    assert sqlite3.connect(tmp_path / "hpo.db").execute("PRAGMA integrity_check").fetchone() == ("ok",)
    studies = HyperparameterOptimizer(expected_plan, url).status().studies
    for study in studies:
        assert study.count("RUNNING") == study.count("WAITING") == study.count("FAIL") == 0
        size = 48 if study.label == "grid" else trials
        assert len(study.finished) == size
        if study.label == "grid":
            assert len({tuple(t.params.items()) for t in study.finished}) == size
    if workers == 1:
        whole = toys.run(expected_plan, f"sqlite:///{tmp_path}/whole.db")
        assert {s.name: toys.results(s) for s in studies} == {s.name: toys.results(s) for s in whole}
