"""The swarm against random search on a sphere, and the swarm continued by a second process's sampler."""

from __future__ import annotations

from pathlib import Path

import optuna
import optunahub

module = optunahub.load_local_module("pso", registry_root=str(Path(__file__).resolve().parents[1]))


def objective(trial: optuna.Trial) -> float:
    return sum((trial.suggest_float(f"x{i}", -5, 5) - 1) ** 2 for i in range(3))


def best_of(sampler: optuna.samplers.BaseSampler, *parts: int) -> float:
    """The best value of a study that is run in parts."""
    storage = optuna.storages.InMemoryStorage()
    for n_trials in parts:
        study = optuna.create_study(storage=storage, study_name="example", sampler=sampler, load_if_exists=True)
        study.optimize(objective, n_trials=n_trials)
    return study.best_value


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print(f"random search: {best_of(optuna.samplers.RandomSampler(seed=0), 60):.4f}")
    print(f"swarm:         {best_of(module.PSOSampler(seed=0), 60):.4f}")
    print(f"in two parts:  {best_of(module.PSOSampler(seed=0), 25, 35):.4f}")
