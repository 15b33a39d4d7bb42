"""Each folder of the shelf is a complete OptunaHub package: it loads alone, says what it is, and its example runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import optuna
import optunahub
import pytest

SHELF = Path(__file__).parents[1] / "samplers"
PACKAGES = {
    "grid_search": "GridSearchSampler",
    "random_search": "RandomSearchSampler",
    "pso": "PSOSampler",
    "qmc": "QMCSampler",
    "spsa": "SPSASampler",
}


@pytest.mark.parametrize("package", PACKAGES)
def test_it_loads_by_optunahub_without_a_network(package):
    module = optunahub.load_local_module(package, registry_root=str(SHELF))
    assert issubclass(getattr(module, PACKAGES[package]), optuna.samplers.BaseSampler)


@pytest.mark.parametrize("package", PACKAGES)
def test_its_readme_has_the_front_matter_of_the_hub_and_its_licence_lies_beside_it(package):
    head = (SHELF / package / "README.md").read_text(encoding="utf-8").split("---")[1]
    fields = {line.split(":")[0] for line in head.strip().splitlines()}
    assert {"author", "title", "description", "tags", "optuna_versions", "license"} == fields
    assert "MIT" in (SHELF / package / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("package", "said"),
    [
        ("random_search", "equal 7 + 13: True"),
        ("grid_search", "8 of 8 points evaluated, 8 of them different"),
        ("pso", "in two parts:"),
        ("spsa", "in two parts the same: True"),
        ("qmc", "quasi-random: 64 of 64 cells"),
    ],
)
def test_its_example_runs(package, said):
    example = SHELF / package / "example.py"
    ran = subprocess.run([sys.executable, str(example)], capture_output=True, text=True, check=True)
    assert said in ran.stdout


@pytest.mark.parametrize("package", PACKAGES)
def test_the_example_in_its_readme_runs(package, capsys):
    """OptunaHub's PSO has one that raises TypeError."""
    readme = (SHELF / package / "README.md").read_text(encoding="utf-8")
    code = readme.split("```python\n")[1].split("```")[0]
    local = f'load_local_module("{package}", registry_root={str(SHELF)!r})'
    assert f'load_module("samplers/{package}")' in code
    exec(code.replace(f'load_module("samplers/{package}")', local), {})
