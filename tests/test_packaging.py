"""The wheel holds the mounted packages whole, and every name of the public contract imports from it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MOUNTS = {"hpo_optuna": "hpo_optuna", "samplers": "hpo_optuna/samplers", "studies": "hpo_optuna/studies"}
SAMPLERS = ["grid_search", "pso", "qmc", "random_search", "spsa"]
CONTRACT = """
from hpo_optuna import Budget, ComparisonPlan, HyperparameterOptimizer, SamplerSpec
from hpo_optuna.samplers.grid_search import GridSearchSampler
from hpo_optuna.samplers.pso import PSOSampler
from hpo_optuna.samplers.qmc import QMCSampler
from hpo_optuna.samplers.random_search import RandomSearchSampler
from hpo_optuna.samplers.spsa import SPSASampler
from hpo_optuna.studies.sphere import PLAN
from hpo_optuna.tasks import Diverged, FinalScore, LeNet5Task, Score, Task
for name in ("run", "status", "report", "finalize"):
    assert callable(getattr(HyperparameterOptimizer, name)), name
"""


def setuptools_of_77() -> bool:
    """The first one that knows `license = "MIT"`."""
    try:
        return int(version("setuptools").partition(".")[0]) >= 77
    except PackageNotFoundError:
        return False


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the sources, since building leaves things beside them."""
    if not setuptools_of_77():
        pytest.skip("a wheel is built with setuptools>=77, which is not installed")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for folder in MOUNTS:
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(out)!r})"
    built = subprocess.run([sys.executable, "-c", build], cwd=source, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    [path] = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize("folder", MOUNTS)
def test_every_module_is_in_the_wheel(names, folder):
    sources = {f"{MOUNTS[folder]}/{p.relative_to(ROOT / folder).as_posix()}" for p in (ROOT / folder).rglob("*.py")}
    assert sources - names == set()


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("file", ["README.md", "LICENSE", "example.py"])
def test_a_sampler_comes_with_what_optunahub_asks_of_a_package(names, sampler, file):
    assert f"hpo_optuna/samplers/{sampler}/{file}" in names


def test_the_wheel_is_typed_and_holds_nothing_but_the_package(names):
    assert "hpo_optuna/py.typed" in names
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"hpo_optuna"}
    assert not {name for name in names if name.endswith((".pyc", ".db", ".csv", ".html"))}


def test_the_list_of_packages_is_complete():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {p.parent for folder in MOUNTS for p in (ROOT / folder).rglob("__init__.py")}
    expected = {p.relative_to(ROOT).as_posix().replace("/", ".") for p in folders}
    listed = {name.replace("hpo_optuna.samplers", "samplers") for name in project["tool"]["setuptools"]["packages"]}
    assert {name.replace("hpo_optuna.studies", "studies") for name in listed} == expected


def test_the_contract_imports_from_the_wheel_beside_folders_of_the_same_names(wheel, tmp_path):
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for name in ("samplers", "studies"):
        (elsewhere / name).mkdir(parents=True)
        (elsewhere / name / "__init__.py").write_text("raise ImportError('the wrong one')\n")
    code = (
        CONTRACT
        + """
import sys
mine = [m for name, m in sys.modules.items() if name.partition(".")[0] == "hpo_optuna"]
assert all(m.__file__.startswith(sys.argv[1]) for m in mine), [m.__file__ for m in mine]
from hpo_optuna.cli import main
from hpo_optuna.loading import load_plan
assert load_plan("sphere").name == "sphere"
"""
    )
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-c", code, str(site)]
    ended = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_the_contract_imports_here():
    exec(CONTRACT, {})
