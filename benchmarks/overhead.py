"""What a sampler's ask and tell cost: CPU time per trial beside Optuna's RandomSampler, by the length of the history.

    python benchmarks/overhead.py            # 100, 1,000 and 5,000 finished trials, minutes
    python benchmarks/overhead.py --quick    # 100 and 1,000

Five floats; SQLite without fsync, which would hide the sampler behind the disk. The samplers take turns, each on a copy
of one database; medians. CMA-ES joins where `pip install cmaes` was done.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import optuna
import sqlalchemy
from optuna.distributions import FloatDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, NSGAIISampler, RandomSampler, TPESampler

from hpo_optuna.samplers.pso import PSOSampler
from hpo_optuna.samplers.random_search import RandomSearchSampler

NAMES = [f"x{i}" for i in range(5)]
SAMPLERS: dict[str, Callable[[], BaseSampler]] = {
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
    """A database of one study with ``n`` complete trials."""
    space = {name: FloatDistribution(-5.0, 5.0) for name in NAMES}
    study = optuna.create_study(study_name="history", storage=f"sqlite:///{path}")
    for x in np.random.default_rng(0).uniform(-5.0, 5.0, (n, len(NAMES))):
        params = dict(zip(NAMES, map(float, x), strict=True))
        study.add_trial(optuna.create_trial(params=params, distributions=space, value=float((x**2).sum())))


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


def measure(n: int, rounds: int) -> dict[str, float]:
    """Median milliseconds per trial of each sampler after ``n`` finished trials."""
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
    return dict(zip(SAMPLERS, 1e3 * np.median(times, axis=0), strict=True))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true")
    quick = arguments.parse_args().quick
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    lengths = (100, 1000) if quick else (100, 1000, 5000)
    columns = [measure(n, rounds=20 if quick else 60) for n in lengths]
    print("| sampler | " + " | ".join(f"{n:,} trials" for n in lengths) + " |\n|---|" + "---|" * len(lengths))
    floor = "RandomSampler (Optuna)"
    for name in SAMPLERS:
        cells = " | ".join(f"{c[name]:.1f} ms, x{c[name] / c[floor]:.2f}" for c in columns)
        print(f"| {name} | {cells} |")


if __name__ == "__main__":
    main()
