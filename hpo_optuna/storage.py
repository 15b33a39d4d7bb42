"""The only place that opens a database."""

from __future__ import annotations

import os
import re
import sqlite3
import time
import warnings
import weakref
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)

from .errors import StorageLost, UserError
from .patience import Patience, cure, reason, tell
from .patient import PatientStorage, gone

HEARTBEAT_SECONDS = 30
LOCK_TIMEOUT_SECONDS = 120  # how long a writer waits for SQLite's lock before it says 'database is locked'
SQLITE_WORKERS = 8  # more than this many get advice
EXTRAS = {"postgresql": "postgres"}  # our extra that has the driver of a kind of database
# libpq's words, in seconds (the last in milliseconds): a server that was unplugged is noticed, and its clock is UTC
# for every client, so that summer time makes no heartbeat old.
LIBPQ = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
    "options": "-c timezone=UTC",
}
CREATION_TRIES = 20


def absolute_url(url: str) -> str:
    """``url`` with SQLite's path made absolute: a CLI and a notebook in another folder mean one database.

    Raises:
        UserError: it is no URL of a database that can be kept, or its password is not quoted.
    """
    if not url.startswith("sqlite") and url.partition("?")[0].count("@") > 1:
        raise UserError(
            f"{url.partition('://')[0]}://*** holds a second @: in a URL, the signs of a password are quoted: "
            "%40 for @, %3A for :, %2F for /."
        )
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # ValueError: a port that is no number
        without_password = re.sub(r"//.*@", "//***@", url)
        raise UserError(f"{without_password!r} is no database URL; use for example sqlite:///hpo.db.") from error
    if parsed.get_backend_name() != "sqlite":
        return parsed.render_as_string(hide_password=False)
    if parsed.database in (None, "", ":memory:"):
        raise UserError(f"{url} is a database in memory, and nothing would be kept; use a file: sqlite:///hpo.db.")
    path = Path(str(parsed.database)).expanduser().resolve()
    return parsed.set(database=str(path)).render_as_string(hide_password=False)


def shown(url: str) -> str:
    """``url`` without its passwords, for messages."""
    parsed = make_url(url)
    secrets = [key for key in parsed.query if "password" in key]
    return parsed.difference_update_query(secrets).render_as_string(hide_password=True)


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
    for place in (path.parent, path) if create else ():
        if place.exists() and not os.access(place, os.W_OK):
            raise UserError(f"{place} cannot be written, and the database {path} must be.{cure('readonly')}")
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


def advise(url: str, workers: int) -> None:
    """A line on stderr where so many workers would wait for each other's writes."""
    if workers > SQLITE_WORKERS and sqlite_path(url) is not None:
        tell(
            f"{workers} workers write to one SQLite file, one at a time; where trials are short, more than "
            f"{SQLITE_WORKERS} want PostgreSQL: pip install 'hpo-optuna[postgres]', --storage postgresql+psycopg://..."
        )


def open_storage(
    url: str, *, create: bool = True, patient: bool = True, leave: Callable[[], bool] | None = None
) -> RDBStorage:
    """Open the database at ``url`` with heartbeats and patience for locks.

    Args:
        url: an SQLAlchemy URL.
        create: whether to make the database where there is none; readers pass False and change nothing.
        patient: whether to wait, once it was open, for a server that goes away.
        leave: given where the database was open a moment ago in another process, so that a server that does not
            answer is away and is waited for: whether this process was asked to end.

    Raises:
        StorageLost: the wait for a server that was there was in vain.
        UserError: the folder or file is missing, the file is no Optuna database, or its server does not answer.
    """
    url = absolute_url(url)
    path = sqlite_path(url)
    if leave is not None and path is not None and not path.exists():
        raise UserError(gone(path))
    check_place(url, create=create)
    try:
        if leave is None:
            return _connect_and_create(url, create, patient)
        patience = Patience(shown(url), make_url(url).get_backend_name())
        patience.leave = leave
        return patience(lambda: _connect_and_create(url, create, patient))
    except NoSuchModuleError as error:
        raise UserError(f"no driver for {shown(url)}: {error}; use for example sqlite:///hpo.db.") from error
    except ImportError as error:
        cause, extra = error.__cause__ or error, EXTRAS.get(make_url(url).get_backend_name())
        install = "it with pip" if extra is None else f"it by `pip install hpo-optuna[{extra}]`"
        raise UserError(f"the driver of {shown(url)} is not installed ({cause}); install {install}.") from error
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError, StorageLost) as error:
        if path is not None and not path.exists():
            raise UserError(gone(path)) from error
        if isinstance(error, StorageLost):
            raise
        said = reason(error)
        raise UserError(f"{shown(url)} cannot be used as an Optuna database: {said}.{cure(said)}") from error
    except RuntimeError as error:  # another schema version
        raise UserError(f"{shown(url)} was made by another version of Optuna: {error}") from error


def _connect_and_create(url: str, create: bool, patient: bool) -> RDBStorage:
    for _ in range(CREATION_TRIES):
        try:
            return _connect(url, create, patient)
        except (OperationalError, IntegrityError, ProgrammingError) as error:
            # Workers that start together race to make the tables: whoever loses finds them made.
            if not create or not any(word in str(error) for word in ("already exists", "UNIQUE", "duplicate key")):
                raise
            time.sleep(0.1)
    return _connect(url, create, patient)


def _connect(url: str, create: bool, patient: bool) -> RDBStorage:
    options: dict[str, Any] = {
        "engine_kwargs": _engine_options(make_url(url)),
        "skip_table_creation": not create,
        "heartbeat_interval": HEARTBEAT_SECONDS,
    }
    opened = url if create else _readable(url)
    template = opened.replace("{", "{{").replace("}", "}}")  # Optuna fills in {SCHEMA_VERSION}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats are experimental in Optuna 5
        if patient:
            storage: RDBStorage = PatientStorage(template, place=shown(url), file=sqlite_path(url), **options)
        else:
            storage = RDBStorage(template, **options)
    storage.url = url
    weakref.finalize(storage, storage.engine.dispose)  # a server's connections are few
    RDBStorage.get_all_studies(storage)  # with no patience yet: what is wrong now is said at once
    if create and url.startswith("sqlite"):
        with storage.engine.connect() as connection:
            # Readers no longer block writers, and a commit syncs once instead of three times, as durably as before.
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    return storage


def _readable(url: str) -> str:
    """``url``; where it is an SQLite file in a place that cannot be written, one that opens it without any write."""
    path = sqlite_path(url)
    if path is None:
        return url
    if os.access(path.parent, os.W_OK) or path.with_name(f"{path.name}-wal").exists():
        query = {"mode": "rw", "uri": "true"}  # one that was deleted just now is not made anew
        return URL.create("sqlite", database=f"file:{quote(str(path))}", query=query).render_as_string()
    # Nobody has it open: one who writes keeps a -wal file beside it.
    query = {"immutable": "1", "uri": "true"}
    return URL.create("sqlite", database=f"file:{quote(str(path))}", query=query).render_as_string()


def _engine_options(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": LOCK_TIMEOUT_SECONDS}}
    # A worker needs one connection, and a second one at a heartbeat: servers allow a hundred or so in all.
    pool = {"pool_pre_ping": True, "pool_size": 1, "max_overflow": 10}
    if url.get_driver_name() not in ("psycopg", "psycopg2"):
        return pool
    return {**pool, "connect_args": {key: value for key, value in LIBPQ.items() if key not in url.query}}
