"""What the README says can be done as it says."""

from __future__ import annotations

import pages
import pytest

from hpo_optuna.cli import parser
from hpo_optuna.loading import load_plan

README = pages.ROOT / "README.md"


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_the_python_of_the_readme_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HPO_OPTUNA_DATA", str(tmp_path / "data"))
    names: dict[str, object] = {"__name__": "readme"}
    for code in pages.blocks(README, "python"):
        exec(compile(code, "README.md", "exec"), names)
    assert (tmp_path / "report.html").stat().st_size > 1_000_000
    shipped = load_plan("lenet5_cifar10")
    assert (names["PLAN"].space, names["PLAN"].budget) == (shipped.space, shipped.budget)


def test_every_command_is_in_the_readme():
    known = next(a.choices for a in parser()._actions if a.dest == "command")
    assert {words[0] for words in pages.commands(README, "hpo-optuna")} | {"worker"} == set(known)


def test_the_first_make_targets_are_named():
    assert {"demo", "test"} <= {words[0] for words in pages.commands(README, "make")}
