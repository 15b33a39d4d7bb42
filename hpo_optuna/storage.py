"""The only place that opens a database, and the rules of life and death in its trial table."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import optuna
import psutil
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)

from .errors import UserError
from .records import ENDED, ENGINE_KEYS, ERROR, WORKER, history

HEARTBEAT_SECONDS, GRACE_SECONDS = 30, 120
LOCK_TIMEOUT_SECONDS = 120  # how long a writer waits for SQLite's lock before it says 'database is locked'
UNCLAIMED_SECONDS = 5.0  # a worker signs a trial milliseconds after it is created; unsigned for this long, it died
CREATION_TRIES = 20
MAX_DEATHS = 10  # a trial whose workers die this often (out of memory, say) has failed

Process: TypeAlias = Mapping[str, Any]


def absolute_url(url: str) -> str:
    """``url`` with SQLite's path made absolute: a CLI and a notebook in another folder mean one database."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # ValueError: a port that is no number
        without_password = re.sub(r":[^:@/]*@", ":***@", url)
        raise UserError(f"{without_password!r} is no database URL; use for example sqlite:///hpo.db.") from error
    if parsed.get_backend_name() != "sqlite":
        return parsed.render_as_string(hide_password=False)
    if parsed.database in (None, "", ":memory:"):
        raise UserError(f"{url} is a database in memory, and nothing would be kept; use a file: sqlite:///hpo.db.")
    path = Path(str(parsed.database)).expanduser().resolve()
    return parsed.set(database=str(path)).render_as_string(hide_password=False)


def shown(url: str) -> str:
    """``url`` without its password, for messages."""
    return make_url(url).render_as_string(hide_password=True)


def sqlite_path(url: str) -> Path | None:
    """The file behind an SQLite URL; None for other databases."""
    parsed: URL = make_url(url)
    return Path(str(parsed.database)) if parsed.get_backend_name() == "sqlite" else None


def check_place(url: str, *, create: bool = True) -> None:
    """Whether there can be a database at ``url``, as far as that is seen without opening it.

    Raises:
        UserError: the folder or file is missing, or the file is another program's.
    """
    path = sqlite_path(absolute_url(url))
    if path is None:
        return
    if not path.parent.is_dir():
        raise UserError(f"the folder {path.parent} of the database {path.name} does not exist; create it first.")
    if path.is_dir():
        raise UserError(f"the database {path} is a folder; name a file, for example sqlite:///hpo.db.")
    if not create and not path.exists():
        raise UserError(f"there is no database {path}; start one with `hpo-optuna run`, or name it by --storage.")
    if path.exists() and _is_foreign(path):
        raise UserError(f"{path} holds tables, but not Optuna's; name another file, for example sqlite:///hpo.db.")


def _is_foreign(path: Path) -> bool:
    from optuna.storages._rdb.models import BaseModel

    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error:
        return False  # no database, or locked at this moment: opening it waits, and says what is wrong
    # Some of Optuna's tables alone: another worker is making them at this moment.
    ours = {*BaseModel.metadata.tables, "alembic_version"}
    return not tables <= ours and not tables >= ours


def open_storage(url: str, *, create: bool = True) -> RDBStorage:
    """Open the database at ``url`` with heartbeats and patience for locks.

    Args:
        url: an SQLAlchemy URL.
        create: whether to make the database where there is none; readers pass False and change nothing.

    Raises:
        UserError: the folder or file is missing, the file is no Optuna database, or its server does not answer.
    """
    url = absolute_url(url)
    check_place(url, create=create)
    try:
        for _ in range(CREATION_TRIES):
            try:
                return _connect(url, create)
            except (OperationalError, IntegrityError, ProgrammingError) as error:
                # Workers that start together race to make the tables: whoever loses finds them made.
                if not create or not any(word in str(error) for word in ("already exists", "UNIQUE", "duplicate key")):
                    raise
                time.sleep(0.1)
        return _connect(url, create)
    except NoSuchModuleError as error:
        raise UserError(f"no driver for {shown(url)}: {error}; use for example sqlite:///hpo.db.") from error
    except ImportError as error:
        cause = error.__cause__ or error
        raise UserError(f"the driver of {shown(url)} is not installed ({cause}); install it with pip.") from error
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        reason = str(getattr(error, "orig", None) or error.__cause__ or error).strip().splitlines()[0]
        raise UserError(f"{shown(url)} cannot be used as an Optuna database: {reason}.") from error
    except RuntimeError as error:  # another schema version
        raise UserError(f"{shown(url)} was made by another version of Optuna: {error}") from error


def _connect(url: str, create: bool) -> RDBStorage:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats are experimental in Optuna 5
        storage = RDBStorage(
            url,
            engine_kwargs={"connect_args": {"timeout": LOCK_TIMEOUT_SECONDS} if url.startswith("sqlite") else {}},
            skip_table_creation=not create,
            heartbeat_interval=HEARTBEAT_SECONDS,
            grace_period=GRACE_SECONDS,
            heartbeat_stale_trial_callback=_retry_stale,
        )
    storage.get_all_studies()
    if create and url.startswith("sqlite"):
        with storage.engine.connect() as connection:
            # Readers no longer block writers, and a commit syncs once instead of three times, as durably as before.
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    return storage


@cache
def this_process() -> Process:
    """Host, pid and start of this process. The start is in seconds since boot, so a changed clock moves it not."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}


def _started(pid: int) -> float | None:
    try:
        return round(psutil.Process(pid).create_time() - psutil.boot_time(), 2)
    except psutil.Error:
        return None


def is_dead(process: Process) -> bool:
    """Whether ``process`` belonged to this host and is no more; False for other hosts, which only heartbeats judge."""
    if process["host"] != socket.gethostname():
        return False
    try:
        if psutil.Process(process["pid"]).status() == psutil.STATUS_ZOMBIE:
            return True
    except psutil.Error:
        return True
    started = _started(process["pid"])
    # boot_time has a resolution of one second on some systems.
    return started is None or abs(started - process["started"]) > 1.5


def retry(study: Study, trial: FrozenTrial, **system_attrs: Any) -> None:
    """Queue ``trial`` once more with the same parameters, as Optuna's own retry callback writes it."""
    attrs = {k: v for k, v in trial.system_attrs.items() if not k.startswith("completed_rung_")}
    past = history(trial)
    study.add_trial(
        create_trial(
            state=TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs={k: v for k, v in trial.user_attrs.items() if k not in ENGINE_KEYS},
            system_attrs={
                **attrs,
                "failed_trial": past[0] if past else trial.number,
                "retry_history": [*past, trial.number],
                **system_attrs,
            },
        )
    )


def end_dead_trial(study: Study, trial: FrozenTrial, reason: str) -> None:
    """End a trial whose worker is gone, and queue its retry.

    The retry is queued first: whoever dies between the two steps leaves a double retry, which is void, and never a
    lost trial. A trial that died before its first suggestion and is the youngest is void instead: the next one asked
    has its index.
    """
    youngest = all(t.number <= trial.number for t in study.get_trials(deepcopy=False))
    chosen = trial.params or history(trial) or "fixed_params" in trial.system_attrs
    deaths = trial.system_attrs.get("deaths", 0) + 1
    set_attr(study, trial, ENDED, reason)
    if deaths >= MAX_DEATHS:
        set_attr(study, trial, ERROR, f"its worker died {deaths} times; out of memory?")
    elif chosen or not youngest:
        retry(study, trial, deaths=deaths)
    try:
        study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    except UpdateFinishedTrialError:
        pass  # another worker was faster, or the trial's own worker was only suspended


def set_attr(study: Study, trial: FrozenTrial, key: str, value: Any) -> None:
    """Write a user attribute on a trial that this process does not run; nothing where it has ended meanwhile."""
    try:
        study._storage.set_trial_user_attr(trial._trial_id, key, value)
    except UpdateFinishedTrialError:
        pass


def _retry_stale(study: Study, trial: FrozenTrial) -> None:
    """Heartbeats found ``trial`` stale and failed it already: queue its retry, within bounds."""
    deaths = trial.system_attrs.get("deaths", 0) + 1
    if deaths < MAX_DEATHS and (trial.params or history(trial) or "fixed_params" in trial.system_attrs):
        retry(study, trial, deaths=deaths)


class Sweeper:
    """Ends the RUNNING trials of dead workers. It remembers only since when it has seen a trial unsigned."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._unsigned: dict[int, float] = {}

    def sweep(self, study: Study, trials: Sequence[FrozenTrial]) -> tuple[bool, bool]:
        """End this host's dead trials of ``study`` at once.

        Args:
            study: the study.
            trials: all its trials, read a moment ago.

        Returns:
            Whether the study can be asked for a trial, and whether its trials have changed. A RUNNING trial that
            nobody has signed yet is in the first milliseconds of its life, or its worker died in them: until that is
            clear, its index is unknown, and so is the next one's.
        """
        ready, changed = True, False
        for trial in (t for t in trials if t.state == TrialState.RUNNING):
            worker = trial.user_attrs.get(WORKER)
            if worker is None:
                seen = self._unsigned.setdefault(trial._trial_id, self._clock())
                if self._clock() - seen < UNCLAIMED_SECONDS:
                    ready = False
                    continue
                reason = "its worker died before it signed the trial"
            elif worker == this_process() or is_dead(worker):  # a worker that sweeps is running no trial
                reason = f"its worker died (process {worker['pid']} on {worker['host']})"
            else:
                continue
            end_dead_trial(study, trial, reason)
            changed = True
        return ready, changed
