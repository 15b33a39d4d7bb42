"""What the pages say is so: links lead somewhere, code runs, commands are understood, tables name what there is."""

from __future__ import annotations

import importlib.util
import inspect
import re
from importlib import import_module

import pages
import pytest
import toys

from hpo_optuna import SamplerSpec, make_sampler
from hpo_optuna.cli import parser
from hpo_optuna.loading import load_plan
from hpo_optuna.registry import SAMPLERS

ROOT, DOCS = pages.ROOT, pages.ROOT / "docs"
WITH_CODE = [page for page in sorted(DOCS.rglob("*.md")) if pages.blocks(page, "python")]
FIRST_LINES = [*sorted((ROOT / "studies").glob("*.py")), *sorted((ROOT / "examples").glob("*.py"))]


@pytest.mark.parametrize("page", pages.PAGES, ids=pages.name)
def test_links_lead_to_files_and_headings(page):
    missing = []
    for link in pages.links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in pages.anchors(target)):
            missing.append(link)
    assert missing == []


def test_a_link_that_leads_nowhere_would_be_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One: *two* `three`\n\n## Again\n\n## Again\n\n[x](y.md#z) [w](https://w.org) ![p](p.png)\n")
    assert pages.links(page) == ["y.md#z", "p.png"]
    assert pages.anchors(page) == {"one-two-three", "again", "again-1"}


@pytest.mark.parametrize("page", WITH_CODE, ids=pages.name)
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_the_python_of_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for code in pages.blocks(page, "python"):
        exec(compile(code, pages.name(page), "exec"), names)


COMMANDS = [words for page in pages.PAGES for words in pages.commands(page, "hpo-optuna")]
COMMANDS += [
    line.split()[1:]
    for path in FIRST_LINES
    for line in (inspect.cleandoc(path.read_text(encoding="utf-8").split('"""')[1])).splitlines()
    if line.startswith("hpo-optuna ")
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_command_lines_are_understood_and_their_plans_exist(words, monkeypatch):
    monkeypatch.chdir(ROOT)
    study = vars(parser().parse_args(words)).get("study") or []
    for name in [study] if isinstance(study, str) else study:
        assert load_plan(name)


def test_the_make_targets_and_scripts_that_pages_name_exist():
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    for page in pages.PAGES:
        assert {words[0] for words in pages.commands(page, "make")} <= set(targets), page
        for script in re.findall(r"python ((?:benchmarks|docs|examples)/\S+?\.py)", page.read_text(encoding="utf-8")):
            assert (ROOT / script).is_file(), f"{script} of {page}"


def test_the_reference_is_what_the_docstrings_say():
    spec = importlib.util.spec_from_file_location("build_api", DOCS / "build_api.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    assert build.PAGE.read_text(encoding="utf-8") == build.page(), "run `make docs`"


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_has_a_page_that_is_linked_and_names_its_options_and_no_others(name):
    page = DOCS / "samplers" / f"{name}.md"
    text = page.read_text(encoding="utf-8")
    for part in ("What it does", "When it wins", "When it loses", "Cost", "Options", "Source"):
        assert f"**{part}.**" in " ".join(text.split())
    assert f"samplers/{name}.md" in (DOCS / "choosing.md").read_text(encoding="utf-8")

    [example] = re.findall(r"^`(SamplerSpec\(.*\))`$", text, flags=re.MULTILINE)
    spec = eval(example, {"SamplerSpec": SamplerSpec})
    assert spec.name == name
    assert make_sampler(spec.name, toys.SPACE, seed=0, **spec.options)

    module, _, kind = SAMPLERS[name].partition(":")
    known = set(inspect.signature(getattr(import_module(module), kind)).parameters) - {"search_space", "seed"}
    told = {
        word for row in re.findall(r"^\| (`.*?) \|", text, flags=re.MULTILINE) for word in re.findall(r"`(\w+)`", row)
    }
    assert told == known


def test_the_page_of_a_person_is_linked_too():
    assert "samplers/by_hand.md" in (DOCS / "choosing.md").read_text(encoding="utf-8")
