"""What the README says can be done as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hpo_optuna.cli import parser
from hpo_optuna.loading import load_plan

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "samplers").glob("*/README.md"))]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


def commands(program: str) -> list[list[str]]:
    lines = [line.split("#")[0].split() for block in blocks("console") for line in block.splitlines()]
    return [words[1:] for words in lines if words and words[0] == program]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_the_python_of_the_readme_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HPO_OPTUNA_DATA", str(tmp_path / "data"))
    names: dict[str, object] = {"__name__": "readme"}
    for code in blocks("python"):
        exec(compile(code, "README.md", "exec"), names)
    assert (tmp_path / "report.html").stat().st_size > 1_000_000
    shipped = load_plan("lenet5_cifar10")
    assert (names["PLAN"].space, names["PLAN"].budget) == (shipped.space, shipped.budget)


@pytest.mark.parametrize("words", commands("hpo-optuna"), ids=" ".join)
def test_the_command_lines_of_the_readme_are_understood(words):
    study = vars(parser().parse_args(words)).get("study") or []
    for name in [study] if isinstance(study, str) else study:
        assert load_plan(name)


def test_the_make_targets_of_the_readme_exist():
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    named = [words[0] for words in commands("make")]
    assert {"demo", "test"} <= set(named) <= set(targets)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    missing = [t for t in targets if not t.startswith("http") and not (page.parent / t).exists()]
    assert not missing


def test_every_command_is_in_the_readme():
    known = next(a.choices for a in parser()._actions if a.dest == "command")
    assert {words[0] for words in commands("hpo-optuna")} | {"worker"} == set(known)
