"""Promise 1 with two objectives: killed by SIGKILL and resumed, a study of fronts is that of one go."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import toys

from hpo_optuna import HyperparameterOptimizer
from hpo_optuna.fronts import front, scalar
from hpo_optuna.loading import load_plan

KILLS = 2
# The samplers of the plan that ships, on a task of milliseconds whose process is killed at two calls of it.
PLAN = """
    import dataclasses, os, signal
    from itertools import count
    from pathlib import Path
    import numpy as np
    from hpo_optuna import Budget
    from hpo_optuna.loading import load_plan

    MARKS = Path({marks!r})
    CALLS = count(1)

    def task(config, *, seed):
        rng = np.random.default_rng(seed)
        weights = 75 * config["C1"] + config["C3"] * (25 * config["C1"] + 400 * config["C5"] / 100)
        call = next(CALLS)
        for epoch in range(3):
            # Each of two processes dies in a trial of its own, between two epochs.
            dead = len(os.listdir(MARKS))
            if epoch == 1 and dead < {kills} and call == (17, 12)[dead]:
                (MARKS / str(dead)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield float(np.log(weights) / 10 - 0.3 / (epoch + 1) + 0.01 * rng.standard_normal()), weights

    shipped = load_plan("lenet5_tradeoff")
    PLAN = dataclasses.replace(
        shipped,
        task=task,
        samplers={{label: shipped.samplers[label] for label in ("pso", "nsga2", "tpe")}},
        budget=Budget(trials=14),
        replicates=1,
    )
"""


def results(study: toys.records.StudyRecord) -> dict:
    counted = [t for t in study if not t.void and not t.superseded]
    assert len({t.index for t in counted}) == len(counted), "an index stands for one trial"
    return {t.index: (t.state, dict(t.params), t.values, t.epochs) for t in counted}


def test_swarm_and_genetic_algorithm_killed_twice_and_resumed_find_the_fronts_of_one_go(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    path = toys.write_plan(tmp_path, PLAN.format(marks=str(marks), kills=KILLS))
    url = f"sqlite:///{tmp_path}/hpo.db"
    for code in (-signal.SIGKILL, -signal.SIGKILL, 0):
        run = subprocess.run(toys.command("run", path, "--storage", url), capture_output=True, text=True, check=False)
        assert run.returncode == code, run.stderr
    assert len(os.listdir(marks)) == KILLS

    plan = load_plan(str(path))
    killed = HyperparameterOptimizer(plan, url).status().studies
    whole = toys.run(plan, f"sqlite:///{tmp_path}/whole.db")

    assert sum(t.superseded for s in killed for t in s) == KILLS
    assert [len(s.finished) for s in killed] == [14] * 3
    assert {s.label: results(s) for s in killed} == {s.label: results(s) for s in whole}
    for study, other in zip(killed, whole, strict=True):
        values = [sorted(t.values for _, t in front([s])) for s in (study, other)]
        assert values[0] == values[1]
        assert len(values[0]) > 1, "one point is no front"
    assert [t.value for s in scalar(killed) for t in s.finished] == [t.value for s in scalar(whole) for t in s.finished]
