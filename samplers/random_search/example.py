"""Two halves of a study, with a new sampler for the second, equal the whole."""

from __future__ import annotations

from pathlib import Path

import optuna
import optunahub

module = optunahub.load_local_module("random_search", registry_root=str(Path(__file__).resolve().parents[1]))


def objective(trial: optuna.Trial) -> float:
    return (trial.suggest_float("x", -5, 5) - 1) ** 2 + trial.suggest_int("n", 1, 64, log=True)


def drawn(*parts: int) -> list[dict[str, float]]:
    """The configurations of a study that is run in parts, each with a sampler of its own."""
    storage = optuna.storages.InMemoryStorage()
    for n_trials in parts:
        sampler = module.RandomSearchSampler(seed=0)
        study = optuna.create_study(storage=storage, study_name="example", sampler=sampler, load_if_exists=True)
        study.optimize(objective, n_trials=n_trials)
    return [trial.params for trial in study.get_trials()]


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print("20 trials in one go equal 7 + 13:", drawn(20) == drawn(7, 13))
