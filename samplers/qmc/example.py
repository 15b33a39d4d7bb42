"""How many cells of an 8 by 8 grid 64 points reach: quasi-random ones, in two parts, and random ones."""

from __future__ import annotations

from pathlib import Path

import optuna
import optunahub

module = optunahub.load_local_module("qmc", registry_root=str(Path(__file__).resolve().parents[1]))

SPACE: dict[str, optuna.distributions.BaseDistribution] = {
    name: optuna.distributions.FloatDistribution(0.0, 8.0) for name in ("x", "y")
}


def cells_reached(sampler: optuna.samplers.BaseSampler, *parts: int) -> int:
    """How many of the 64 unit squares hold a point of a study that is run in parts."""
    storage = optuna.storages.InMemoryStorage()
    for n_trials in parts:
        study = optuna.create_study(storage=storage, study_name="example", sampler=sampler, load_if_exists=True)
        for _ in range(n_trials):
            study.tell(study.ask(SPACE), 0.0)
    return len({(int(trial.params["x"]), int(trial.params["y"])) for trial in study.get_trials()})


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print(f"quasi-random: {cells_reached(module.QMCSampler(SPACE, seed=0), 25, 39)} of 64 cells")
    print(f"random:       {cells_reached(optuna.samplers.RandomSampler(seed=0), 64)} of 64 cells")
