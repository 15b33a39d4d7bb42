"""The examples bring a model of their own in few lines, and run as their first lines say."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import toys
from optuna.storages import InMemoryStorage
from PIL import Image

from hpo_optuna.cli import main
from hpo_optuna.loading import load_plan, override
from hpo_optuna.storage import open_storage

FOLDER = Path(__file__).parents[1] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_model_of_ones_own_takes_fewer_than_40_lines(path: Path) -> None:
    """Of code: its imports, functions and classes, without the plan."""
    module = ast.parse(path.read_text(encoding="utf-8"))
    parts = [node for node in module.body if not isinstance(node, ast.Expr) and not isinstance(node, ast.Assign)]
    lines = {line for node in parts for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    assert 10 < len(lines) < 40


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Ten tiny pictures of each of two classes, told apart by their brightness."""
    draw = np.random.default_rng(0)
    for name, light in (("day", 160), ("night", 0)):
        folder = tmp_path / "pictures" / "train" / name
        folder.mkdir(parents=True)
        for i in range(10):
            Image.fromarray(draw.integers(light, light + 90, (20, 24, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    return tmp_path / "pictures"


def test_a_resnet_trains_on_a_folder_of_pictures(pictures: Path) -> None:
    plan = override(load_plan(str(FOLDER / "resnet_folder.py")), budget_trials=1, task={"data_dir": str(pictures)})
    small = replace(plan.task, epochs=1, size=32)  # type: ignore[type-var]
    [study] = toys.run(replace(plan, task=small, replicates=1), InMemoryStorage(), only=["random"])
    [trial] = study.finished
    assert trial.epochs == 1
    assert trial.value in {0.0, 0.25, 0.5, 0.75, 1.0}, "a share of the four pictures held out"


def test_boosting_from_scikit_learn_runs_as_its_first_lines_say(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/hpo.db"
    small = ["--storage", url, "--budget-trials", "8", "--replicates", "1", "--only", "random"]
    assert main(["run", str(FOLDER / "sklearn_boosting.py"), *small]) == 0
    [study] = toys.records.read(open_storage(url), "sklearn-boosting")
    assert len(study.finished) == 8
    assert max(t.epochs for t in study) == 6
    assert study.best is not None
    assert study.best.value < np.log(2), "better than guessing"
