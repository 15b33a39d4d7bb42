"""All nine samplers through one door: one plan, killed in the middle and resumed, one page with one verdict."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest
import toys
from optuna.storages import InMemoryStorage

from hpo_optuna import HyperparameterOptimizer
from hpo_optuna.loading import load_plan
from hpo_optuna.registry import SAMPLERS

# The plan that ships, with a task of milliseconds whose process is killed once, in the middle of a trial of the middle.
PLAN = """
    import dataclasses, os, signal
    from itertools import count
    from pathlib import Path
    import numpy as np
    from hpo_optuna import Budget
    from hpo_optuna.loading import load_plan

    MARK = Path({mark!r})
    CALLS = count(1)

    def task(config, *, seed):
        rng = np.random.default_rng(seed)
        depth = abs(np.log10(config["learning_rate"]) + 2) + (16 - config["C1"]) / 14 + (32 - config["C3"]) / 28
        call = next(CALLS)
        for epoch in range(2):
            if epoch == 1 and call == {kill} and not MARK.exists():
                MARK.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield float(1 - 0.1 * depth - 0.05 / (epoch + 1) + 0.01 * rng.standard_normal())

    PLAN = dataclasses.replace(load_plan("lenet5_all_methods"), task=task, budget=Budget(trials={trials}))
"""
TRIALS = 5


def test_the_plan_that_ships_has_every_sampler_of_the_registry():
    assert {spec.name for spec in load_plan("lenet5_all_methods").samplers.values()} == set(SAMPLERS)


@pytest.fixture(scope="module")
def ended(tmp_path_factory) -> HyperparameterOptimizer:
    """The nine samplers' studies after a run that was killed and a run that finished it."""
    folder = tmp_path_factory.mktemp("nine")
    mark = folder / "killed"
    kill = TRIALS * len(SAMPLERS) - 2  # of twice as many trials
    path = toys.write_plan(folder, PLAN.format(mark=str(mark), kill=kill, trials=TRIALS))
    url = f"sqlite:///{folder}/hpo.db"
    for code in (-signal.SIGKILL, 0):
        run = subprocess.run(toys.command("run", path, "--storage", url), capture_output=True, text=True, check=False)
        assert run.returncode == code, run.stderr
        assert mark.exists()
    return HyperparameterOptimizer(load_plan(str(path)), url)


def test_nine_samplers_killed_in_the_middle_and_resumed_are_the_nine_of_one_go(ended):
    studies = ended.status().studies
    whole = toys.run(ended.plan, InMemoryStorage())

    assert sum(t.superseded for s in studies for t in s) == 1
    assert len(studies) == 2 * len(SAMPLERS)
    assert [len(s.finished) for s in studies] == [TRIALS] * len(studies)
    assert {s.name: toys.results(s) for s in studies} == {s.name: toys.results(s) for s in whole}


def test_one_page_has_a_verdict_over_all_nine(ended, tmp_path: Path):
    page, numbers, _ = ended.report(tmp_path / "nine.html")
    facts, text = json.loads(numbers.read_text()), page.read_text(encoding="utf-8")

    labels = list(ended.plan.samplers)
    assert facts["verdict"]["status"] in ("difference", "equivalent", "no-difference")
    compared = {frozenset((p["a"], p["b"])) for p in facts["verdict"]["pairs"]}
    assert compared == {frozenset((a, b)) for a in labels for b in labels if a != b}
    assert facts["verdict"]["sentence"] in text
    assert list(facts["curves"]["trials"]["best"]) == labels
    assert "It could not be drawn" not in text
    said = [p["speed_words"] for p in facts["verdict"]["pairs"] if p["speed_words"]]
    assert len(said) > 10
    assert f"<summary>The speed-ups of {len(said)} pairs in words</summary>" in text
