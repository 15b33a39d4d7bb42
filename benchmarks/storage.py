"""Trials per second by storage and number of processes, with and without an open dashboard; and nothing is lost.

    python benchmarks/storage.py            # 1, 2, 4, 8 and 16 processes, some six minutes
    python benchmarks/storage.py --quick    # 1 and 4, fewer trials, one round

A trial waits for 5 ms, as if it trained on a core of its own, so that the database is all there is to share: what one
server or one file can take at most. Divide by it to see how many workers a storage feeds: ten trials a second are 600
workers of a minute's trials. The storages take turns; medians. An open dashboard is optuna-dashboard in a process of
its own that is asked for the list of studies and for the whole study twice a second.

After every run the study is read: numbers without a gap, the budget hit exactly, every trial with the score of its
configuration, none failed; and no worker said a word, 'database is locked' least of all. PostgreSQL is started on a
Unix socket in a temporary folder with its defaults (a commit is on disk when it returns, as in SQLite), where it is
installed: Debian's `postgresql`, and the extra [postgres].
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import platform
import pwd
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from hpo_optuna import Budget, ComparisonPlan, SamplerSpec
from hpo_optuna.dashboard import make_dashboard
from hpo_optuna.matrix import open_studies
from hpo_optuna.records import read_trials
from hpo_optuna.storage import open_storage
from hpo_optuna.workers import quiet_optuna, work

FORK = multiprocessing.get_context("fork")  # imports are paid once
TASK_SECONDS, POLL_SECONDS = 0.005, 0.5


def task(config: dict[str, Any], *, seed: int) -> Iterator[float]:  # noqa: ARG001 -- a task has a seed
    """One epoch of training on a core of its own."""
    time.sleep(TASK_SECONDS)
    yield config["x"]


def plan(trials: int) -> ComparisonPlan:
    """One study of random search over one hyperparameter."""
    return ComparisonPlan(
        name="storage",
        task=task,
        space={"x": FloatDistribution(0.0, 1.0)},
        samplers={"random": SamplerSpec("random_search")},
        budget=Budget(trials=trials),
        direction="minimize",
    )


class Found(NamedTuple):
    rate: float  # finished trials per second
    answers: int  # of the dashboard


def join(url: str, trials: int, gate: Barrier, said: Path) -> None:
    """One worker: it begins when all stand ready."""
    with said.open("wb", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    with quiet_optuna():
        storage = open_storage(url)
        gate.wait()
        work(plan(trials), storage)


def measure(url: str, processes: int, trials: int, *, watched: bool, folder: Path) -> Found:
    """Fill an empty database by so many workers, and look whether everything is there."""
    with quiet_optuna():
        open_studies(plan(trials), open_storage(url))
    gate = FORK.Barrier(processes + 1)
    said = [folder / f"worker-{k}" for k in range(processes)]
    workers = [FORK.Process(target=join, args=(url, trials, gate, file)) for file in said]
    for worker in workers:
        worker.start()
    with dashboard(url) if watched else contextlib.nullcontext(lambda: 0) as answers:
        gate.wait()
        began = time.perf_counter()
        for worker in workers:
            worker.join()
        seconds = time.perf_counter() - began
        seen = answers()
    words = [line for file in said for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]
    codes = [worker.exitcode for worker in workers]
    with quiet_optuna():
        [opened] = open_studies(plan(trials), open_storage(url, create=False))
        problems = [*lost(opened.study.get_trials(), trials), *words, *(f"exit code {code}" for code in codes if code)]
    if problems:
        raise SystemExit(f"{processes} processes lost something: " + "\n".join(problems))
    return Found(trials / seconds, seen)


def lost(rows: list[FrozenTrial], budget: int) -> list[str]:
    """What is wrong with a study that should hold `budget` finished trials; nothing if nothing is."""
    problems = []
    if [row.number for row in rows] != list(range(len(rows))):
        problems.append(f"the numbers have gaps: {[row.number for row in rows]}")
    # Who asks when the last trial has just been taken gets a void one, which counts nowhere.
    live = [row for row, record in zip(rows, read_trials(rows), strict=True) if not record.void]
    if len(live) != budget:
        problems.append(f"{len(live)} trials instead of {budget}")
    problems += [f"trial {row.number} is {row.state.name}" for row in live if row.state != TrialState.COMPLETE]
    complete = [row for row in live if row.state == TrialState.COMPLETE]
    problems += [
        f"trial {row.number} has the scores {row.values} and {row.intermediate_values} for {row.params}"
        for row in complete
        if row.values != [row.params.get("x")] or row.intermediate_values != {0: row.params.get("x")}
    ]
    return problems


@contextlib.contextmanager
def dashboard(url: str) -> Iterator[Callable[[], int]]:
    """A dashboard that is looked at for as long as the block runs; how often it has answered."""
    mine, its = FORK.Pipe()
    server = FORK.Process(target=_serve, args=(url, its), daemon=True)
    server.start()
    its.close()
    port, answers, done = mine.recv(), 0, threading.Event()
    fetch = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def poll() -> None:
        nonlocal answers
        while True:
            with fetch(f"http://127.0.0.1:{port}/api/studies", timeout=60) as answer:
                [study] = json.load(answer)["study_summaries"]
            with fetch(f"http://127.0.0.1:{port}/api/studies/{study['study_id']}?after=0", timeout=60) as answer:
                json.load(answer)
            answers += 1
            if done.wait(POLL_SECONDS):
                return

    page = threading.Thread(target=poll)
    page.start()
    try:
        yield lambda: answers
    finally:
        done.set()
        page.join()
        server.terminate()
        server.join()


def _serve(url: str, to: Any) -> None:
    with make_dashboard(url, port=0) as server:
        to.send(server.server_port)
        server.serve_forever()


@contextlib.contextmanager
def postgres() -> Iterator[Callable[[], str] | None]:
    """A PostgreSQL server as it comes; what makes an empty database and gives its URL. None where there is none."""
    initdb = max(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=shutil.which("initdb"))
    if initdb is None or find_spec("psycopg") is None:
        yield None
        return
    import psycopg

    folder = Path(tempfile.mkdtemp(prefix="hpo-pg-"))
    data, made = folder / "data", 0
    as_user: list[str] = []
    if os.geteuid() == 0:  # as which the server refuses to run
        user = "postgres" if "postgres" in {entry.pw_name for entry in pwd.getpwall()} else "nobody"
        shutil.chown(folder, user)
        as_user = ["runuser", "-u", user, "--"]

    def do(program: str, *words: object) -> None:
        with tempfile.TemporaryFile() as said:  # the server keeps its streams: a pipe would never come to its end
            command = [*as_user, str(Path(initdb).with_name(program)), "-D", str(data), *map(str, words)]
            if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=folder).returncode:
                said.seek(0)
                raise SystemExit(said.read().decode())

    def create() -> str:
        nonlocal made
        made += 1
        with psycopg.connect(host=str(folder), user="hpo", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE bench{made}".encode())
        return f"postgresql+psycopg://hpo@/bench{made}?host={folder}"

    try:
        do("initdb", "-U", "hpo", "-A", "trust", "-E", "UTF8")
        do("pg_ctl", "-w", "-o", f"-c listen_addresses='' -k {folder}", "-l", folder / "log", "start")
        try:
            yield create
        finally:
            do("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer processes, fewer trials, one round")
    quick = parser.parse_args().quick
    counts, trials, rounds = ((1, 4), 16, 1) if quick else ((1, 2, 4, 8, 16), 96, 3)
    rates: dict[tuple[str, int], list[float]] = {}
    answers = runs = 0
    with postgres() as create, tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        storages = {"SQLite": lambda: f"sqlite:///{folder / f'{runs}.db'}"}
        if create is not None:
            storages["PostgreSQL"] = create
        for _ in range(rounds):
            for processes in counts:
                for name, empty in storages.items():
                    for watched in (False, True):
                        found = measure(empty(), processes, trials, watched=watched, folder=folder)
                        column = f"{name}, dashboard open" if watched else name
                        rates.setdefault((column, processes), []).append(found.rate)
                        answers, runs = answers + found.answers, runs + 1
    columns = list(dict.fromkeys(column for column, _ in rates))
    print(f"trials per second ({trials} trials of {1000 * TASK_SECONDS:.0f} ms, median of {rounds}), ", end="")
    print("in brackets the ratio to one process\n")
    print(f"| processes | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for processes in counts:
        rate = {column: median(rates[column, processes]) for column in columns}
        cells = [f"{rate[column]:.1f} (x{rate[column] / median(rates[column, 1]):.2f})" for column in columns]
        print(f"| {processes} | {' | '.join(cells)} |")
    print(
        f"\n{runs} runs, {runs * trials} trials: none lost, none failed, no number missing, no word of a locked ",
        end="",
    )
    print(f"database; the dashboard answered {answers} times")
    if create is None:
        print("PostgreSQL was not measured: apt-get install postgresql, pip install 'hpo-optuna[postgres]'")
    print(
        f"{os.cpu_count()} cores (load {os.getloadavg()[0]:.1f}), Python {platform.python_version()}, "
        f"Optuna {version('optuna')}, SQLAlchemy {version('sqlalchemy')}, SQLite {sqlite3.sqlite_version}"
    )


if __name__ == "__main__":
    main()
