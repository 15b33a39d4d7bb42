"""Rule 19: who may import whom is read from the source, and torch stays out of every command that does not train."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MOUNTS = {"hpo_optuna": "hpo_optuna", "samplers": "hpo_optuna.samplers", "studies": "hpo_optuna.studies"}
STANDARD = sys.stdlib_module_names
SHELF = sorted(p.name for p in (ROOT / "samplers").iterdir() if (p / "__init__.py").exists())
ARRAYS = {"numpy", "scipy"}
TRAINING = {"torch", "torchvision", "sklearn", "numpy", "PIL", "filelock", "rich"}


@dataclass(frozen=True)
class Import:
    """One imported name, dotted in full; ``when``: "import" of the importer, "call" of a function, or "typing"."""

    target: str
    when: str
    relative: bool
    where: str

    @property
    def top(self) -> str:
        return self.target.partition(".")[0]


def modules() -> dict[str, Path]:
    """Name -> file of every module of the house, tests and benchmarks aside."""
    found = {}
    for folder, package in MOUNTS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            inner = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join([package, *inner]).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports(name: str) -> list[Import]:
    """Every import of a module, wherever in the file it stands."""
    path = MODULES[name]
    package = (name if path.name == "__init__.py" else name.rpartition(".")[0]).split(".")
    found = []
    for node, when in _import_nodes(ast.parse(path.read_text(encoding="utf-8")), "import"):
        level = getattr(node, "level", 0)
        base = package[: len(package) - level + 1] if level else []
        if isinstance(node, ast.ImportFrom):
            base = ".".join([*base, *([node.module] if node.module else [])])
            targets = [_module(base, alias.name) for alias in node.names]
        else:
            targets = [alias.name for alias in node.names]
        where = f"{path.relative_to(ROOT)}:{node.lineno}"
        found += [Import(target, when, level > 0, where) for target in targets]
    return found


def _import_nodes(node: ast.AST, when: str) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, when
        elif isinstance(child, ast.FunctionDef):
            yield from _import_nodes(child, "call")
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from _import_nodes(child, "typing")
        else:
            yield from _import_nodes(child, when)


def _module(base: str, name: str) -> str:
    """`from base import name` takes a module of the house if there is one of that name, else something of base."""
    return f"{base}.{name}" if f"{base}.{name}" in MODULES else base


IMPORTS = {name: imports(name) for name in MODULES}
ENGINE = [n for n in MODULES if not n.startswith(("hpo_optuna.tasks", "hpo_optuna.samplers", "hpo_optuna.studies"))]
LOADERS = {(door, "hpo_optuna.tasks.model") for door in ("hpo_optuna", "hpo_optuna.cli")}
TASKS = [n for n in MODULES if n.startswith("hpo_optuna.tasks")]


def refuse(found: list[Import], reason: str) -> None:
    assert not found, "\n".join([reason, *(f"  {i.where} imports {i.target}" for i in found)])


def outside(i: Import, allowed: set[str]) -> bool:
    """Whether the import is neither the standard library's, the house's own, nor ``allowed``."""
    return i.top not in STANDARD and i.top != "hpo_optuna" and i.top not in allowed


def within(target: str, package: str) -> bool:
    return target == package or target.startswith(package + ".")


def test_torch_lives_in_the_training_room_and_nowhere_else():
    others = [i for name in MODULES if name not in TASKS for i in IMPORTS[name]]
    refuse([i for i in others if i.top in ("torch", "torchvision")], "only hpo_optuna/tasks may import torch:")


def test_a_task_knows_neither_optuna_nor_the_engine():
    everything = [i for name in TASKS for i in IMPORTS[name]]
    refuse([i for i in everything if outside(i, TRAINING)], f"a task may import {sorted(TRAINING)}:")
    house = [i for i in everything if i.top == "hpo_optuna"]
    refuse([i for i in house if not within(i.target, "hpo_optuna.tasks")], "a task knows nothing of the engine:")
    refuse([i for i in house if not i.relative], "tasks import themselves relatively:")


@pytest.mark.parametrize("sampler", SHELF)
def test_a_sampler_is_complete_without_the_engine_and_the_other_samplers(sampler):
    package = f"hpo_optuna.samplers.{sampler}"
    for name in (n for n in MODULES if within(n, package)):
        # An example is a script beside the package: it loads the sampler as OptunaHub's users do.
        allowed = {"optuna", *ARRAYS, *({"optunahub"} if name.endswith(".example") else ())}
        refuse([i for i in IMPORTS[name] if outside(i, allowed)], "a sampler may import optuna, numpy and scipy:")
        house = [i for i in IMPORTS[name] if i.top == "hpo_optuna"]
        refuse([i for i in house if not within(i.target, package)], "a sampler may import itself only:")
        refuse([i for i in house if not i.relative], "a sampler imports itself relatively:")


def test_the_swarm_is_numpy_alone():
    found = [i for i in IMPORTS["hpo_optuna.samplers.pso._swarm"] if i.top not in STANDARD and i.top != "numpy"]
    refuse(found, "samplers/pso/_swarm.py may import numpy:")


def test_statistics_know_arrays_and_records_only():
    found = IMPORTS["hpo_optuna.statistics"]
    refuse([i for i in found if outside(i, ARRAYS)], "hpo_optuna/statistics.py may import numpy and scipy:")
    house = [i for i in found if i.top == "hpo_optuna" and i.target != "hpo_optuna.records"]
    refuse(house, "hpo_optuna/statistics.py may import records:")


def test_the_engine_meets_samplers_through_the_registry_and_of_tasks_only_what_a_task_is():
    found = [i for name in ENGINE for i in IMPORTS[name]]
    refuse([i for i in found if within(i.target, "hpo_optuna.samplers")], "samplers are made by name, in registry.py:")
    refuse([i for i in found if within(i.target, "hpo_optuna.studies")], "the engine knows no plan:")
    # What a user calls by hand stands beside the engine: load_model.
    found = [i for name in ENGINE for i in IMPORTS[name] if (name, i.target) not in LOADERS]
    tasks = [i for i in found if within(i.target, "hpo_optuna.tasks")]
    refuse([i for i in tasks if i.target != "hpo_optuna.tasks.task"], "the engine knows no model:")


def test_the_command_line_has_no_logic_of_its_own():
    found = IMPORTS["hpo_optuna.cli"]
    refuse([i for i in found if outside(i, {"rich"})], "cli.py turns words into calls of the engine:")
    refuse([i for i in found if i.top == "hpo_optuna" and i.when == "import"], "--help imports no more than it must:")


def test_only_storage_opens_a_database():
    openers = ("hpo_optuna.storage", "hpo_optuna.patience", "hpo_optuna.patient")
    found = [i for name in MODULES if name not in openers for i in IMPORTS[name]]
    refuse([i for i in found if i.top in ("sqlalchemy", "sqlite3")], "only storage.py opens databases:")
    rooms = [n for n in MODULES if n not in openers and not n.endswith(".example")]
    openers = [n for n in rooms if "RDBStorage" in MODULES[n].read_text(encoding="utf-8")]
    assert openers == []


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ("records", ["storage", "registry", "objective", "workers", "optimizer", "report", "figures", "cli"]),
        ("plan", ["storage", "registry", "objective", "workers", "optimizer", "report", "figures", "cli"]),
        ("storage", ["registry", "objective", "workers", "optimizer", "report", "figures", "cli"]),
        ("registry", ["storage", "objective", "workers", "optimizer", "report", "figures", "cli"]),
        ("objective", ["workers", "optimizer", "report", "figures", "cli"]),
        ("workers", ["optimizer", "report", "figures", "cli"]),
        ("figures", ["storage", "objective", "workers", "optimizer", "report", "cli"]),
        ("report", ["objective", "workers", "optimizer", "cli"]),
        ("optimizer", ["cli"]),
    ],
)
def test_a_lower_room_does_not_know_a_higher_one(low, high):
    forbidden = {f"hpo_optuna.{name}" for name in high}
    refuse([i for i in IMPORTS[f"hpo_optuna.{low}"] if i.target in forbidden], f"{low} stands below {high}:")


def test_no_two_modules_import_each_other():
    doors = {"hpo_optuna", "hpo_optuna.tasks"}  # __init__ files import what they show
    graph = {
        name: {i.target for i in IMPORTS[name] if i.target in MODULES and i.target not in doors and i.when != "typing"}
        for name in MODULES
        if name not in doors
    }
    TopologicalSorter(graph).prepare()


def test_heavy_libraries_are_imported_where_they_are_used():
    heavy = {"plotly", "pandas", "optuna_dashboard", "sklearn", "torchvision", "PIL", "pyarrow"}
    found = [i for name in [*ENGINE, *TASKS] for i in IMPORTS[name]]
    refuse(
        [i for i in found if i.top in heavy and i.when == "import"], "import these inside the function that needs them:"
    )


# One process for all command lines of a kind: what one of them imports stays, so the first to import torch is named.
ASK = """
import contextlib, io, sys
from hpo_optuna.cli import main

def ask(*argv):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = main(argv)
        except SystemExit as end:
            code = end.code
    loaded = sorted(set(sys.modules) & FORBIDDEN)
    assert not loaded, f"hpo-optuna {' '.join(argv)} imports {', '.join(loaded)}"
    assert code == EXPECTED, f"hpo-optuna {' '.join(argv)} ended with {code}, not {EXPECTED}: {said.getvalue()}"
    return said.getvalue()

"""


def in_a_fresh_process(folder: Path, code: str) -> None:
    ended = subprocess.run([sys.executable, "-c", ASK + code], cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_help_imports_no_heavy_library(tmp_path):
    in_a_fresh_process(
        tmp_path,
        """
FORBIDDEN, EXPECTED = {"torch", "torchvision", "plotly", "pandas", "sklearn", "optuna_dashboard"}, 0
commands = ask("--help")
ask("--version")
for command in ("run", "worker", "status", "plan", "enqueue", "finalize", "predict", "report", "export", "dashboard"):
    assert command in commands
    ask(command, "--help")
""",
    )


def test_status_and_the_plans_that_ship_need_no_torch(tmp_path):
    in_a_fresh_process(
        tmp_path,
        """
import optuna
from hpo_optuna import HyperparameterOptimizer
from hpo_optuna.loading import load_plan
from hpo_optuna.tasks import LeNet5Task

FORBIDDEN, EXPECTED = {"torch", "torchvision"}, 0
ask("run", "sphere", "--budget-trials", "1", "--replicates", "1")
ask("status", "sphere")
for name in ("lenet5_digits", "lenet5_cifar10"):
    plan = load_plan(name)
    assert isinstance(plan.task, LeNet5Task)
    optuna.create_study(storage="sqlite:///hpo.db", study_name=plan.study_name("pso", 0), direction=plan.direction)
    assert "pso/seed-0" in ask("status", name)
""",
    )


def test_wrong_arguments_are_answered_without_torch(tmp_path):
    in_a_fresh_process(
        tmp_path,
        """
FORBIDDEN, EXPECTED = {"torch", "torchvision"}, 2
for argv in (
    ["runn"],
    ["run"],
    ["run", "nope"],
    ["run", "nope.py"],
    ["run", "lenet5_digits", "--workers", "0"],
    ["run", "lenet5_digits", "--workers", "two"],
    ["run", "lenet5_digits", "--only", "tpe"],
    ["run", "lenet5_digits", "--budget-trials", "0"],
    ["run", "lenet5_digits", "--budget-epochs", "-1"],
    ["run", "lenet5_digits", "--replicates", "0"],
    ["run", "lenet5_digits", "--data", "mnist"],
    ["run", "lenet5_digits", "--data", "folder"],
    ["run", "lenet5_digits", "--data", "folder", "--data-dir", "missing"],
    ["run", "lenet5_digits", "--data", "folder", "--data-dir", "."],
    ["run", "lenet5_digits", "--storage", "hpo.db"],
    ["run", "lenet5_digits", "--storage", "sqlite:///missing/hpo.db"],
    ["worker", "lenet5_digits", "--storage", "hpo.db"],
    ["status", "lenet5_digits", "--storage", "sqlite:///missing.db"],
    ["report", "lenet5_digits"],
    ["finalize", "lenet5_digits"],
    ["predict", "missing.pt", "picture.png"],
    ["enqueue", "lenet5_digits", "--set", "C1=99"],
    ["export", "lenet5_digits", "-o", "trials.xlsx"],
    ["dashboard", "lenet5_digits", "--port", "99999"],
):
    ask(*argv)
""",
    )
