"""A grid that ends by itself, resumes without repeating, and tries a failed point again."""

from __future__ import annotations

from pathlib import Path

import optuna
import optunahub
from optuna.distributions import CategoricalDistribution, FloatDistribution

module = optunahub.load_local_module("grid_search", registry_root=str(Path(__file__).resolve().parents[1]))
SPACE = {"x": FloatDistribution(1e-3, 1.0, log=True), "k": CategoricalDistribution(["a", "b"])}


def objective(trial: optuna.Trial) -> float:
    value = trial.suggest_float("x", 1e-3, 1.0, log=True)
    penalty = trial.suggest_categorical("k", ["a", "b"]) == "a"
    if trial.number == 2:
        raise RuntimeError("this trial fails; its point is tried again")
    return value + penalty


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    storage = optuna.storages.InMemoryStorage()
    for n_trials in (3, None):
        sampler = module.GridSearchSampler(SPACE, points=4, seed=0)
        study = optuna.create_study(storage=storage, study_name="example", sampler=sampler, load_if_exists=True)
        study.optimize(objective, n_trials=n_trials, catch=(RuntimeError,))
    done = [tuple(t.params.values()) for t in study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))]
    print(f"{len(done)} of {sampler.n_points} points evaluated, {len(set(done))} of them different")
