"""Nobody waits for a dead worker: this host's are seen to be dead, other hosts' are known by their silence."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import toys

from hpo_optuna import Budget, deaths
from hpo_optuna.deaths import GRACE_SECONDS, MAX_DEATHS, UNCLAIMED_SECONDS, Sweeper
from hpo_optuna.matrix import open_studies
from hpo_optuna.patient import PatientStorage
from hpo_optuna.processes import this_process
from hpo_optuna.records import WORKER, read_trials
from hpo_optuna.storage import open_storage

RANDOM = {"random": toys.SAMPLERS["random"]}
PLAN = toys.plan(samplers=RANDOM, budget=Budget(trials=6))
ELSEWHERE = {"host": "elsewhere", "pid": 1, "started": 0.0}


class Watch:
    """A study with one RUNNING trial, and a sweeper whose clock stands still until it is told to go on."""

    def __init__(self, folder, worker=ELSEWHERE):
        self.path = folder / "hpo.db"
        self.storage = open_storage(f"sqlite:///{self.path}")
        [self.opened] = open_studies(PLAN, self.storage)
        self.study = self.opened.study
        self.trial = self.storage.create_new_trial(self.study._study_id)
        if worker is not None:
            self.storage.set_trial_user_attr(self.trial, WORKER, worker)
            self.storage.set_trial_param(self.trial, "x", 1.25, toys.SPACE["x"])
        self.now = 0.0
        self.sweeper = Sweeper(clock=lambda: self.now)

    def beat(self, shift: str = "+0 seconds") -> None:
        """A heartbeat of the trial, at a time relative to the database's clock."""
        self.storage.record_heartbeat(self.trial)
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute("UPDATE trial_heartbeats SET heartbeat = datetime('now', ?)", (shift,))

    def states(self, seconds: float = 0.0) -> list[str]:
        """The trials' states after a sweep that many seconds later."""
        self.now += seconds
        self.sweeper.sweep(self.study, self.study.get_trials(deepcopy=False))
        return [t.state.name for t in self.study.get_trials(deepcopy=False)]


def test_a_worker_of_another_host_that_died_before_its_first_heartbeat_is_waited_for_no_longer_than_the_grace(tmp_path):
    watch = Watch(tmp_path)
    assert watch.states() == ["RUNNING"]
    assert watch.states(GRACE_SECONDS) == ["RUNNING"]
    assert watch.states(1.0) == ["FAIL", "WAITING"]

    dead, retry = read_trials(watch.study.get_trials())
    assert "silent for 120 s (process 1 on elsewhere)" in dead.ended
    assert (dead.superseded, retry.index, retry.params) == (True, 0, {"x": 1.25})


def test_a_living_worker_of_another_host_is_left_alone_however_long_its_trial_takes(tmp_path):
    watch = Watch(tmp_path)
    for second in range(10):
        watch.beat(f"-{second} seconds")  # SQLite's clock counts whole seconds: each beat is another one
        assert watch.states(GRACE_SECONDS - 1) == ["RUNNING"]


def test_a_worker_that_fell_silent_while_nobody_watched_is_recovered_at_once(tmp_path):
    watch = Watch(tmp_path)
    watch.beat("-130 seconds")
    assert watch.states() == ["FAIL", "WAITING"]


def test_a_database_whose_clock_was_set_back_waits_for_no_dead_worker(tmp_path):
    watch = Watch(tmp_path)
    watch.beat("+1 day")
    assert watch.states() == ["RUNNING"]
    assert watch.states(GRACE_SECONDS + 1) == ["FAIL", "WAITING"]


def test_this_hosts_living_worker_is_left_alone_though_its_heartbeats_are_late(tmp_path):
    import os

    import psutil

    parent = psutil.Process(os.getppid())
    started = parent.create_time() - psutil.boot_time()
    watch = Watch(tmp_path, {**this_process(), "pid": parent.pid, "started": started})
    watch.beat("-1 hour")  # a laptop that slept
    assert watch.states(2 * GRACE_SECONDS) == ["RUNNING"]


def test_while_the_database_was_away_nobody_could_give_a_sign_of_life(tmp_path):
    watch = Watch(tmp_path)
    watch.beat("-130 seconds")
    watch.storage.patience.trouble = deaths.time.monotonic()
    assert watch.states() == ["RUNNING"]
    watch.storage.patience.trouble -= GRACE_SECONDS + 1
    assert watch.states() == ["FAIL", "WAITING"]


def test_a_trial_that_nobody_signed_and_a_younger_one_outlived_keeps_its_index(tmp_path):
    watch = Watch(tmp_path, worker=None)
    younger = watch.storage.create_new_trial(watch.study._study_id)
    watch.storage.set_trial_user_attr(younger, WORKER, ELSEWHERE)
    watch.beat()
    watch.states()
    assert watch.states(UNCLAIMED_SECONDS) == ["FAIL", "RUNNING", "WAITING"]
    assert [t.index for t in read_trials(watch.study.get_trials())] == [0, 1, 0]


def test_a_trial_whose_workers_keep_dying_fails_with_the_reason_and_the_study_goes_on(tmp_path):
    dead = {**this_process(), "pid": 2**22 + 1}
    watch = Watch(tmp_path, dead)
    for death in range(1, MAX_DEATHS):
        assert watch.states() == ["FAIL"] * death + ["WAITING"]
        [waiting] = watch.study.get_trials(states=(toys.optuna.trial.TrialState.WAITING,))
        watch.storage.set_trial_state_values(waiting._trial_id, toys.optuna.trial.TrialState.RUNNING)
        watch.storage.set_trial_user_attr(waiting._trial_id, WORKER, dead)
    assert watch.states() == ["FAIL"] * MAX_DEATHS

    [study] = toys.run(PLAN, f"sqlite:///{watch.path}")
    failed = [t for t in study if t.failed]
    assert [(t.index, t.error) for t in failed] == [(0, f"its worker died {MAX_DEATHS} times; out of memory?")]
    assert [t.index for t in study.finished] == [1, 2, 3, 4, 5, 6]


def test_a_crowd_of_other_hosts_is_judged_by_one_look_at_their_heartbeats(tmp_path, monkeypatch):
    watch = Watch(tmp_path)
    for _ in range(4):
        trial = watch.storage.create_new_trial(watch.study._study_id)
        watch.storage.set_trial_user_attr(trial, WORKER, ELSEWHERE)
    looks, look = [], PatientStorage.heartbeats
    monkeypatch.setattr(PatientStorage, "heartbeats", lambda *args: looks.append(args) or look(*args))
    assert watch.states() == ["RUNNING"] * 5
    assert len(looks) == 1
