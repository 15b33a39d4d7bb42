"""Saved winners are Optuna artifacts: a real dashboard lists them, and what it hands out is a model."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.request
from pathlib import Path

import optuna
import pytest
import toys
from optuna.artifacts import FileSystemArtifactStore, download_artifact

from hpo_optuna import HyperparameterOptimizer, load_model
from hpo_optuna.artifacts import artifact_folder, attach, attached
from hpo_optuna.cli import main
from hpo_optuna.loading import load_plan, override
from hpo_optuna.looks import events

SHORT = {"budget_trials": 1, "budget_epochs": None, "replicates": 1}
PLAN = """
from dataclasses import replace
from hpo_optuna.studies.lenet5_digits import PLAN as SHIPPED
PLAN = replace(SHIPPED, samplers={"pso": SHIPPED.samplers["pso"]})
"""


def test_the_folder_of_artifacts_lies_beside_the_database():
    assert artifact_folder("sqlite:////somewhere/hpo.db") == Path("/somewhere/hpo.db-artifacts")
    assert artifact_folder("postgresql://user@host/hpo") is None
    assert artifact_folder(optuna.storages.InMemoryStorage()) is None


@pytest.fixture(scope="module")
def finalized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finalized study of digits, from the command line."""
    folder = tmp_path_factory.mktemp("finalized")
    (folder / "plan.py").write_text(PLAN)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HPO_OPTUNA_DATA", str(folder / "data"))
        short = ["plan.py", "--budget-trials", "1", "--replicates", "1"]
        assert main(["run", *short]) == 0
        assert main(["finalize", *short, "--seeds", "1"]) == 0
        assert main(["finalize", *short, "--seeds", "1"]) == 0
        assert main(["report", *short, "-o", "report.html"]) == 0
    return folder


def ask(address: str) -> bytes:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address) as answer:
        return answer.read()


def test_a_real_dashboard_lists_the_models_and_hands_them_out(finalized, tmp_path):
    words = toys.command("dashboard", "plan.py", "--port", "0")
    server = subprocess.Popen(words, cwd=finalized, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = next(w for w in server.stdout.readline().split() if w.startswith("http://127.0.0.1:"))
        [study] = json.loads(ask(f"{address}api/studies"))["study_summaries"]
        detail = json.loads(ask(f"{address}api/studies/{study['study_id']}"))
        listed = {a["filename"]: a["artifact_id"] for a in detail["artifacts"]}
        assert sorted(listed) == ["trial-0-1-models.json", "trial-0-seed-0-model.pt"]
        got = {name: ask(f"{address}artifacts/{study['study_id']}/{key}") for name, key in listed.items()}
        assert "### The test set" in detail["note"]["body"]
        assert "opened once" in detail["note"]["body"]
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=60)
    assert server.returncode == 0
    (tmp_path / "downloaded.pt").write_bytes(got["trial-0-seed-0-model.pt"])
    card = load_model(tmp_path / "downloaded.pt").card
    winner = json.loads(got["trial-0-1-models.json"])
    assert winner["mean"] == card["test"]["accuracy"] == winner["looks"][0]["score"]
    assert winner["gap"] == pytest.approx(winner["validation"] - winner["mean"])
    assert winner["params"].items() <= card["config"].items()


def test_the_report_and_its_numbers_say_what_the_test_set_said(finalized):
    facts = json.loads((finalized / "report.json").read_text(encoding="utf-8"))["test_set"]
    [sampler], [winner] = facts["samplers"], facts["winners"]
    assert facts["models_tested"] == sampler["models"] == 1
    assert sampler["test"] == {"mean": winner["mean"], "low": None, "high": None}
    assert [e["kind"] for e in facts["log"]] == ["opened"]
    page = (finalized / "report.html").read_text(encoding="utf-8")
    assert "The test set was opened once" in page
    assert f"{100 * winner['mean']:.2f} %" in page
    assert 'data-figure="all-test-set"' in page


def test_the_database_remembers_who_looked(finalized):
    plan = override(load_plan(str(finalized / "plan.py")), **SHORT)
    [study] = HyperparameterOptimizer(plan, f"sqlite:///{finalized}/hpo.db").status().studies
    [event] = events([study])
    assert event.winners == {study.name: 0}
    assert event.seeds == 1


def test_an_artifact_is_attached_once_and_again_if_it_was_lost(tmp_path):
    study = optuna.create_study(storage=f"sqlite:///{tmp_path}/hpo.db")
    (tmp_path / "model.pt").write_bytes(b"weights")
    folder = tmp_path / "artifacts"
    for _ in range(2):
        attach(study, tmp_path / "model.pt", "trial-0.pt", folder)
    [(name, key)] = attached(study, folder).items()
    assert len(list(folder.iterdir())) == 1
    download_artifact(artifact_store=FileSystemArtifactStore(folder), artifact_id=key, file_path=str(tmp_path / "copy"))
    assert (name, (tmp_path / "copy").read_bytes()) == ("trial-0.pt", b"weights")
    (folder / key).unlink()
    study._storage.set_study_system_attr(study._study_id, f"artifacts:{key}", "null")  # deleted in the dashboard
    attach(study, tmp_path / "model.pt", "trial-0.pt", folder)
    assert list(attached(study, folder)) == ["trial-0.pt"]
