"""`benchmarks/storage.py` notices what a storage has lost."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
lost = runpy.run_path(str(BENCHMARKS / "storage.py"))["lost"]


@pytest.fixture
def rows():
    """A study of three trials with nothing missing, and the void one that a late worker leaves."""
    study = optuna.create_study()
    for x in (0.25, 0.5, 0.75):
        study.add_trial(
            optuna.create_trial(
                params={"x": x}, distributions={"x": FloatDistribution(0, 1)}, value=x, intermediate_values={0: x}
            )
        )
    study.add_trial(optuna.create_trial(state=TrialState.FAIL))
    return study.get_trials()


def test_a_whole_study_has_lost_nothing(rows):
    assert lost(rows, 3) == []


def test_a_missing_trial_is_missed(rows):
    del rows[1]
    assert lost(rows, 3) == ["the numbers have gaps: [0, 2, 3]", "2 trials instead of 3"]


def test_a_trial_too_many_is_noticed(rows):
    assert lost(rows, 2) == ["3 trials instead of 2"]


def test_a_trial_that_never_ended_is_noticed(rows):
    rows[2].state = TrialState.RUNNING
    assert lost(rows, 3) == ["trial 2 is RUNNING"]


@pytest.mark.parametrize("reported", [{}, {0: 0.125}])
def test_a_score_that_was_lost_or_changed_is_noticed(rows, reported):
    rows[0].intermediate_values = reported
    [problem] = lost(rows, 3)
    assert "trial 0" in problem


def test_two_processes_and_an_open_dashboard_fill_a_study(tmp_path):
    # In a process of its own, since it forks.
    code = f"""
from pathlib import Path
from storage import measure
found = measure("sqlite:///{tmp_path / "hpo.db"}", 2, 6, watched=True, folder=Path({str(tmp_path)!r}))
assert found.rate > 0 and found.answers > 0, found
"""
    subprocess.run([sys.executable, "-c", code], cwd=BENCHMARKS, check=True)
    study = optuna.load_study(study_name="storage/random/seed-0", storage=f"sqlite:///{tmp_path / 'hpo.db'}")
    assert sum(trial.state == TrialState.COMPLETE for trial in study.trials) == 6
