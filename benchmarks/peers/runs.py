"""One run: a sampler on a problem, as users run it or with workers, pruning or both taken from it."""

from __future__ import annotations

import heapq
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, QMCSampler, RandomSampler, TPESampler
from optuna.trial import Trial, TrialState

from hpo_optuna.samplers.pso import PSOSampler

from .problems import Cell, Problem
from .swarms import SWARMS, Spent

PSO = "pso"  # the default, whose claim is judged
OPTUNA: dict[str, Callable[[int], BaseSampler]] = {
    PSO: lambda seed: PSOSampler(seed=seed),
    'pso, screen="gp"': lambda seed: PSOSampler(seed=seed, screen="gp"),
    "pso, screen=None": lambda seed: PSOSampler(seed=seed, screen=None),
    "RandomSampler": lambda seed: RandomSampler(seed=seed),
    "QMCSampler": lambda seed: QMCSampler(seed=seed, scramble=True),
    "TPESampler": lambda seed: TPESampler(seed=seed, multivariate=True),
    "CmaEsSampler": lambda seed: CmaEsSampler(seed=seed),
    "GPSampler": lambda seed: GPSampler(seed=seed),
}
STEPS = 10  # reports of a trial that a pruner judges


@dataclass
class Trace:
    """The best value so far, noted where it changes."""

    best: list[tuple[int, float]] = field(default_factory=list)
    n: int = 0
    pruned: int = 0

    def add(self, value: float | None) -> None:
        """One more evaluation; None for a pruned one, which counts but is no result."""
        self.n += 1
        self.pruned += value is None
        if value is not None and (not self.best or value < self.best[-1][1]):
            self.best.append((self.n, value))


def run(cell: Cell, setting: str, name: str, budget: int) -> tuple[Trace, float]:
    """The trace of one run, and its CPU seconds."""
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    problem, trace, start = Problem(cell), Trace(), time.process_time()
    if name in SWARMS:
        _library(problem, trace, name, budget, cell.random_seed())
    else:
        noise = np.random.default_rng([cell.random_seed(), 1])
        pruner = MedianPruner(n_startup_trials=5, n_warmup_steps=1) if setting == "median" else NopPruner()
        study = _study(OPTUNA[name](cell.random_seed()), pruner)
        SETTINGS[setting](study, problem, trace, budget, noise)
    return trace, time.process_time() - start


def _study(sampler: BaseSampler, pruner: BasePruner) -> optuna.Study:
    return optuna.create_study(sampler=sampler, pruner=pruner)


def suggest(problem: Problem, trial: Trial) -> list[float]:
    """A position, from one suggestion for each coordinate."""
    return [
        trial.suggest_int(f"x{i}", int(low), int(high))
        if i < problem.n_integers
        else trial.suggest_float(f"x{i}", low, high)
        for i, (low, high) in enumerate(zip(problem.low.tolist(), problem.high.tolist(), strict=True))
    ]


def _library(problem: Problem, trace: Trace, name: str, budget: int, seed: int) -> None:
    def evaluate(x: np.ndarray) -> float:
        if trace.n >= budget:
            raise Spent
        value = problem(x)
        trace.add(value)
        return value

    try:
        SWARMS[name](problem, evaluate, budget, seed)
    except Spent:
        pass


def plain(study: optuna.Study, problem: Problem, trace: Trace, budget: int, _: np.random.Generator) -> None:
    """One worker, every trial complete."""

    def objective(trial: Trial) -> float:
        value = problem(suggest(problem, trial))
        trace.add(value)
        return value

    study.optimize(objective, n_trials=budget)


def workers(n: int) -> Callable[..., None]:
    """n workers that never wait for each other; a trial takes between half and one and a half units of time."""

    def crowd(study: optuna.Study, problem: Problem, trace: Trace, budget: int, chance: np.random.Generator) -> None:
        pending: list[tuple[float, int, Trial, float]] = []
        now = 0.0
        for asked in range(budget):
            trial = study.ask()
            value = problem(suggest(problem, trial))
            heapq.heappush(pending, (now + chance.uniform(0.5, 1.5), asked, trial, value))
            if len(pending) == n:
                now, _, trial, value = heapq.heappop(pending)
                study.tell(trial, value)
                trace.add(value)
        while pending:
            _, _, trial, value = heapq.heappop(pending)
            study.tell(trial, value)
            trace.add(value)

    return crowd


def at_random(study: optuna.Study, problem: Problem, trace: Trace, budget: int, chance: np.random.Generator) -> None:
    """Every other trial pruned, whatever its value: what no pruner should do."""
    for _ in range(budget):
        trial = study.ask()
        value = problem(suggest(problem, trial))
        trial.report(value, 0)
        if chance.random() < 0.5:
            study.tell(trial, state=TrialState.PRUNED)
            trace.add(None)
        else:
            study.tell(trial, value)
            trace.add(value)


def median(study: optuna.Study, problem: Problem, trace: Trace, budget: int, chance: np.random.Generator) -> None:
    """Optuna's median pruner on noisy learning curves that end at the function's value.

    Report t of T is f (1 + 3 exp(-5 t / (r T))) exp(0.2 e (1 - t / T)): e ~ N(0, 1), and r ~ U[1/2, 3/2], the pace of
    the trial.
    """

    def objective(trial: Trial) -> float:
        value = problem(suggest(problem, trial))
        pace = chance.uniform(0.5, 1.5)
        for step in range(1, STEPS + 1):
            part = step / STEPS
            curve = value * (1.0 + 3.0 * np.exp(-5.0 * part / pace)) * np.exp(0.2 * chance.normal() * (1.0 - part))
            trial.report(float(curve) if step < STEPS else value, step)
            if step < STEPS and trial.should_prune():
                trace.add(None)
                raise optuna.TrialPruned
        trace.add(value)
        return value

    study.optimize(objective, n_trials=budget)


SETTINGS: dict[str, Callable[..., None]] = {
    "plain": plain,
    "4 workers": workers(4),
    "8 workers": workers(8),
    "pruned at random": at_random,
    "median": median,
}
