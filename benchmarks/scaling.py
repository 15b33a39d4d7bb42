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
from dataclasses import astuple, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from database_cost.cost import EPOCHS, Cost, measure, plan
from storage import FORK, postgres

from hpo_optuna.matrix import open_studies
from hpo_optuna.storage import HEARTBEAT_SECONDS, open_storage
from hpo_optuna.workers import quiet_optuna, work

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)


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
