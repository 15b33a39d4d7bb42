"""Quasi-random search: trial i is point i of one scrambled Sobol sequence, in whatever process."""

from __future__ import annotations

from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from scipy.stats import qmc

from hpo_optuna.samplers.qmc import QMCSampler

SQUARE: dict[str, BaseDistribution] = {"x": FloatDistribution(0.0, 8.0), "y": FloatDistribution(0.0, 8.0)}
MIXED: dict[str, BaseDistribution] = {
    "c": CategoricalDistribution(["a", "b", None, 4]),
    "k": IntDistribution(3, 24, step=3),
    "lr": FloatDistribution(1e-4, 1e-1, log=True),
    "one": IntDistribution(5, 5),
    "q": FloatDistribution(0.0, 0.7, step=0.1),
}


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def draw(n: int, space: dict[str, BaseDistribution], sampler: QMCSampler) -> list[dict[str, Any]]:
    study = optuna.create_study(sampler=sampler)
    params = []
    for _ in range(n):
        trial = study.ask(space)
        params.append(trial.params)
        study.tell(trial, 0.0)
    return params


def test_the_points_are_those_of_scipys_scrambled_sequence() -> None:
    expected = qmc.Sobol(2, scramble=True, rng=np.random.default_rng(3)).random(8) * 8.0
    drawn = [(p["x"], p["y"]) for p in draw(8, SQUARE, QMCSampler(SQUARE, seed=3))]
    np.testing.assert_allclose(drawn, expected)


@pytest.mark.parametrize("seed", range(3))
def test_64_points_lie_one_in_each_of_64_squares(seed: int) -> None:
    assert len({(int(p["x"]), int(p["y"])) for p in draw(64, SQUARE, QMCSampler(SQUARE, seed=seed))}) == 64


def test_replicates_differ_and_the_same_seed_is_the_same_sequence() -> None:
    assert draw(4, SQUARE, QMCSampler(SQUARE, seed=1)) == draw(4, SQUARE, QMCSampler(SQUARE, seed=1))
    assert draw(4, SQUARE, QMCSampler(SQUARE, seed=1)) != draw(4, SQUARE, QMCSampler(SQUARE, seed=2))


def test_every_level_of_every_parameter_has_its_share() -> None:
    params = draw(32, MIXED, QMCSampler(MIXED, seed=0))
    for name, levels in {"c": 4, "k": 8, "q": 8}.items():
        counts = np.unique([str(p[name]) for p in params], return_counts=True)[1]
        assert counts.tolist() == [32 // levels] * levels
    assert sum(p["lr"] < np.sqrt(1e-5) for p in params) == 16
    assert all(p["one"] == 5 for p in params)


def test_an_undeclared_space_is_on_the_sequence_from_the_second_trial() -> None:
    declared, read = draw(5, SQUARE, QMCSampler(SQUARE, seed=0)), draw(5, SQUARE, QMCSampler(seed=0))
    assert declared[1:] == read[1:]
    assert declared[0] != read[0]


def test_workers_share_one_sequence_whatever_finishes_first() -> None:
    study = optuna.create_study()
    asked = []
    for _ in range(4):
        study.sampler = QMCSampler(SQUARE, seed=0)
        asked.append(study.ask(SQUARE))
    assert [t.params for t in asked] == draw(4, SQUARE, QMCSampler(SQUARE, seed=0))


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="seed must be a non-negative integer or None, got -1"):
        QMCSampler(seed=-1)
    with pytest.raises(ValueError, match=r"search_space\['x'\] must be an Optuna distribution, got 3"):
        QMCSampler({"x": 3})  # type: ignore[dict-item]
