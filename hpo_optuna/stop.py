"""A request to end: what signals set and workers obey."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

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
