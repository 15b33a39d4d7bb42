"""Twelve parameters and a noisy score: the descent against random search, and continued by a second sampler object."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import optuna
import optunahub

module = optunahub.load_local_module("spsa", registry_root=str(Path(__file__).resolve().parents[1]))


def objective(trial: optuna.Trial) -> float:
    noise = 0.05 * np.random.default_rng(trial.number).standard_normal()
    return sum((trial.suggest_float(f"x{i}", 0.0, 1.0) - 0.6) ** 2 for i in range(12)) + noise


def study_of(make: type[optuna.samplers.BaseSampler], *parts: int) -> optuna.Study:
    """A study that is run in parts, each with a sampler object of its own."""
    storage = optuna.storages.InMemoryStorage()
    for n_trials in parts:
        sampler = make(seed=0)  # type: ignore[call-arg]
        study = optuna.create_study(storage=storage, study_name="example", sampler=sampler, load_if_exists=True)
        study.optimize(objective, n_trials=n_trials)
    return study


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    whole, parts = study_of(module.SPSASampler, 80), study_of(module.SPSASampler, 35, 45)
    print(f"random search: {study_of(optuna.samplers.RandomSampler, 80).best_value:.2f}")
    print(f"descent:       {whole.best_value:.2f}")
    print("in two parts the same:", [t.params for t in whole.trials] == [t.params for t in parts.trials])
