"""Whatever a study, a sampler or a hyperparameter is called: it is shown on our pages, and never run."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import optuna
import pytest
import toy_comparison as toy

from hpo_optuna.notes import describe
from hpo_optuna.report import write_across, write_report, write_studies

SCRIPT = "<script>alert(1)</script>"
IMAGE = "<img src=x onerror=alert(1)>"  # in the parts of a study's name, which a slash separates


class Tags(HTMLParser):
    """The scripts of a page that run, its attributes that would, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.scripts = 0
        self.handlers: list[str] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.scripts += tag == "script" and dict(attrs).get("type") != "application/json"
        self.handlers += [name for name, value in attrs if name.startswith("on") or "javascript:" in (value or "")]

    def handle_data(self, data):
        self.text += data


def strangers(storage: optuna.storages.BaseStorage, plan: str, directions: list[str]) -> None:
    """A plan whose every name is a script; three failures of one reason, a row for the health table."""
    for label in (f"{IMAGE}a", f"{IMAGE}b"):
        for replicate in range(2):
            rows = toy.toy_trials(label, replicate, 6)
            rows.append(
                toy.trial(6, "FAIL", {"C1": 3, "C3": 5, "F6": 17}, [], attrs={"error": f"ValueError: {SCRIPT}"})
            )
            if len(directions) > 1:
                for row in rows:
                    row.intermediate_values.clear()
                    if row.values is not None:
                        row.values = [row.values[0], 1.0 - row.values[0]]
            name = f"{plan}/{label}/seed-{replicate}"
            study = optuna.create_study(study_name=name, storage=storage, directions=directions)
            names = [f"{SCRIPT}score", f"{SCRIPT}cost"][: len(directions)]
            storage.set_study_system_attr(study._study_id, "study:metric_names", names)
            study.set_user_attr("label", label)
            study.set_user_attr("replicate", replicate)
            study.set_user_attr(
                "fingerprint",
                {
                    "space": {},
                    "task": {"name": SCRIPT, "data": SCRIPT},
                    "direction": "/".join(directions),
                    "pruner": {"class": SCRIPT},
                    "sampler": {"name": "random_search", "options": {SCRIPT: SCRIPT}},
                    "seed": 0,
                },
            )
            study.set_user_attr("planned", {"trials": 6, "epochs": None, "replicates": 2})
            study.set_user_attr("provenance", [{"python": SCRIPT, "device": SCRIPT}])
            study.add_trials(rows)


def assert_harmless(path: Path, benign: Path, text: str) -> None:
    page = Tags(path)
    assert text in page.text
    assert page.scripts == Tags(benign).scripts
    assert page.handlers == []


@pytest.fixture(scope="module")
def benign(tmp_path_factory) -> Path:
    """A page of harmless names, for the number of its scripts."""
    return write_report(toy.toy_comparison(replicates=2, trials=6), "toy", tmp_path_factory.mktemp("r") / "r.html")[0]


@pytest.mark.parametrize("directions", [["maximize"], ["maximize", "minimize"]], ids=["verdict", "front"])
def test_a_plan_of_scripts_is_shown_and_never_run(directions, tmp_path, benign):
    storage = optuna.storages.InMemoryStorage()
    strangers(storage, f"{IMAGE}plan", directions)
    page, *_ = write_report(storage, f"{IMAGE}plan", tmp_path / "report.html")
    assert_harmless(page, benign, IMAGE)


def test_a_study_of_another_tool_named_by_a_script_is_shown_and_never_run(tmp_path, benign):
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(study_name=SCRIPT, storage=storage)
    study.optimize(lambda trial: trial.suggest_float(SCRIPT, 0, 1), n_trials=6)
    page, *_ = write_studies(storage, [SCRIPT], tmp_path / "report.html")
    assert_harmless(page, benign, SCRIPT)


def test_a_page_over_plans_of_scripts_is_harmless(tmp_path, benign):
    storage = optuna.storages.InMemoryStorage()
    plans = [f"{IMAGE}{k}" for k in range(3)]
    for plan in plans:
        strangers(storage, plan, ["maximize"])
    page, *_ = write_across(storage, plans, tmp_path / "report.html")
    assert_harmless(page, benign, IMAGE)


def test_a_dashboards_note_of_scripts_has_no_sign_that_html_or_markdown_reads():
    space = {SCRIPT: {"name": "CategoricalDistribution", "attributes": {"choices": [SCRIPT, "[x](javascript:y)"]}}}
    task = {"name": SCRIPT, SCRIPT: SCRIPT}
    note = describe({"space": space, "task": task, "sampler": {"name": SCRIPT}}, {"trials": SCRIPT})
    assert "alert(1)" in note
    assert "<script" not in note.replace("\\<", "")
    assert "](" not in note.replace("\\]", "")
