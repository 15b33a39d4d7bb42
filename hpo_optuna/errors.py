"""Errors that are the user's to mend."""


class UserError(ValueError):
    """Something in a plan, a command line, a database or a data folder is wrong.

    The message names the thing, its value and the cure; the command line prints it and exits with code 2.
    """


class StudyStopped(RuntimeError):
    """A study was given up because its trials keep failing; the message carries the last reason."""


class WorkerError(RuntimeError):
    """A worker process failed; the message carries its last words."""
