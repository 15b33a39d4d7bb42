"""The recipe for Slurm: submitit's jobs are workers, and a job that Slurm warns queues its trial again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from runpy import run_path

import pytest
import toys

from hpo_optuna import Budget, HyperparameterOptimizer

RECIPE = Path(__file__).parents[1] / "docs" / "slurm_workers.py"
SAMPLERS = {label: toys.SAMPLERS[label] for label in ("grid", "random")}
PLAN = f"""
    import os, signal, sys
    from pathlib import Path
    sys.path.insert(0, {str(Path(__file__).parent)!r})
    import toys
    from hpo_optuna import Budget

    def task(config, *, seed):
        warned = Path(__file__).with_name("warned")
        for epoch, score in enumerate(toys.bowl(config, seed=seed)):
            if epoch == 2 and not warned.exists() and @WARN@:
                warned.touch()
                os.kill(os.getpid(), signal.SIGUSR2)
            yield score

    PLAN = toys.plan(task=task, samplers={{k: toys.SAMPLERS[k] for k in {tuple(SAMPLERS)}}}, budget=Budget(trials=10))
"""


def studies(url: str):
    return HyperparameterOptimizer(toys.plan(samplers=SAMPLERS, budget=Budget(trials=10)), url).status().studies


def test_two_jobs_of_submitit_do_a_plan(tmp_path):
    pytest.importorskip("submitit", reason="the extra [slurm] is not installed")
    plan, url = toys.write_plan(tmp_path, PLAN.replace("@WARN@", "False")), f"sqlite:///{tmp_path}/hpo.db"
    order = [sys.executable, str(RECIPE), str(plan), "--storage", url, "--cluster", "local", "--jobs", "2"]
    done = subprocess.run(order, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("found nothing left to do") == 2
    for study in studies(url):
        assert [t.number for t in study] == list(range(10))
        assert len(study.finished) == 10


def test_a_job_that_slurm_warns_queues_its_trial_again(tmp_path):
    plan, url = toys.write_plan(tmp_path, PLAN.replace("@WARN@", "True")), f"sqlite:///{tmp_path}/hpo.db"
    job = run_path(str(RECIPE))["job"]
    assert job(str(plan), url) == "was asked to end, and its trial is queued again"
    waiting = [t for s in studies(url) for t in s if t.state == "WAITING"]
    assert len(waiting) == 1
    assert job(str(plan), url) == "found nothing left to do"
    assert all(len(s.finished) == 10 and s.count("WAITING") == 0 for s in studies(url))
