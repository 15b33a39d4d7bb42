"""Worker processes on this machine: started, replaced when they die, asked to end."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import IO, Any, Protocol

import cloudpickle

from .errors import StudyStopped, UserError, WorkerError
from .stop import ASKED, Stop
from .workers import POLL_SECONDS

INTERRUPTED, USERS, GIVEN_UP = 130, 2, 3  # exit codes of a worker
MAX_RESTARTS = 100  # of workers that were killed, per run
LEAVE_SECONDS = 15.0  # what a worker asked to end may take before it is killed


class LastWords:
    """What was said by workers that failed."""

    def __init__(self) -> None:
        self._said: dict[str, int] = {}

    def add(self, code: int, words: str) -> None:
        """Keep the words of a worker, and the exit code that says of what kind they are."""
        self._said[words] = code

    def raise_errors(self) -> None:
        """Say what ended workers that were not asked to end.

        Raises:
            StudyStopped: a study was given up.
            UserError: what ended them is the user's to mend, as a full disk.
            WorkerError: a worker failed.
        """
        if self._said:
            known: dict[int, type[Exception]] = {GIVEN_UP: StudyStopped, USERS: UserError}
            codes = set(self._said.values())
            kind = known.get(codes.pop(), WorkerError) if len(codes) == 1 else WorkerError
            raise kind("\n".join(self._said))


class Workers(Protocol):
    """Some workers, wherever they run."""

    words: LastWords

    def attend(self) -> bool:
        """Replace the dead. False when none is left."""

    def dismiss(self) -> None:
        """Ask all to end, and come back when they have."""


def lead(crew: Workers, stop: Stop, tick: Callable[[], None]) -> None:
    """Attend to ``crew`` until its work is done or ``stop`` is requested.

    Raises:
        StudyStopped, UserError, WorkerError: as :meth:`LastWords.raise_errors`.
    """
    try:
        while crew.attend() and not stop.requested:
            tick()
            time.sleep(POLL_SECONDS)
    finally:
        crew.dismiss()
    if not stop.requested:
        crew.words.raise_errors()


class Crew:
    """Worker processes on this machine; the dead are replaced."""

    def __init__(self, order: Mapping[str, Any], size: int) -> None:
        # Not in argv: the plan may come from a notebook, and the URL may hold a password.
        self._order = cloudpickle.dumps(order)
        self._workers = [self._start() for _ in range(size)]
        self._restarts = 0
        self.words = LastWords()

    def _start(self) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
        log = tempfile.TemporaryFile()  # noqa: SIM115 -- lives as long as the worker
        one_thread = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        worker = subprocess.Popen(
            [sys.executable, "-m", "hpo_optuna", "worker", "-"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={**os.environ, **one_thread, "PYTHONPATH": path},
        )
        assert worker.stdin is not None
        try:
            worker.stdin.write(self._order)
            worker.stdin.close()
        except BrokenPipeError:
            pass  # it died at once; its exit code says why
        return worker, log

    def attend(self) -> bool:
        """Replace workers that were killed, keep the words of those that failed. False when none is left."""
        for entry in [e for e in self._workers if e[0].poll() is not None]:
            worker, log = entry
            self._workers.remove(entry)
            code = worker.returncode
            if code < 0 and -code not in ASKED and self._restarts < MAX_RESTARTS:
                self._restarts += 1
                self._workers.append(self._start())
            elif code not in (0, INTERRUPTED) and -code not in ASKED:
                log.seek(0)
                words = log.read()[-4000:].decode(errors="replace").strip().removeprefix("hpo-optuna: ")
                self.words.add(code, words or f"a worker ended with exit code {code}.")
            log.close()
        return bool(self._workers)

    def dismiss(self) -> None:
        """Ask all workers to end, and kill those that do not within seconds."""
        for worker, _ in self._workers:
            worker.terminate()
        deadline = time.monotonic() + LEAVE_SECONDS
        for worker, log in self._workers:
            try:
                worker.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
            log.close()
        self._workers = []
