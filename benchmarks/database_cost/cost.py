"""What one trial costs a database: seen from inside one worker, by the events of SQLAlchemy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import numpy as np
import psutil
import sqlalchemy
from optuna.distributions import FloatDistribution
from optuna.pruners import MedianPruner

from hpo_optuna import Budget, ComparisonPlan, SamplerSpec
from hpo_optuna.matrix import open_studies
from hpo_optuna.patient import PatientStorage
from hpo_optuna.records import WORKER
from hpo_optuna.stop import Stop
from hpo_optuna.storage import open_storage
from hpo_optuna.workers import quiet_optuna, work

EPOCHS = 5
ELSEWHERE = {"host": "elsewhere", "pid": 1, "started": 0.0}


@dataclass
class Cost:
    """Of one trial beside its training; times in seconds."""

    worker: float  # at the worker, waiting for the database included
    locked: float  # SQLite's write lock
    server: float  # processor of PostgreSQL
    unsigned: float  # nobody else may ask this study
    statements: float
    writes: float  # transactions


def plan(trials: int, studies: int, task: Callable[..., Iterator[float]]) -> ComparisonPlan:
    """Random search over one hyperparameter in so many replicates."""
    return ComparisonPlan(
        name="scaling",
        task=task,
        space={"x": FloatDistribution(0.0, 1.0)},
        samplers={"random": SamplerSpec("random_search")},
        budget=Budget(trials=trials),
        replicates=studies,
        direction="minimize",
        pruner=MedianPruner(n_startup_trials=10**9),  # it reads the table as ever, and stops nobody
    )


class Watch:
    """What is seen of a worker's storage, by the events of SQLAlchemy and two of its methods."""

    def __init__(self, storage: Any) -> None:
        self.locked = self.unsigned = self.asked = 0.0
        self.statements = self.writes = 0
        self._since: dict[int, float] = {}
        sqlalchemy.event.listen(storage.engine, "before_cursor_execute", self._execute)
        self._commit, storage.engine.dialect.do_commit = storage.engine.dialect.do_commit, self._committed

    def _execute(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self.statements += 1
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            self._since.setdefault(id(connection.connection.dbapi_connection), time.perf_counter())

    def _committed(self, connection: Any) -> None:
        self._commit(connection)
        since = self._since.pop(id(getattr(connection, "dbapi_connection", connection)), None)
        if since is not None:
            self.locked += time.perf_counter() - since
            self.writes += 1

    def create(self, *args: Any, **kwargs: Any) -> Any:
        """In place of ``PatientStorage._create_new_trial``."""
        self.asked = time.perf_counter()
        return _create(*args, **kwargs)

    def sign(self, storage: Any, trial: int, key: str, value: Any) -> None:
        """In place of ``PatientStorage.set_trial_user_attr``."""
        _sign(storage, trial, key, value)
        if key == WORKER:
            self.unsigned += time.perf_counter() - self.asked

    def now(self) -> np.ndarray:
        """Time, locked, unsigned, statements, writes since the beginning."""
        return np.array([time.perf_counter(), self.locked, self.unsigned, self.statements, self.writes])


_create, _sign = PatientStorage._create_new_trial, PatientStorage.set_trial_user_attr


def measure(url: str, studies: int, running: int, trials: int) -> Cost:
    """One worker's costs of a trial while ``running`` trials of other hosts run, spread over ``studies``."""
    seen: list[np.ndarray] = []
    stop = Stop()

    def task(config: Mapping[str, Any], *, seed: int) -> Iterator[float]:  # noqa: ARG001 -- a task has a seed
        seen.append(watch.now())
        yield from [config["x"]] * EPOCHS
        if len(seen) > trials:
            stop.requested = True

    wanted = plan(trials + running + 9, studies, task)
    with quiet_optuna():
        storage = open_storage(url)
        opened = open_studies(wanted, storage)
        for k in range(running):
            study = opened[k % studies].study
            trial = study.ask()
            trial.set_user_attr(WORKER, ELSEWHERE)
            trial.suggest_float("x", 0.0, 1.0)
            trial.report(1.0, 0)
            storage.record_heartbeat(trial._trial_id)
        watch, before = Watch(storage), processor(url)
        with (
            patch.object(PatientStorage, "_create_new_trial", lambda *a, **k: watch.create(*a, **k)),
            patch.object(PatientStorage, "set_trial_user_attr", lambda *a, **k: watch.sign(*a, **k)),
        ):
            work(wanted, storage, stop=stop)
        server = (processor(url) - before) / len(seen)
    each = np.median(np.diff(seen, axis=0), axis=0)
    return Cost(each[0], each[1], server, each[2], each[3], each[4])


def processor(url: str) -> float:
    """Seconds of processor that the server behind ``url`` has taken; 0 for a file."""
    folder = parse_qs(urlsplit(url).query).get("host")
    if folder is None:
        return 0.0
    head = psutil.Process(int((Path(folder[0]) / "data" / "postmaster.pid").read_text().split()[0]))
    times = [head.cpu_times(), *(child.cpu_times() for child in head.children())]
    return sum(t.user + t.system for t in times) + times[0].children_user + times[0].children_system
