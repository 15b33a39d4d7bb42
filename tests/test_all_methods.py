"""All nine samplers through one door: one plan, killed in the middle and resumed, one page with one verdict."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
import toys
from optuna.storages import InMemoryStorage

from hpo_optuna import HyperparameterOptimizer
from hpo_optuna.loading import load_plan
from hpo_optuna.registry import SAMPLERS

KILLS = 3
# The plan that ships, with a task of milliseconds that kills its own process, once in each of three trials.
PLAN = """
    import dataclasses, os, signal
    from pathlib import Path
    import numpy as np
    from hpo_optuna import Budget
    from hpo_optuna.loading import load_plan

    MARKS = Path({marks!r})

    def task(config, *, seed):
        rng = np.random.default_rng(seed)
        depth = abs(np.log10(config["learning_rate"]) + 2) + (16 - config["C1"]) / 14 + (32 - config["C3"]) / 28
        for epoch in range(2):
            marks = len(os.listdir(MARKS))
            if epoch == 1 and seed % 5 == 0 and marks < {kills} and not (MARKS / str(seed)).exists():
                (MARKS / str(seed)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield float(1 - 0.1 * depth - 0.05 / (epoch + 1) + 0.01 * rng.standard_normal())

    PLAN = dataclasses.replace(load_plan("lenet5_all_methods"), task=task, budget=Budget(trials={trials}))
"""


def test_the_plan_that_ships_has_every_sampler_of_the_registry():
    assert {spec.name for spec in load_plan("lenet5_all_methods").samplers.values()} == set(SAMPLERS)


@pytest.fixture(scope="module")
def ended(tmp_path_factory) -> tuple[HyperparameterOptimizer, int]:
    """The nine samplers' studies after a run that was killed and started again until it was done; how often."""
    folder = tmp_path_factory.mktemp("nine")
    marks = folder / "marks"
    marks.mkdir()
    path = toys.write_plan(folder, PLAN.format(marks=str(marks), kills=KILLS, trials=7))
    url = f"sqlite:///{folder}/hpo.db"
    for kills in range(KILLS + 2):
        run = subprocess.run(toys.command("run", path, "--storage", url), capture_output=True, text=True, check=False)
        if run.returncode == 0:
            assert len(os.listdir(marks)) == KILLS
            return HyperparameterOptimizer(load_plan(str(path)), url), kills
        assert run.returncode == -signal.SIGKILL, run.stderr
    raise AssertionError("the run never came to its end")


def test_nine_samplers_killed_in_the_middle_and_resumed_are_the_nine_of_one_go(ended):
    optimizer, kills = ended
    studies = optimizer.status().studies
    whole = toys.run(optimizer.plan, InMemoryStorage())

    assert kills == KILLS
    assert sum(t.superseded for s in studies for t in s) == KILLS
    assert len(studies) == 2 * len(SAMPLERS)
    assert [len(s.finished) for s in studies] == [7] * len(studies)
    assert {s.name: toys.results(s) for s in studies} == {s.name: toys.results(s) for s in whole}


def test_one_page_has_a_verdict_over_all_nine(ended, tmp_path: Path):
    optimizer, _ = ended
    page, numbers, _ = optimizer.report(tmp_path / "nine.html")
    facts, text = json.loads(numbers.read_text()), page.read_text(encoding="utf-8")

    labels = list(optimizer.plan.samplers)
    assert facts["verdict"]["status"] in ("difference", "equivalent", "no-difference")
    compared = {frozenset((p["a"], p["b"])) for p in facts["verdict"]["pairs"]}
    assert compared == {frozenset((a, b)) for a in labels for b in labels if a != b}
    assert facts["verdict"]["sentence"] in text
    assert list(facts["curves"]["trials"]["best"]) == labels
    assert "It could not be drawn" not in text
