"""The command line does the main job: run, resume, look, export, report; and its exit codes say what happened."""

from __future__ import annotations

import csv
import importlib.metadata
import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import toys

from hpo_optuna import HyperparameterOptimizer
from hpo_optuna.cli import main
from hpo_optuna.loading import load_plan

TESTS = str(Path(__file__).parent)
TOY = f"""
    import sys
    sys.path.append({TESTS!r})
    import toys
    from hpo_optuna import Budget, SamplerSpec

    PLAN = toys.plan(budget=Budget(trials=4))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder of its own as working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # a plan's folder joins it
    return tmp_path


def studies(plan: str = "plan.py", url: str = "sqlite:///hpo.db") -> dict[str, dict]:
    """Label/replicate -> results of every study of the plan in the database."""
    found = HyperparameterOptimizer(load_plan(plan), url).status().studies
    return {f"{s.label}/{s.replicate}": toys.results(s) for s in found}


def test_run_status_export_report_and_run_again(folder, capsys):
    toys.write_plan(folder, TOY)

    assert main(["run", "plan.py"]) == 0
    progress = capsys.readouterr().out
    for label in ("grid", "random", "pso"):
        assert f"{label}/seed-0: 4/4 trials" in progress
    done = studies()
    assert {len(results) for results in done.values()} == {4}

    assert main(["status", "plan.py"]) == 0
    table = capsys.readouterr().out
    assert [line.split()[1] for line in table.splitlines() if "/seed-0" in line] == ["4/4"] * 3

    assert main(["export", "plan.py"]) == 0
    assert capsys.readouterr().out == "trials.csv\n"
    with open("trials.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert {row["study"] for row in rows} == {"toy/grid/seed-0", "toy/random/seed-0", "toy/pso/seed-0"}

    assert main(["report", "plan.py", "-o", "page.html"]) == 0
    assert capsys.readouterr().out.split() == ["page.html", "page.json", "page.csv"]
    assert Path("page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert json.loads(Path("page.json").read_text(encoding="utf-8"))["plan"] == "toy"

    assert main(["run", "plan.py"]) == 0
    assert studies() == done


def test_only_runs_the_named_samplers_and_leaves_the_rest_for_later(folder):
    toys.write_plan(folder, TOY)
    assert main(["run", "plan.py", "--only", "pso", "--only", "grid"]) == 0
    some = studies()
    assert set(some) == {"grid/0", "pso/0"}
    assert main(["run", "plan.py"]) == 0
    assert studies() == {**some, "random/0": studies()["random/0"]}


def test_overrides_change_the_plan_for_this_call_and_a_larger_budget_resumes(folder):
    toys.write_plan(folder, TOY)
    only = ["--only", "pso"]
    assert main(["run", "plan.py", *only, "--budget-trials", "2"]) == 0
    assert [len(r) for r in studies().values()] == [2]
    assert main(["run", "plan.py", *only, "--replicates", "2"]) == 0
    optimizer = HyperparameterOptimizer(load_plan("plan.py"), "sqlite:///hpo.db")
    assert [len(s.finished) for s in optimizer.status().studies] == [4]
    assert main(["run", "plan.py", *only, "--budget-trials", "100", "--budget-epochs", "30"]) == 0
    [study] = optimizer.status().studies
    assert study.epochs >= 30 > study.epochs - 6, "a trial of six epochs starts while fewer than 30 are spent"

    whole = HyperparameterOptimizer(load_plan("plan.py"), "sqlite:///whole.db")
    whole.run(only=["pso"], progress=False)
    assert {i: r for i, r in toys.results(study).items() if i < 4} == toys.results(whole.status().studies[0])


def test_a_plan_that_ships_is_known_by_name_and_by_path(folder):
    path = str(files("hpo_optuna.studies") / "sphere.py")
    short = ["--budget-trials", "2", "--replicates", "1", "--only", "random"]
    assert main(["run", "sphere", *short]) == 0
    done = studies("sphere")
    assert main(["run", path, *short]) == 0
    assert studies("sphere") == studies(path) == done
    assert set(done) == {"random/0"}


def test_the_worker_command_does_what_is_left_on_its_own(folder):
    toys.write_plan(folder, TOY)
    assert main(["run", "plan.py", "--only", "pso", "--budget-trials", "2"]) == 0
    assert main(["worker", "plan.py", "--only", "pso"]) == 0
    assert [len(r) for r in studies().values()] == [4]


INTERRUPTS_ITSELF = """
    import os, signal
    from pathlib import Path
    task = PLAN.task

    def interrupted(config, *, seed):
        for epoch, score in enumerate(task(config, seed=seed)):
            if epoch == 3 and not Path("interrupted").exists():
                Path("interrupted").touch()
                os.kill(os.getpid(), signal.SIGINT)
            yield score

    PLAN = toys.plan(task=interrupted, budget=Budget(trials=4), samplers={"pso": SamplerSpec("pso")})
"""


@pytest.mark.parametrize("command", ["run", "worker"])
def test_an_interrupted_command_ends_with_130_and_the_same_one_resumes_it(folder, capsys, command):
    toys.write_plan(folder, TOY + INTERRUPTS_ITSELF)
    assert main([command, "plan.py"]) == 130
    assert ("the same command resumes it" in capsys.readouterr().err) == (command == "run")
    assert main([command, "plan.py"]) == 0
    resumed = studies()
    toys.write_plan(folder, TOY)
    assert main(["run", "plan.py", "--only", "pso", "--storage", "sqlite:///whole.db"]) == 0
    assert resumed == studies(url="sqlite:///whole.db")


KEEPS_FAILING = """
    def broken(config, *, seed):
        yield 1.0
        raise OSError("the disk is full")


    PLAN = toys.plan(task=broken, budget=Budget(trials=4), samplers={"random": SamplerSpec("random_search")})
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_study_that_keeps_failing_ends_with_3_and_the_reason(folder, capsys, workers):
    toys.write_plan(folder, TOY + KEEPS_FAILING)
    assert main(["run", "plan.py", "--workers", str(workers)]) == 3
    error = capsys.readouterr().err
    for word in ("toy/random/seed-0", "3 configurations in a row failed", "OSError: the disk is full"):
        assert word in error
    assert "Traceback" not in error


MODEL = """
def train(config, *, seed):
    for epoch in range(3):
        yield (config["x"] - 1) ** 2 + epoch
"""
USES_IT = """
    from my_model_beside_the_plan import train

    PLAN = toys.plan(task=train, budget=Budget(trials=4), samplers={"random": SamplerSpec("random_search")})
"""


def test_worker_processes_find_a_model_beside_the_plan_in_a_folder_of_any_name(folder, monkeypatch):
    strange = folder / 'it\'s a "100% größe" #1? [数] & co'
    strange.mkdir()
    (strange / "my_model_beside_the_plan.py").write_text(MODEL)
    toys.write_plan(strange, TOY + USES_IT)
    monkeypatch.chdir(strange)

    assert main(["run", "plan.py", "--workers", "2"]) == 0
    assert main(["status", str(strange / "plan.py")]) == 0
    assert main(["export", "plan.py", "-o", str(strange / "trials.csv")]) == 0

    assert [len(r) for r in studies().values()] == [4]
    assert [p.name for p in folder.iterdir()] == [strange.name]
    assert {"hpo.db", "trials.csv"} <= {p.name for p in strange.iterdir()}


SCRIPT = """
import sys
sys.path.append({tests!r})
import toys
from hpo_optuna import Budget, HyperparameterOptimizer, SamplerSpec

OFFSET = 3.0

class Bowl:
    def __init__(self, depth):
        self.depth = depth

    def __call__(self, config, *, seed):
        yield config["x"] ** 2 + self.depth + OFFSET

if __name__ == "__main__":
    PLAN = toys.plan(task=Bowl(2.0), budget=Budget(trials=4), samplers={{"random": SamplerSpec("random_search")}})
    hpo = HyperparameterOptimizer(PLAN, storage="sqlite:///script.db")
    status = hpo.run(workers=2, progress=False)
    [study] = status.studies
    print(len(study.finished), study.best.value >= 5.0, status.left)
"""


def test_a_plan_made_in_a_script_runs_in_worker_processes(folder):
    (folder / "script.py").write_text(SCRIPT.format(tests=TESTS))
    ended = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "4 True 0\n", "")


def test_the_module_and_the_console_script_are_the_same_command(folder):
    said = subprocess.run(toys.command("--version"), capture_output=True, text=True, check=True).stdout
    assert said == f"hpo-optuna {importlib.metadata.version('hpo-optuna')}\n"
    [script] = importlib.metadata.entry_points(group="console_scripts", name="hpo-optuna")
    assert script.load() is main
