"""Where a worker's time goes: clocks around our functions, from the start of the process to its end.

A worker unpickles its plan, and with it the task, whose class is here: that puts the clocks in place. Time is charged
to the innermost clock that runs; only the main thread is timed. At the end a JSON file per worker says what was spent.
"""

from __future__ import annotations

import atexit
import builtins
import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any

import psutil

from hpo_optuna.tasks import LeNet5Task

START, ENGINE, END = "imports and start-up", "sampler, pruner, Optuna", "verdict and end"
DATABASE, TRAINING, EVALUATION = "database", "training", "evaluation"
PICTURES, CHECKPOINTS, IDLE = "opening the pictures", "checkpoints", "idle"
PARTS = (TRAINING, EVALUATION, DATABASE, ENGINE, CHECKPOINTS, PICTURES, IDLE, START, END)

_folder: str | None = None


class Clock:
    """Seconds by part. Begins with the process."""

    def __init__(self) -> None:
        self.began = self._last = psutil.Process().create_time()
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._running = [START]

    def charge(self) -> None:
        now = time.time()
        self.spent[self._running[-1]] += now - self._last
        self._last = now

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self.charge()
        self._running.append(part)
        try:
            yield
        finally:
            self.charge()
            self._running.pop()

    def after_work(self) -> None:
        self.charge()
        self._running = [END]

    def write(self) -> None:
        self.charge()
        assert _folder is not None
        kept = {"began": self.began, "ended": time.time(), "spent": self.spent}
        Path(_folder, f"{os.getpid()}.json").write_text(json.dumps(kept), encoding="utf-8")


@dataclass(frozen=True)
class ClockedTask(LeNet5Task):
    """The task that brings the clocks along when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (_folder, {field.name: getattr(self, field.name) for field in fields(self)})


def _rebuilt(folder: str, arguments: dict[str, Any]) -> ClockedTask:
    keep(folder)
    install()
    return ClockedTask(**arguments)


def keep(folder: str) -> None:
    """Where the files go."""
    global _folder
    _folder = folder


def install() -> None:
    """Put the clocks in place, once, for as long as the process lives."""
    clock = Clock()
    atexit.register(clock.write)

    def timed(owner: Any, name: str, part: str) -> None:
        call = getattr(owner, name)

        @wraps(call)
        def measured(*args: Any, **kwargs: Any) -> Any:
            with clock(part):
                return call(*args, **kwargs)

        setattr(owner, name, measured)

    timed(builtins, "__import__", START)
    from hpo_optuna import optimizer, workers
    from hpo_optuna.patient import OPERATIONS, PatientStorage
    from hpo_optuna.tasks import checkpoint, data, splits, training

    for module in (workers, optimizer):
        timed(module, "open_storage", DATABASE)
        module.work = _whole(module.work, clock)  # type: ignore[attr-defined]
    for name in (*OPERATIONS, "set_trial_state_values", "heartbeats"):
        timed(PatientStorage, name, DATABASE)
    timed(training, "evaluate", EVALUATION)
    training.train = _step_by_step(training.train, clock)  # type: ignore[assignment]
    for owner, name in ((checkpoint.Checkpoint, "save"), (checkpoint.Checkpoint, "restore"), (checkpoint, "sweep")):
        timed(owner, name, CHECKPOINTS)
    timed(checkpoint, "_remove", CHECKPOINTS)
    for owner, name in ((data, "prepare"), (data, "open_split"), (splits, "train_and_validation")):
        timed(owner, name, PICTURES)
    timed(time, "sleep", IDLE)


def _whole(work: Callable[..., None], clock: Clock) -> Callable[..., None]:
    @wraps(work)
    def measured(*args: Any, **kwargs: Any) -> None:
        with clock(ENGINE):
            work(*args, **kwargs)
        clock.after_work()

    return measured


def _step_by_step(train: Callable[..., Iterator[float]], clock: Clock) -> Callable[..., Iterator[float]]:
    @wraps(train)
    def measured(*args: Any, **kwargs: Any) -> Iterator[float]:
        epochs = train(*args, **kwargs)
        while True:
            with clock(TRAINING):
                loss = next(epochs, None)
            if loss is None:
                return
            yield loss

    return measured
