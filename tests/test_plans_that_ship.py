"""Every plan that ships runs: its samplers build, its task takes its space, and its docstring counts right."""

from __future__ import annotations

import dataclasses
from importlib.resources import files
from math import prod
from pathlib import Path

import numpy as np
import pytest
import toys

from hpo_optuna.loading import load_plan
from hpo_optuna.matrix import check
from hpo_optuna.tasks import LeNet5Task
from hpo_optuna.tasks.hyperparameters import complete
from hpo_optuna.tasks.network import LeNet5
from hpo_optuna.tasks.size import size
from hpo_optuna.tasks.training import NETWORK

PLANS = sorted(p.stem for p in Path(str(files("hpo_optuna.studies"))).glob("[!_]*.py"))


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_that_ships_passes_its_checks(name: str) -> None:
    plan = load_plan(name)
    assert set(check(plan)) == set(plan.samplers)
    assert plan.name.replace("-", "_") == name


def test_the_wide_grid_is_as_large_as_its_plan_says_and_one_percent_of_it_is_paid_for() -> None:
    plan = load_plan("lenet5_wide")
    assert {"learning_rate", "dropout", "optimizer", "activation", "label_smoothing", "crop"} <= set(plan.space)
    grid = check(plan)["grid"]
    points = int(grid.n_points)  # type: ignore[attr-defined]
    assert points == 3072
    assert plan.budget.epochs is not None
    assert plan.budget.epochs / (points * plan.task.max_steps) == pytest.approx(0.01, abs=0.001)  # type: ignore[attr-defined]
    text = Path(str(files("hpo_optuna.studies") / "lenet5_wide.py")).read_text(encoding="utf-8")
    assert f"{points:,} points" in text
    assert f"{points * 6:,} epochs" in text


def test_the_crossing_curves_rank_backwards_at_first_and_as_the_final_ones_at_the_end() -> None:
    plan = load_plan("crossing")
    rates = (1.0, 0.3, 0.1, 0.03, 0.01)  # the best lies below
    curves = np.array([list(plan.task({"learning_rate": r, "dropout": 0.3}, seed=0)) for r in rates])
    assert curves.shape == (5, 12)
    assert np.argsort(-curves[:, 0]).tolist() == [0, 1, 2, 3, 4]
    assert np.argsort(-curves[:, -1]).tolist() == [4, 3, 2, 1, 0]
    assert curves.max() < 1


@pytest.mark.parametrize("widths", [{}, {"C1": 2, "C3": 2, "C5": 8, "F6": 8}, {"C1": 3, "K1": 4, "K3": 6, "C5": 7}])
def test_parameters_are_those_of_the_net_and_multiply_adds_of_its_layers(widths: dict[str, int]) -> None:
    import torch

    config = complete(widths, {})
    net = LeNet5(**{name: config[name] for name in NETWORK}, classes=10)
    spent = size(config, 10)
    assert spent["parameters"] == sum(p.numel() for p in net.parameters())
    work: list[int] = []
    for layer in (net.C1, net.C3, net.C5, net.F6, net.output):
        layer.register_forward_hook(
            lambda layer, _, out: work.append(layer.weight.numel() * prod(out.shape[2:]))  # type: ignore[misc]
        )
    net.initialize(torch.Generator().manual_seed(0))
    net.eval()(torch.zeros(1, 3, 32, 32))
    assert spent["multiply_adds"] == sum(work)


def test_the_tradeoff_runs_and_its_reference_is_worse_than_every_net(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPO_OPTUNA_DATA", str(tmp_path))
    plan = load_plan("lenet5_tradeoff")
    largest = complete({name: d.high for name, d in plan.space.items()}, {})  # type: ignore[attr-defined]
    assert plan.reference is not None
    assert plan.reference[1] > size(largest, 10)["parameters"]
    assert isinstance(plan.task, LeNet5Task)
    short = dataclasses.replace(
        plan,
        task=dataclasses.replace(plan.task, epochs=1, train_size=200),
        samplers={"random": plan.samplers["random"]},
        budget=toys.Budget(trials=2),
        replicates=1,
    )
    url = f"sqlite:///{tmp_path}/hpo.db"
    [study] = toys.run(short, url)
    for trial in study:
        config = complete(trial.params, plan.task.fixed)
        assert trial.values[1] == size(config, 10)["parameters"]
        assert 0 <= trial.values[0] <= 1
        assert np.isclose(trial.values[0], trial.details[-1]["accuracy"])
        assert trial.epochs == 1
