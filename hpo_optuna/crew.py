"""Worker processes on this machine: started, replaced when they die, asked to end."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from typing import IO, Any

import cloudpickle

from .errors import StudyStopped, UserError, WorkerError
from .stop import ASKED

INTERRUPTED, USERS, GIVEN_UP = 130, 2, 3  # exit codes of a worker
MAX_RESTARTS = 100  # of workers that were killed, per run
LEAVE_SECONDS = 15.0  # what a worker asked to end may take before it is killed


class Crew:
    """Worker processes on this machine; the dead are replaced."""

    def __init__(self, order: dict[str, Any], size: int) -> None:
        # Not in argv: the plan may come from a notebook, and the URL may hold a password.
        self._order = cloudpickle.dumps(order)
        self._workers = [self._start() for _ in range(size)]
        self._restarts = 0
        self._codes: set[int] = set()
        self.errors: list[str] = []

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

    def raise_errors(self) -> None:
        """Say what ended workers that were not asked to end.

        Raises:
            StudyStopped: a study was given up.
            UserError: what ended them is the user's to mend, as a full disk.
            WorkerError: a worker failed.
        """
        said = list(dict.fromkeys(self.errors))
        if said:
            known: dict[int, type[Exception]] = {GIVEN_UP: StudyStopped, USERS: UserError}
            kind = known.get(next(iter(self._codes)), WorkerError) if len(self._codes) == 1 else WorkerError
            raise kind("\n".join(said))

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
                self._codes.add(code)
                log.seek(0)
                words = log.read()[-4000:].decode(errors="replace").strip().removeprefix("hpo-optuna: ")
                self.errors.append(words or f"a worker ended with exit code {code}.")
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
