"""What a sampler's ask and tell cost: CPU time per trial beside Optuna's RandomSampler, by the length of the history.

    python benchmarks/overhead.py            # 100, 1,000 and 5,000 finished trials, minutes
    python benchmarks/overhead.py --quick    # 100 and 1,000

Five floats; SQLite without fsync, which would hide the sampler behind the disk. The samplers take turns, each on a copy
of one database; medians, and a 95 % interval of the ratio to RandomSampler by bootstrap over the rounds. CMA-ES joins
where `pip install cmaes` was done.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import optuna
import psutil
import sqlalchemy
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, NSGAIISampler, RandomSampler, TPESampler

from hpo_optuna.samplers.pso import PSOSampler
from hpo_optuna.samplers.random_search import RandomSearchSampler

NAMES = [f"x{i}" for i in range(5)]
SAMPLERS: dict[str, Callable[[], BaseSampler]] = {  # the first is what others are measured by
    "RandomSampler (Optuna)": lambda: RandomSampler(seed=0),
    "random_search": lambda: RandomSearchSampler(seed=0),
    "pso, screen=None": lambda: PSOSampler(seed=0, screen=None),
    'pso, screen="rbf"': lambda: PSOSampler(seed=0),
    "TPESampler": lambda: TPESampler(seed=0),
    "NSGAIISampler": lambda: NSGAIISampler(seed=0),
}
if find_spec("cmaes") is not None:
    SAMPLERS["CmaEsSampler"] = lambda: CmaEsSampler(seed=0)


def filled(path: Path, n: int) -> None:
    """A database of one study with ``n`` complete trials: one written by Optuna, its copies by SQL."""
    space: dict[str, BaseDistribution] = {name: FloatDistribution(-5.0, 5.0) for name in NAMES}
    study = optuna.create_study(study_name="history", storage=f"sqlite:///{path}")
    study.add_trial(optuna.create_trial(params=dict.fromkeys(NAMES, 0.0), distributions=space, value=0.0))
    x = np.random.default_rng(0).uniform(-5.0, 5.0, (n, len(NAMES)))
    rows = [(number, number + 1, float(value)) for number, value in enumerate((x**2).sum(axis=1))][1:]
    params = [(number + 1, name, float(x[number, j])) for number, *_ in rows for j, name in enumerate(NAMES)]
    with contextlib.closing(sqlite3.connect(path)) as link, link:
        trial = "study_id, state, datetime_start, datetime_complete"
        link.executemany(
            f"INSERT INTO trials (trial_id, number, {trial}) SELECT ?2, ?1, {trial} FROM trials WHERE number = 0",
            [row[:2] for row in rows],
        )
        link.executemany(
            "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (?, 0, ?, 'FINITE')",
            [row[1:] for row in rows],
        )
        link.executemany(
            "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json)"
            " SELECT ?1, ?2, ?3, distribution_json FROM trial_params WHERE trial_id = 1 AND param_name = ?2",
            params,
        )
    assert len(study.get_trials(deepcopy=False)) == n
    assert study.trials[-1].value == rows[-1][-1]


def opened(path: Path, sampler: BaseSampler) -> optuna.Study:
    """The study, on a connection that does not wait for the disk."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    sqlalchemy.event.listen(storage.engine, "connect", lambda link, _: link.execute("PRAGMA synchronous=OFF"))
    storage.engine.dispose()
    return optuna.load_study(study_name="history", storage=storage, sampler=sampler)


def one_trial(study: optuna.Study) -> float:
    """CPU seconds of one ask, five suggestions and one tell."""
    start = time.process_time()
    trial = study.ask()
    study.tell(trial, sum(trial.suggest_float(name, -5.0, 5.0) ** 2 for name in NAMES))
    return time.process_time() - start


def measure(n: int, rounds: int) -> np.ndarray:
    """Milliseconds of each trial after ``n`` finished ones, shape (rounds, samplers)."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base.db"
        filled(base, n)
        studies = {}
        for k, (name, make) in enumerate(SAMPLERS.items()):
            copy = shutil.copy(base, base.with_name(f"{k}.db"))
            studies[name] = opened(Path(copy), make())
            one_trial(studies[name])
            one_trial(studies[name])
        times = [[one_trial(study) for study in studies.values()] for _ in range(rounds)]
    return 1e3 * np.array(times)


def summary(times: np.ndarray) -> list[str]:
    """Of each sampler the median, its ratio to the first one's, and a 95 % bootstrap interval of the ratio."""
    draws = times[np.random.default_rng(0).integers(len(times), size=(2000, len(times)))]
    medians, resampled = np.median(times, axis=0), np.median(draws, axis=1)
    low, high = np.percentile(resampled / resampled[:, :1], [2.5, 97.5], axis=0)
    rows = zip(medians, medians / medians[0], low, high, strict=True)
    return [f"{median:.1f} ms, x{ratio:.2f} [{a:.2f}, {b:.2f}]" for median, ratio, a, b in rows]


def growth(name: str, n: int, trials: int) -> float:
    """KiB of memory that each further trial takes after ``n`` finished ones; storages keep what they have read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"
        filled(path, n)
        study = opened(path, SAMPLERS[name]())
        for _ in range(50):
            one_trial(study)
        before = psutil.Process().memory_info().rss
        for _ in range(trials):
            one_trial(study)
        return float(psutil.Process().memory_info().rss - before) / 1024 / trials


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true")
    quick = arguments.parse_args().quick
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    lengths = (100, 1000) if quick else (100, 1000, 5000)
    columns = [summary(measure(n, rounds=20 if quick else 60)) for n in lengths]
    print("| sampler | " + " | ".join(f"{n:,} trials" for n in lengths) + " |\n|---|" + "---|" * len(lengths))
    for name, *cells in zip(SAMPLERS, *columns, strict=True):
        print(f"| {name} | {' | '.join(cells)} |")
    print("\n| sampler | memory a trial, after 1,000 |\n|---|---|")
    names = ["RandomSampler (Optuna)", "pso, screen=None", 'pso, screen="rbf"']
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as fresh:
        for name, kib in zip(names, fresh.map(growth, names, [1000] * 3, [50 if quick else 500] * 3), strict=True):
            print(f"| {name} | {kib:+.1f} KiB |")


if __name__ == "__main__":
    main()
