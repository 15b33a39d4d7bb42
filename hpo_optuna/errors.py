"""Errors that are the user's to mend."""


class UserError(ValueError):
    """Something in a plan, a command line, a database or a data folder is wrong.

    The message names the thing, its value and the cure; the command line prints it and exits with code 2.
    """


class StudyStopped(RuntimeError):
    """A study was given up because its trials keep failing; the message carries the last reason."""


class WorkerError(RuntimeError):
    """A worker process failed; the message carries its last words."""


class StorageLost(BaseException):
    """The database is gone for good, or for longer than a worker waits. It becomes a :class:`UserError` at the door.

    No ``Exception``: Optuna would take it for a failure of the trial that ran, and try to write that down.

    Args:
        message: what is lost, why, and the cure.
        interrupted: whether the wait was ended by a signal, and nothing is known to be lost.
    """

    def __init__(self, message: str, *, interrupted: bool = False) -> None:
        super().__init__(message)
        self.interrupted = interrupted
