"""Toy tasks and plans: milliseconds an epoch, no torch, deterministic."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import MedianPruner

from hpo_optuna import Budget, ComparisonPlan, HyperparameterOptimizer, SamplerSpec, records

SPACE = {"x": FloatDistribution(-5.0, 5.0), "n": IntDistribution(1, 64, log=True), "k": CategoricalDistribution("abc")}
SAMPLERS = {
    "grid": SamplerSpec("grid_search", points=4),
    "random": SamplerSpec("random_search"),
    "pso": SamplerSpec("pso"),
}


def bowl(config: Mapping[str, Any], *, seed: int) -> Iterator[float]:
    """Six epochs that close in on a noisy bowl; the noise is the training seed's."""
    rng = np.random.default_rng(seed)
    depth = config["x"] ** 2 + np.log2(config["n"]) + "abc".index(config["k"])
    for epoch in range(6):
        yield float(depth + 4.0 / (epoch + 1) + 0.5 * rng.standard_normal())


def plan(**changes: Any) -> ComparisonPlan:
    """A plan over the bowl; keywords replace its fields."""
    fields: dict[str, Any] = {
        "name": "toy",
        "task": bowl,
        "space": SPACE,
        "samplers": SAMPLERS,
        "budget": Budget(trials=12),
        "direction": "minimize",
        "pruner": MedianPruner(n_startup_trials=3, n_warmup_steps=1),
    }
    return ComparisonPlan(**{**fields, **changes})


def run(plan: ComparisonPlan, url: str, **options: Any) -> tuple[records.StudyRecord, ...]:
    """Run a plan without drawing, and read what it left."""
    optimizer = HyperparameterOptimizer(plan, url)
    optimizer.run(progress=False, **options)
    return optimizer.status().studies


def results(study: records.StudyRecord) -> dict[int, tuple[Any, ...]]:
    """What promise 1 speaks of: index -> parameters, scores, state of the trials that count."""
    counted = [t for t in study if not t.void and not t.superseded]
    assert len({t.index for t in counted}) == len(counted), "an index stands for one trial"
    return {t.index: (t.state, dict(t.params), t.scores, t.value) for t in counted}


def raw_trials(url: str, name: str) -> list[optuna.trial.FrozenTrial]:
    """The trials as Optuna alone reads them."""
    return optuna.load_study(study_name=name, storage=url).get_trials()


def write_plan(folder: Path, body: str) -> Path:
    """A plan file in ``folder``, for the command line."""
    path = folder / "plan.py"
    path.write_text(textwrap.dedent(body))
    return path


def command(*words: str) -> list[str]:
    """The command line as a new process starts it."""
    return [sys.executable, "-m", "hpo_optuna", *map(str, words)]
