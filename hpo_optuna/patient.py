"""Optuna's storage in a database, with patience and with the truth about what is gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._rdb.models import TrialHeartbeatModel, TrialModel
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from .patience import Patience
from .stop import Stop

# What Optuna calls. Each may be repeated, even where the commit arrived and only its answer was lost: values and
# attributes are written over; a parameter that is there already is left; a trial that was created and not received
# stays unsigned and is swept, a second retry is void, and a trial that has ended already says so.
OPERATIONS = (
    "create_new_study",
    "delete_study",
    "set_study_user_attr",
    "set_study_system_attr",
    "get_study_id_from_name",
    "get_study_name_from_id",
    "get_study_directions",
    "get_study_user_attrs",
    "get_study_system_attrs",
    "get_all_studies",
    "_create_new_trial",
    "_set_trial_param",
    "get_trial_param",
    "get_trial_id_from_study_id_trial_number",
    "set_trial_intermediate_value",
    "set_trial_user_attr",
    "set_trial_system_attr",
    "get_trial_user_attrs",
    "get_trial_system_attrs",
    "get_trial",
    "get_all_trials",
    "_get_trials",
    "_get_best_trial_id",
    "get_n_trials",
)


class PatientStorage(RDBStorage):
    """Optuna's storage in a database, with patience, and with the truth about a file that is gone.

    Args:
        url: an SQLAlchemy URL.
        place: the same without its password, for messages.
        file: SQLite's file, or None.
        options: those of ``RDBStorage``.
    """

    def __init__(self, url: str, *, place: str, file: Path | None, **options: Any) -> None:
        self._file, self._identity = file, None if file is None else _identity(file)
        self.patience = Patience(place, sqlalchemy.engine.make_url(url).get_backend_name())
        super().__init__(url, **options)
        self._identity = None if file is None else _identity(file)

    def check_file(self) -> None:
        """Whether SQLite's file is still the one that was opened: one deleted or replaced swallows every write.

        Raises:
            StorageLost: it is not.
        """
        if self._identity is not None and self._file is not None and _identity(self._file) != self._identity:
            self.patience.fail(gone(self._file))

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Set a trial's state, and its values at its end; False where another worker has begun it already."""
        self.check_file()
        if state == TrialState.RUNNING:
            return self.patience(lambda: self._claim(trial_id))
        return self.patience(lambda: RDBStorage.set_trial_state_values(self, trial_id, state, values))

    def _claim(self, trial_id: int) -> bool:
        # Optuna reads the state, then writes it. SQLite locks no row: two workers read WAITING, and both run the trial.
        now = datetime.now(UTC).replace(tzinfo=None)
        claim = (
            sqlalchemy.update(TrialModel)
            .where(TrialModel.trial_id == trial_id, TrialModel.state == TrialState.WAITING)
            .values({TrialModel.state: TrialState.RUNNING, TrialModel._datetime_start_utc: now})
        )
        with self.engine.begin() as connection:
            return connection.execute(claim).rowcount == 1

    def record_heartbeat(self, trial_id: int) -> None:
        """Say that the worker of ``trial_id`` lives; a beat that fails is missed, and the next one comes."""
        if self._identity is not None and self._file is not None and _identity(self._file) != self._identity:
            return  # the main thread finds out
        try:
            super().record_heartbeat(trial_id)
        except (StorageInternalError, SQLAlchemyError):
            self.patience.trouble = time.monotonic()

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:  # noqa: ARG002 -- Optuna's signature
        # Optuna fails a stale trial first and queues its retry afterwards: who dies in between loses it.
        # deaths.Sweeper does it the other way round.
        return []

    def heartbeats(self, study_id: int) -> dict[int, tuple[datetime | None, float]]:
        """The last heartbeat of each RUNNING trial, and its age in seconds; None and 0 before the first.

        Both are by the database's own clock: hosts' clocks differ.
        """
        return self.patience(lambda: self._heartbeats(study_id))

    def _heartbeats(self, study_id: int) -> dict[int, tuple[datetime | None, float]]:
        query = (
            sqlalchemy.select(TrialModel.trial_id, TrialHeartbeatModel.heartbeat)
            .outerjoin(TrialHeartbeatModel, TrialHeartbeatModel.trial_id == TrialModel.trial_id)
            .where(TrialModel.study_id == study_id, TrialModel.state == TrialState.RUNNING)
        )
        with self.engine.connect() as connection:
            now = connection.execute(sqlalchemy.select(sqlalchemy.func.now())).scalar_one().replace(tzinfo=None)
            rows = connection.execute(query).all()
        return {trial: (beat, 0.0 if beat is None else (now - beat).total_seconds()) for trial, beat in rows}


def gone(file: Path) -> str:
    """What to say where ``file`` is no longer the database that was opened."""
    return (
        f"the database {file} was deleted or replaced under way; this worker ends. "
        "Bring the file back, or run again to begin anew."
    )


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _patient(name: str) -> Callable[..., Any]:
    operation = getattr(RDBStorage, name)

    @wraps(operation)
    def repeated(self: PatientStorage, *args: Any, **kwargs: Any) -> Any:
        self.check_file()
        try:
            return self.patience(lambda: operation(self, *args, **kwargs))
        except KeyError as error:
            if name == "get_study_id_from_name":
                raise
            self.patience.fail(f"{self.patience.place}: a study was deleted under way; this worker ends.", error)

    return repeated


for _name in OPERATIONS:
    setattr(PatientStorage, _name, _patient(_name))


def patient(storage: BaseStorage) -> PatientStorage | None:
    """The patient storage that ``storage`` is, or that Optuna wrapped in its cache; None for any other."""
    inner = getattr(storage, "_backend", storage)
    return inner if isinstance(inner, PatientStorage) else None


def obey(storage: BaseStorage, stop: Stop) -> None:
    """Wait for a lost database no longer than until ``stop`` is requested."""
    inner = patient(storage)
    if inner is not None:
        inner.patience.leave = lambda: stop.requested
