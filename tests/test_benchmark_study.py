"""`benchmarks/study.py` compares equals: both sides do the same work, and its clocks account for all of the time."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import optuna
import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def setting(tmp_path, monkeypatch):
    """A study of seconds on pictures of its own."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    parts = importlib.import_module("whole_study.plan")
    parts.make_pictures(tmp_path / "pictures", 60)
    made = parts.Setting(str(tmp_path / "pictures"), trials=3, epochs=2, images=40, validation=20, seed=0)
    made.task().prepare()
    return made


def trials(url: str) -> list[optuna.trial.FrozenTrial]:
    [name] = optuna.get_all_study_names(url)
    return optuna.load_study(study_name=name, storage=url).get_trials()


def test_both_sides_train_the_same_configurations_for_the_same_epochs(setting, tmp_path):
    words = json.dumps(asdict(setting))
    work = {}
    for side, workers in (("ours", "1"), ("tutorial", "2")):
        url = f"sqlite:///{tmp_path / side}.db"
        importlib.import_module(f"whole_study.{side}").main(words, url, workers)
        work[side] = [(trial.params, len(trial.intermediate_values)) for trial in trials(url)]
    assert len(work["ours"]) == setting.trials
    assert [epochs for _, epochs in work["ours"]] == [setting.epochs] * setting.trials
    assert work["tutorial"] == work["ours"]


def test_the_clocks_of_a_worker_add_up_to_its_life(setting, tmp_path):
    url, clocks = f"sqlite:///{tmp_path / 'ours.db'}", tmp_path / "clocks"
    clocks.mkdir()
    words = [json.dumps(asdict(setting)), url, "1", str(clocks)]
    subprocess.run([sys.executable, "-m", "whole_study.ours", *words], cwd=BENCHMARKS, check=True)
    [file] = clocks.iterdir()
    found = json.loads(file.read_text())
    parts = importlib.import_module("whole_study.clocks")
    assert sum(found["spent"].values()) == pytest.approx(found["ended"] - found["began"], abs=0.1)
    assert set(found["spent"]) <= set(parts.PARTS)
    assert all(found["spent"][part] > 0 for part in (parts.TRAINING, parts.EVALUATION, parts.DATABASE, parts.START))
    assert len(trials(url)) == setting.trials
