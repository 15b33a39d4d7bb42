"""A request to end: what signals set and workers obey."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

# The signals by which a person or a cluster asks a process to end (no SIGHUP on Windows).
ASKED = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM reached the worker while it trained."""


class Stop:
    """A request to end. A signal interrupts training at once, but never a write to the database."""

    def __init__(self) -> None:
        self.requested = False
        self.training = False

    def request(self, *_: object) -> None:
        """The handler of SIGINT and SIGTERM."""
        self.requested = True
        if self.training:
            self.training = False
            raise Interrupted


@contextmanager
def signals_to(stop: Stop) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP request ``stop`` inside the block; only where this is the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop.request) for number in ASKED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ending(scores: Generator[Any, Any, Any], *, again: tuple[type[BaseException], ...]) -> Iterator[None]:
    """Close a task's generator at the end of the block, and let it know whether its trial will be run again.

    Where one of ``again`` ends the block, :class:`Interrupted` is raised inside the generator, as a signal in the
    middle of an epoch would; where anything else does, it is closed. To a plain generator the two are alike.
    """
    try:
        yield
    except again:
        with suppress(Exception, KeyboardInterrupt):  # whatever the generator makes of it, the trial is run again
            scores.throw(Interrupted())
        raise
    finally:
        scores.close()
