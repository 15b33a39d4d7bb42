"""Trials per second by storage and number of processes.

The task is a no-op of one epoch, so that the database is all there is to wait for: what one server or one file can take
at most. Divide by it to see how many workers a storage feeds: ten trials a second are 600 workers of a minute's trials.

    python benchmarks/storage.py [--quick]

PostgreSQL is started on loopback with its defaults (a commit is on disk when it returns, as in SQLite), where
Debian's ``postgresql`` is installed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median
from typing import Any

from optuna.distributions import FloatDistribution

from hpo_optuna import Budget, ComparisonPlan, HyperparameterOptimizer, SamplerSpec
from hpo_optuna.matrix import open_studies
from hpo_optuna.storage import open_storage
from hpo_optuna.workers import quiet_optuna, work

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))


def no_op(config: dict[str, Any], *, seed: int) -> Iterator[float]:  # noqa: ARG001 -- a task has a seed
    """One epoch that trains nothing."""
    yield config["x"]


def plan(trials: int) -> ComparisonPlan:
    """One study of random search over one hyperparameter."""
    return ComparisonPlan(
        name="storage",
        task=no_op,
        space={"x": FloatDistribution(0.0, 1.0)},
        samplers={"random": SamplerSpec("random_search")},
        budget=Budget(trials=trials),
        direction="minimize",
    )


def join(url: str, trials: int, gate: Barrier) -> None:
    """One worker: it begins when all stand ready."""
    with quiet_optuna():
        storage = open_storage(url)
        gate.wait()
        work(plan(trials), storage)


def rate(url: str, processes: int, trials: int) -> float:
    """Finished trials per second of ``processes`` workers on an empty database."""
    with quiet_optuna():
        open_studies(plan(trials), open_storage(url))
    fork = multiprocessing.get_context("fork")  # imports are paid once
    gate = fork.Barrier(processes + 1)
    workers = [fork.Process(target=join, args=(url, trials, gate)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    gate.wait()
    began = time.perf_counter()
    for worker in workers:
        worker.join()
        if worker.exitcode != 0:
            raise SystemExit(f"a worker ended with exit code {worker.exitcode}")
    seconds = time.perf_counter() - began
    [study] = HyperparameterOptimizer(plan(trials), url).status().studies
    assert len(study.finished) == trials
    return trials / seconds


@contextmanager
def server() -> Iterator[Any]:
    """A PostgreSQL server for the benchmark; None where there is none."""
    from postgres_server import Server, binaries

    programs = binaries()
    if programs is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="hpo-pg-"))
    made = Server(folder, programs)
    try:
        made.start(durable=True)
        yield made
        made.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer processes, fewer trials, one round")
    quick = parser.parse_args().quick
    counts, trials, rounds = ((1, 4), 16, 1) if quick else ((1, 2, 4, 8, 16), 96, 3)
    found: dict[tuple[str, int], list[float]] = {}
    with server() as postgres, tempfile.TemporaryDirectory() as folder:
        for k in range(rounds):
            for processes in counts:  # storages alternate, so that both meet the same neighbours
                urls = {"SQLite": f"sqlite:///{folder}/{processes}-{k}.db"}
                if postgres is not None:
                    urls["PostgreSQL"] = postgres.create(f"bench-{processes}-{k}")
                for name, url in urls.items():
                    found.setdefault((name, processes), []).append(rate(url, processes, trials))
    names = list(dict.fromkeys(name for name, _ in found))
    print(f"trials per second, {trials} trials of one epoch, median of {rounds}")
    print("| processes | " + " | ".join(names) + (" | ratio |" if len(names) == 2 else " |"))
    print("|---|" + "---|" * (len(names) + (len(names) == 2)))
    for processes in counts:
        rates = [median(found[name, processes]) for name in names]
        cells = [f"{r:.1f}" for r in rates] + ([f"{rates[1] / rates[0]:.2f}"] if len(rates) == 2 else [])
        print(f"| {processes} | " + " | ".join(cells) + " |")
    if len(names) == 1:
        print("no PostgreSQL here: apt-get install postgresql")
    load = os.getloadavg()[0]
    print(
        f"{os.cpu_count()} cores (load {load:.1f}), Python {platform.python_version()}, Optuna {version('optuna')}, "
        f"SQLAlchemy {version('sqlalchemy')}, SQLite {sqlite3.sqlite_version}"
    )


if __name__ == "__main__":
    main()
