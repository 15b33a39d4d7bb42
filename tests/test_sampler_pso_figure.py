"""The figure of the swarm is rebuilt from the database alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from hpo_optuna.samplers.pso import PSOSampler, swarm_figure

SPACE: dict[str, BaseDistribution] = {
    "lr": FloatDistribution(1e-4, 1.0, log=True),
    "n": IntDistribution(1, 9),
    "c": CategoricalDistribution(["a", None]),
}


def searched(storage: Any = None, n: int = 20) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = PSOSampler(SPACE, seed=0, n_particles=4)
    study = optuna.create_study(study_name="s", storage=storage, sampler=sampler)
    for _ in range(n):
        trial = study.ask(SPACE)
        study.tell(trial, abs(trial.params["n"] - 3) + trial.params["lr"])
    return study


def test_a_loaded_study_gives_the_same_figure(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/swarm.db"
    drawn = swarm_figure(searched(url), "lr", "n")
    loaded = optuna.load_study(study_name="s", storage=url)
    assert swarm_figure(loaded, "lr", "n", sampler=PSOSampler(n_particles=4)) == drawn


def test_every_trial_has_a_frame_and_the_last_one_shows_the_leader_and_every_particle() -> None:
    study = searched()
    figure = swarm_figure(study, "lr", "n")
    assert len(figure.frames) == 20
    traces = {trace.name: trace for trace in figure.data}
    assert len(traces["evaluated"].x) == 20
    assert len(traces["particle"].x) == 4
    assert [*traces["leader"].x, *traces["leader"].y] == [study.best_params["lr"], study.best_params["n"]]
    assert list(traces["particle"].y) == [trial.params["n"] for trial in study.trials[-4:]]
    assert figure.layout.xaxis.type == "log"


def test_categories_have_an_axis_of_their_own() -> None:
    figure = swarm_figure(searched(), "c", "lr")
    assert figure.layout.xaxis.type == "category"
    assert list(figure.layout.xaxis.categoryarray) == ["a", "None"]
    assert {value for trace in figure.data for value in trace.x} <= {"a", "None", None}


def test_what_cannot_be_drawn_is_said() -> None:
    with pytest.raises(ValueError, match=r"'momentum' is not a parameter that varies in all trials; these are"):
        swarm_figure(searched(), "momentum")
    with pytest.raises(ValueError, match=r"needs two parameters that vary in all trials, got \[\]"):
        swarm_figure(searched(n=0))
