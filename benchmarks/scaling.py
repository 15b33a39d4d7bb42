"""From 1 to 1,000 workers: what one trial costs the database is measured, what many cost together is simulated.

    python benchmarks/scaling.py            # some minutes
    python benchmarks/scaling.py --quick
    python benchmarks/scaling.py --figure scaling.svg    # needs Chromium and playwright

Measured: one worker runs trials of five epochs that train nothing, with a median pruner, while trials of other hosts
stand RUNNING in the table, which every look reads again. Per trial: the time at the worker, the time that SQLite's one
write lock is held, the processor time of PostgreSQL's server, the time in which a new trial is not yet signed (nobody
else may ask this study meanwhile), statements and writes. Each is fitted by a straight line over the trials that run.

Simulated: a closed network of queues, solved by mean-value analysis (Reiser and Lavenberg 1980). A worker trains, which
is a delay; SQLite is a queue with one server, PostgreSQL one with `--cores` (Seidmann's approximation), signing a queue
for each study. Costs at N workers are the line's at N running trials, even far beyond the measured ones. A statement
to a server takes `--rtt` milliseconds on its way; a heartbeat comes every 30 s. The simulation is held against workers
that sleep instead of training.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import shutil
import sqlite3
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import psutil
import sqlalchemy
from optuna.distributions import FloatDistribution
from optuna.pruners import MedianPruner
from storage import FORK, postgres

from hpo_optuna import Budget, ComparisonPlan, SamplerSpec
from hpo_optuna.matrix import open_studies
from hpo_optuna.patient import PatientStorage
from hpo_optuna.records import WORKER
from hpo_optuna.stop import Stop
from hpo_optuna.storage import HEARTBEAT_SECONDS, open_storage
from hpo_optuna.workers import quiet_optuna, work

EPOCHS = 5
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
ELSEWHERE = {"host": "elsewhere", "pid": 1, "started": 0.0}


@dataclass
class Cost:
    """Of one trial beside its training; times in seconds."""

    worker: float  # at the worker, waiting for the database included
    locked: float  # SQLite's write lock
    server: float  # processor of PostgreSQL
    unsigned: float  # nobody else may ask this study
    statements: float
    writes: float  # transactions


def plan(trials: int, studies: int, task: Callable[..., Iterator[float]]) -> ComparisonPlan:
    """Random search over one hyperparameter in so many replicates."""
    return ComparisonPlan(
        name="scaling",
        task=task,
        space={"x": FloatDistribution(0.0, 1.0)},
        samplers={"random": SamplerSpec("random_search")},
        budget=Budget(trials=trials),
        replicates=studies,
        direction="minimize",
        pruner=MedianPruner(n_startup_trials=10**9),  # it reads the table as ever, and stops nobody
    )


class Watch:
    """What is seen of a worker's storage, by the events of SQLAlchemy and two of its methods."""

    def __init__(self, storage: Any) -> None:
        self.locked = self.unsigned = self.asked = 0.0
        self.statements = self.writes = 0
        self._since: dict[int, float] = {}
        sqlalchemy.event.listen(storage.engine, "before_cursor_execute", self._execute)
        self._commit, storage.engine.dialect.do_commit = storage.engine.dialect.do_commit, self._committed

    def _execute(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self.statements += 1
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            self._since.setdefault(id(connection.connection.dbapi_connection), time.perf_counter())

    def _committed(self, connection: Any) -> None:
        self._commit(connection)
        since = self._since.pop(id(getattr(connection, "dbapi_connection", connection)), None)
        if since is not None:
            self.locked += time.perf_counter() - since
            self.writes += 1

    def create(self, *args: Any, **kwargs: Any) -> Any:
        """In place of ``PatientStorage._create_new_trial``."""
        self.asked = time.perf_counter()
        return _create(*args, **kwargs)

    def sign(self, storage: Any, trial: int, key: str, value: Any) -> None:
        """In place of ``PatientStorage.set_trial_user_attr``."""
        _sign(storage, trial, key, value)
        if key == WORKER:
            self.unsigned += time.perf_counter() - self.asked

    def now(self) -> np.ndarray:
        """Time, locked, unsigned, statements, writes since the beginning."""
        return np.array([time.perf_counter(), self.locked, self.unsigned, self.statements, self.writes])


_create, _sign = PatientStorage._create_new_trial, PatientStorage.set_trial_user_attr


def measure(url: str, studies: int, running: int, trials: int) -> Cost:
    """One worker's costs of a trial while ``running`` trials of other hosts run, spread over ``studies``."""
    seen: list[np.ndarray] = []
    stop = Stop()

    def task(config: Mapping[str, Any], *, seed: int) -> Iterator[float]:  # noqa: ARG001 -- a task has a seed
        seen.append(watch.now())
        yield from [config["x"]] * EPOCHS
        if len(seen) > trials:
            stop.requested = True

    wanted = plan(trials + running + 9, studies, task)
    with quiet_optuna():
        storage = open_storage(url)
        opened = open_studies(wanted, storage)
        for k in range(running):
            study = opened[k % studies].study
            trial = study.ask()
            trial.set_user_attr(WORKER, ELSEWHERE)
            trial.suggest_float("x", 0.0, 1.0)
            trial.report(1.0, 0)
            storage.record_heartbeat(trial._trial_id)
        watch, before = Watch(storage), _processor(url)
        with (
            patch.object(PatientStorage, "_create_new_trial", lambda *a, **k: watch.create(*a, **k)),
            patch.object(PatientStorage, "set_trial_user_attr", lambda *a, **k: watch.sign(*a, **k)),
        ):
            work(wanted, storage, stop=stop)
        server = (_processor(url) - before) / len(seen)
    each = np.median(np.diff(seen, axis=0), axis=0)
    return Cost(each[0], each[1], server, each[2], each[3], each[4])


def _processor(url: str) -> float:
    """Seconds of processor that the server behind ``url`` has taken; 0 for a file."""
    folder = parse_qs(urlsplit(url).query).get("host")
    if folder is None:
        return 0.0
    head = psutil.Process(int((Path(folder[0]) / "data" / "postmaster.pid").read_text().split()[0]))
    times = [head.cpu_times(), *(child.cpu_times() for child in head.children())]
    return sum(t.user + t.system for t in times) + times[0].children_user + times[0].children_system


def least(rounds: list[Cost]) -> Cost:
    """The least of several measurements: what the neighbours of this machine add is never negative."""
    return Cost(*(min(values) for values in zip(*(astuple(cost) for cost in rounds), strict=True)))


def line(points: Mapping[int, Cost]) -> Callable[[float], Cost]:
    """The costs as straight lines over the number of running trials, never below the cheapest one measured."""
    at = list(points)
    fits = {}
    for field in fields(Cost):
        values = [getattr(cost, field.name) for cost in points.values()]
        slope = statistics.linear_regression(at, values).slope
        # Readers hold no lock of SQLite, and a trial writes as often, however many run.
        fits[field.name] = (min(values), 0.0 if field.name == "locked" else max(slope, 0.0))
    return lambda running: Cost(**{name: low + slope * running for name, (low, slope) in fits.items()})


def throughput(workers: int, delay: float, queues: list[float]) -> float:
    """Trials per second of a closed network, by exact mean-value analysis.

    Args:
        workers: who go round in it.
        delay: seconds of a round without a queue.
        queues: seconds of service that a trial needs at each single server.
    """
    demands, lengths, rate = np.array(queues), np.zeros(len(queues)), 0.0
    for n in range(1, workers + 1):
        response = demands * (1.0 + lengths)
        rate = n / (delay + float(response.sum()))
        lengths = rate * response
    return rate


def simulate(cost: Cost, workers: int, seconds: float, studies: int, *, server: bool, cores: int, rtt: float) -> float:
    """Trials per second of ``workers`` whose trials train for ``seconds``."""
    beats = 1.0 + seconds / HEARTBEAT_SECONDS / max(cost.writes, 1.0)
    way = rtt * cost.statements * beats if server else 0.0
    busy = (cost.server if server else cost.locked) * beats
    signing = cost.unsigned + (rtt * cost.statements * cost.unsigned / cost.worker if server else 0.0)
    rest = max(0.0, cost.worker - busy - cost.unsigned)
    share = 1 / cores if server else 1.0
    delay = seconds + way + rest + busy * (1 - share)
    return throughput(workers, delay, [busy * share] + [signing / studies] * studies)


def sleepers(url: str, workers: int, seconds: float, trials: int) -> float:
    """Trials per second, measured, of workers that sleep for as long as a trial trains."""

    def task(config: Mapping[str, Any], *, seed: int) -> Iterator[float]:  # noqa: ARG001
        for _ in range(EPOCHS):
            time.sleep(seconds / EPOCHS)
            yield config["x"]

    wanted = plan(trials, 1, task)

    def join() -> None:
        with quiet_optuna():
            storage = open_storage(url)
            gate.wait()
            work(wanted, storage)

    with quiet_optuna():
        open_studies(wanted, open_storage(url))
    gate = FORK.Barrier(workers + 1)
    crowd = [FORK.Process(target=join) for _ in range(workers)]
    for worker in crowd:
        worker.start()
    gate.wait()
    began = time.perf_counter()
    for worker in crowd:
        worker.join()
    return trials / (time.perf_counter() - began)


def draw(rows: Mapping[str, list[float]], seconds: float, path: Path) -> None:
    """The figure: trials per hour over workers, both on a logarithmic scale."""
    import plotly.graph_objects as go
    from playwright.sync_api import sync_playwright

    figure = go.Figure()
    ideal = [3600 * n / seconds for n in WORKERS]
    figure.add_scatter(x=WORKERS, y=ideal, name="no database", line={"dash": "dot", "color": "#888"})
    for name, rates in rows.items():
        dash = "solid" if "24" in name else "dash"
        color = "#0072b2" if "PostgreSQL" in name else "#d55e00"
        figure.add_scatter(x=WORKERS, y=rates, name=name, mode="lines+markers", line={"dash": dash, "color": color})
    figure.update_xaxes(type="log", title="workers", tickvals=WORKERS, ticktext=[str(n) for n in WORKERS])
    figure.update_yaxes(type="log", title="trials per hour (simulated)", tickformat=",d", dtick=1)
    figure.update_layout(template="plotly_white", title=f"Trials of {seconds:g} s", width=800, height=450)
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.set_content(figure.to_html())
        options = "{format: 'svg', width: 800, height: 450, imageDataOnly: true}"
        drawn = page.evaluate(f"Plotly.toImage(document.querySelector('.plotly-graph-div'), {options})")
        browser.close()
    path.write_text(unquote(drawn.removeprefix("data:image/svg+xml,")), encoding="utf-8")


def main() -> None:
    """Measure, simulate, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one study, fewer trials")
    parser.add_argument("--cores", type=int, default=8, help="of the server that is simulated (default: %(default)s)")
    parser.add_argument("--rtt", type=float, default=0.5, metavar="MS", help="to it and back (default: %(default)s)")
    parser.add_argument("--figure", type=Path, metavar="FILE.svg")
    args = parser.parse_args()
    rtt = args.rtt / 1000
    warnings.filterwarnings("ignore", "Heartbeat of storage", UserWarning)  # the trials of other hosts are asked for
    matrix, trials, at = ((1,), 6, (0, 12)) if args.quick else ((1, 24), 6, (0, 48))
    costs: dict[tuple[str, int], Callable[[float], Cost]] = {}
    print("measured, one worker, of one trial (medians, the lesser of two rounds; the server's processor: mean)\n")
    print("| database | studies | running elsewhere | time at the worker | SQLite's lock held ", end="")
    print("| server's processor | unsigned | statements | writes |\n|---|---|---|---|---|---|---|---|---|")
    held: dict[str, tuple[float, float]] = {}
    with postgres() as create, tempfile.TemporaryDirectory() as folder:
        fresh = itertools.count()
        kinds = {"SQLite": lambda: f"sqlite:///{folder}/{next(fresh)}.db"}
        if create is not None:
            kinds["PostgreSQL"] = create
        for studies, (kind, empty) in itertools.product(matrix, kinds.items()):
            rounds = [{running: measure(empty(), studies, running, trials) for running in at} for _ in range(2)]
            points = {running: least([found[running] for found in rounds]) for running in at}
            costs[kind, studies] = line(points)
            for running, c in points.items():
                shared = (f"{c.locked * 1e3:.0f} ms", "-") if kind == "SQLite" else ("-", f"{c.server * 1e3:.0f} ms")
                times = f"{c.worker * 1e3:.0f} ms | {' | '.join(shared)}"
                counts = f"{c.unsigned * 1e3:.0f} ms | {c.statements:.0f} | {c.writes:.0f} |"
                print(f"| {kind} | {studies} | {running} | {times} | {counts}", flush=True)
        for kind, empty in kinds.items():
            here = {"server": kind != "SQLite", "cores": os.cpu_count() or 1, "rtt": 0.0}
            held[kind] = sleepers(empty(), 4, 3.0, 16), simulate(costs[kind, 1](4), 4, 3.0, 1, **here)
    print("\nfour workers that sleep 3 s a trial, trials per minute: ", end="")
    print("; ".join(f"{kind} measured {60 * m:.0f}, simulated {60 * s:.0f}" for kind, (m, s) in held.items()))
    for seconds in (10.0, 60.0, 600.0):
        rows = {}
        for (kind, studies), cost in costs.items():
            there = {"server": kind != "SQLite", "cores": args.cores, "rtt": rtt}
            rates = [3600 * simulate(cost(n), n, seconds, studies, **there) for n in WORKERS]
            rows[f"{kind}, {studies} {'study' if studies == 1 else 'studies'}"] = rates
        print(f"\nsimulated, trials per hour, trials of {seconds:g} s (in brackets: of what the workers could)\n")
        print(f"| workers | {' | '.join(rows)} |\n|---|{'---|' * len(rows)}")
        for k, n in enumerate(WORKERS):
            cells = [f"{rates[k]:,.0f} ({rates[k] * seconds / 36 / n:.0f} %)" for rates in rows.values()]
            print(f"| {n} | {' | '.join(cells)} |")
        if seconds == 60.0 and args.figure is not None:
            draw(rows, seconds, args.figure)
    print(f"\nsimulated server: {args.cores} cores, {args.rtt} ms away; SQLite: all workers on its machine")
    print(
        f"measured on {os.cpu_count()} cores (load {os.getloadavg()[0]:.1f}), Python {platform.python_version()}, "
        f"Optuna {version('optuna')}, SQLite {sqlite3.sqlite_version}"
    )


if __name__ == "__main__":
    main()
