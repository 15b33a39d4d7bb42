"""Trials leave the database as one table."""

import importlib.util
import json
from pathlib import Path

import pandas as pd
import pytest
import toy_comparison as toy
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import InMemoryStorage

from hpo_optuna.errors import UserError
from hpo_optuna.export import export


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_every_trial_is_a_row_with_its_parameters_and_scores(tmp_path: Path, suffix: str) -> None:
    path = export(toy.toy_comparison(replicates=1, trials=8), "toy", tmp_path / f"t.{suffix}")
    table = pd.read_csv(path) if suffix == "csv" else pd.read_parquet(path)
    assert len(table) == 8 * 3 + 5
    assert list(table["sampler"].unique()) == ["grid", "random", "pso"]
    row = table[(table["sampler"] == "pso") & (table["number"] == 0)].iloc[0]
    assert row["study"] == "toy/pso/seed-0"
    assert row["state"] == "COMPLETE"
    assert row["epochs"] == 5
    assert row["seconds"] == 50.0
    assert json.loads(row["scores"])[-1] == row["value"]
    assert json.loads(row["details"])[0]["seconds"] == 10.0


def test_retried_superseded_and_void_trials_are_marked(tmp_path: Path) -> None:
    path = export(toy.toy_comparison(replicates=1, trials=8), "toy", tmp_path / "t.parquet")
    grid = pd.read_parquet(path).query("sampler == 'grid'").set_index("number")
    assert list(grid.index[grid["superseded"]]) == [9]
    assert list(grid.index[grid["void"]]) == [11]
    assert grid.loc[10, "retry_of"] == 9
    assert grid.loc[9, "index"] == grid.loc[10, "index"]
    assert grid.loc[8, "error"].startswith("ValueError")
    assert grid.loc[9, "epochs"] == 0


def test_whole_numbers_stay_whole_beside_missing_values(tmp_path: Path) -> None:
    path = export(toy.toy_comparison(replicates=1, trials=3), "toy", tmp_path / "t.csv")
    pso = pd.read_csv(path, dtype=str).query("sampler == 'pso'")
    assert pso["param_C1"].str.fullmatch(r"\d+").all()
    assert pso["epochs"].str.fullmatch(r"\d+").all()


def test_times_are_utc(tmp_path: Path) -> None:
    path = export(toy.toy_comparison(replicates=1, trials=2), "toy", tmp_path / "t.parquet")
    assert pd.Timestamp("2026-01-01 12:00", tz="UTC") == pd.read_parquet(path)["start"].min()


def test_mixed_categories_and_missing_parameters_fit_into_parquet(tmp_path: Path) -> None:
    space = {
        "kind": CategoricalDistribution(("relu", 3, None, True)),
        "lr": FloatDistribution(1e-4, 1.0, log=True),
        "units": IntDistribution(1, 9),
    }
    rows = [
        toy.trial(0, "COMPLETE", {"kind": "relu", "lr": 0.1}, [0.1], space=space),
        toy.trial(1, "COMPLETE", {"kind": 3, "units": 4}, [0.2], space=space),
        toy.trial(2, "COMPLETE", {"kind": None, "lr": 1.0}, [0.2], space=space),
    ]
    storage = InMemoryStorage()
    toy.add_study(storage, "toy", "pso", 0, rows, space=space)
    table = pd.read_parquet(export(storage, "toy", tmp_path / "t.parquet"))
    assert list(table["param_kind"][:2]) == ["relu", "3"]
    assert list(table["param_lr"].dropna()) == [0.1, 1.0]
    assert list(table["param_units"].dropna()) == [4]


def test_another_suffix_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"exported to .csv or .parquet, got '.xlsx'"):
        export(toy.toy_comparison(replicates=1, trials=2), "toy", tmp_path / "t.xlsx")


def test_parquet_without_pyarrow_tells_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "pyarrow" else found(name, *a))
    with pytest.raises(UserError, match=r"pip install 'hpo-optuna\[parquet\]'"):
        export(toy.toy_comparison(replicates=1, trials=2), "toy", tmp_path / "t.parquet")
