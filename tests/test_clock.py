"""A clock that is set back, by summer time, by NTP or by hand, changes no budget, no result and no verdict of death."""

from __future__ import annotations

from datetime import datetime, timedelta

import optuna.storages._rdb.storage as rdb
import psutil
import pytest
import toys

from hpo_optuna import Budget, HyperparameterOptimizer
from hpo_optuna.processes import is_dead, this_process


@pytest.fixture
def clock_runs_backwards(monkeypatch):
    """Every look at the wall clock shows an hour less than the last."""
    shown = [datetime(2030, 1, 1)]

    class Backwards(datetime):
        @classmethod
        def now(cls, tz=None):
            shown[0] -= timedelta(hours=1)
            return shown[0]

    monkeypatch.setattr(rdb, "datetime", Backwards)


def test_a_run_and_its_resume_under_a_clock_that_runs_backwards_equal_an_undisturbed_one(
    tmp_path, clock_runs_backwards, monkeypatch
):
    url = f"sqlite:///{tmp_path}/hpo.db"
    toys.run(toys.plan(budget=Budget(trials=3)), url)
    studies = toys.run(toys.plan(budget=Budget(trials=6)), url)
    optimizer = HyperparameterOptimizer(toys.plan(budget=Budget(trials=6)), url)
    assert "-" not in str(optimizer.status()).rpartition("left")[2].replace("seed-", "").replace("x=-", "")
    assert optimizer.report(tmp_path / "report.html")

    monkeypatch.undo()
    whole = toys.run(toys.plan(budget=Budget(trials=6)), f"sqlite:///{tmp_path}/whole.db")
    assert {s.name: toys.results(s) for s in studies} == {s.name: toys.results(s) for s in whole}
    assert all(s.seconds >= 0 for s in studies)


def test_a_process_stays_the_same_one_when_the_clock_is_set(monkeypatch):
    before = this_process()
    booted = psutil.boot_time()
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: booted - 86400.0)  # as Linux tells it then
    assert not is_dead(before)
