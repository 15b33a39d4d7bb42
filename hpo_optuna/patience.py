"""A database that goes away and comes back: waited for, and where waiting mends nothing, left with a plain word."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, PendingRollbackError, SQLAlchemyError

from .errors import StorageLost, UserError

PATIENCE_SECONDS = 600.0  # how long a worker waits for a server that went away
FIRST_WAIT, LONGEST_WAIT = 0.1, 3.0  # seconds between two tries; shorter than deaths.UNCLAIMED_SECONDS

T = TypeVar("T")
P = ParamSpec("P")

CURES = {
    "refused": "is the server running, and are host and port right?",
    "timeout": "is the server running, and are host and port right?",
    "translate host": "is the name of the host right?",
    "resolve": "is the name of the host right?",
    "authentication failed": "are user and password right? (~/.pgpass and PGPASSWORD keep a password off the URL)",
    "no password supplied": "put it into ~/.pgpass or PGPASSWORD.",
    "does not exist": "create it first, or name another.",
    "is full": "free some space and run the same command again: what was finished is kept.",
    "readonly": "give this user the right to write there, or copy it to a place where you have it.",
    "read-only": "give this user the right to write there, or copy it to a place where you have it.",
    "disk i/o": "look after the disk, and run the same command again.",
    "malformed": "the file is damaged; restore a copy of it.",
    "no such table": "it was emptied or replaced under way; restore it, or begin anew.",
}


def reason(error: BaseException) -> str:
    """What the database said, in one line and without the statement."""
    inner = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
    said = str(getattr(inner, "orig", None) or inner).strip()
    return said.splitlines()[0].rstrip(".") if said else type(inner).__name__


def cure(said: str) -> str:
    """What to do about it, as a sentence; empty where nothing is known."""
    return next((f" {words[0].upper()}{words[1:]}" for key, words in CURES.items() if key in said.lower()), "")


def passes(error: BaseException, dialect: str) -> bool:
    """Whether waiting may mend ``error``: a server away, restarting or crowded, or a lock."""
    inner = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
    if isinstance(inner, PendingRollbackError):
        return dialect != "sqlite"  # a connection broke within a transaction, which is rolled back by now
    if not isinstance(inner, DBAPIError):
        return False
    if dialect == "sqlite":
        return "is locked" in str(inner)
    return inner.connection_invalidated or isinstance(inner, OperationalError | InterfaceError)


class Patience:
    """Repeats an operation while the database is away.

    Args:
        place: the database's URL without its password, for messages.
        dialect: SQLAlchemy's name of the kind of database.
    """

    def __init__(self, place: str, dialect: str) -> None:
        self.place, self.dialect = place, dialect
        self.leave: Callable[[], bool] = lambda: False  # whether somebody asked this process to end
        self.lost: StorageLost | None = None  # once lost, no later operation waits again
        self.trouble: float | None = None  # time.monotonic() of the last failure

    def __call__(self, operation: Callable[[], T]) -> T:
        """What ``operation`` returns, once the database answers.

        Raises:
            StorageLost: it does not answer for ``PATIENCE_SECONDS``, or waiting mends nothing.
        """
        if self.lost is not None:
            raise self.lost
        began: float | None = None
        wait = FIRST_WAIT
        while True:
            try:
                result = operation()
            except (StorageInternalError, SQLAlchemyError) as error:
                self.trouble = time.monotonic()
                if not passes(error, self.dialect):
                    self.fail(f"{self.place}: {reason(error)}.{cure(reason(error))}", error)
                if began is None:
                    began = time.monotonic()
                    minutes = f"{PATIENCE_SECONDS / 60:.0f} minutes"
                    tell(f"{self.place} does not answer ({reason(error)}); trying for {minutes}.")
                elif time.monotonic() - began > PATIENCE_SECONDS:
                    self.fail(
                        f"{self.place} has not answered for {PATIENCE_SECONDS / 60:.0f} minutes "
                        f"({reason(error)}). The same command goes on when it does.",
                        error,
                    )
                self._sleep(wait * random.uniform(0.5, 1.0))  # many workers wait for one server
                wait = min(2 * wait, LONGEST_WAIT)
                continue
            if began is not None:
                tell(f"{self.place} answers again after {time.monotonic() - began:.1f} s.")
            return result

    def fail(self, message: str, cause: BaseException | None = None, *, interrupted: bool = False) -> None:
        """Give the database up.

        Raises:
            StorageLost: always.
        """
        self.lost = StorageLost(message, interrupted=interrupted)
        raise self.lost from cause

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.leave():
                self.fail(f"{self.place} does not answer, and this process was asked to end.", interrupted=True)
            time.sleep(min(left, 0.1))


def tell(line: str) -> None:
    """A line on stderr."""
    print(f"hpo-optuna: {line}", file=sys.stderr, flush=True)


@contextmanager
def plainly() -> Iterator[None]:
    """A lost database is the user's to mend: one message instead of a traceback.

    Raises:
        UserError: the database was lost inside the block.
        KeyboardInterrupt: a signal ended the wait for it.
    """
    try:
        yield
    except StorageLost as lost:
        if lost.interrupted:
            raise KeyboardInterrupt from lost
        raise UserError(str(lost)) from lost.__cause__
