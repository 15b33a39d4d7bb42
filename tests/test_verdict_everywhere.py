"""The verdict is one: in the terminal, in a notebook, on the page, in its JSON and in the dashboard's notes."""

import json

import toys
from optuna.storages import InMemoryStorage
from optuna_dashboard._note import get_note_from_system_attrs

from hpo_optuna import Budget, HyperparameterOptimizer
from hpo_optuna.notes import markdown
from hpo_optuna.storage import open_storage
from hpo_optuna.tasks import FinalScore

SAMPLERS = {name: toys.SAMPLERS[name] for name in ("random", "pso")}


class Exam:
    """The bowl with a test split."""

    fingerprint = {}  # noqa: RUF012 -- a constant of this toy

    def __call__(self, config, *, seed):
        yield from toys.bowl(config, seed=seed)

    def finalize(self, config, *, seed, directory):
        return FinalScore(accuracy=0.5, loss=1.0, path=directory / "model.pt")


def notes(place) -> list[dict]:
    storage = open_storage(place, create=False) if isinstance(place, str) else place
    ids = [s._study_id for s in storage.get_all_studies()]
    return [get_note_from_system_attrs(storage.get_study_system_attrs(study), None) for study in ids]


def test_status_page_json_and_notes_say_the_same(tmp_path) -> None:
    url = f"sqlite:///{tmp_path}/hpo.db"
    hpo = HyperparameterOptimizer(toys.plan(samplers=SAMPLERS, replicates=2, budget=Budget(trials=4)), url)
    verdict = hpo.run(progress=False).verdict
    assert verdict is not None
    page, numbers, _ = hpo.report(tmp_path / "r.html")

    assert hpo.status().verdict == verdict
    assert verdict.sentence in " ".join(str(hpo.status()).split())
    assert verdict.sentence in hpo.status()._repr_html_()
    assert verdict.sentence in page.read_text(encoding="utf-8")
    said = json.loads(numbers.read_text(encoding="utf-8"))["verdict"]
    assert (said["status"], said["sentence"]) == (verdict.status, verdict.sentence)
    assert said["pairs"][0]["speed_words"].startswith(f"{verdict.pairs[0].a} at ")
    assert all(note["body"].startswith("### The plan") for note in notes(url))
    assert all(f"**{markdown(verdict.sentence)}**" in note["body"] for note in notes(url))


def test_a_note_is_written_when_it_changes_and_only_then(tmp_path) -> None:
    url = f"sqlite:///{tmp_path}/hpo.db"
    plan = toys.plan(samplers=SAMPLERS, replicates=2, budget=Budget(trials=3))
    toys.run(plan, url)
    before = notes(url)
    toys.run(plan, url)
    assert notes(url) == before
    toys.run(toys.plan(samplers=SAMPLERS, replicates=2, budget=Budget(trials=4)), url)
    assert all("Exploratory" in note["body"] for note in notes(url))


def test_the_note_keeps_the_verdict_when_winners_are_tested_and_the_test_when_the_plan_is_run_again(tmp_path) -> None:
    storage = InMemoryStorage()
    plan = toys.plan(task=Exam(), samplers=SAMPLERS, budget=Budget(trials=2))
    hpo = HyperparameterOptimizer(plan, storage)
    hpo.run(progress=False)
    hpo.finalize(tmp_path / "models", seeds=1, progress=False)
    tested = notes(storage)
    for note in tested:
        heads = [line for line in note["body"].splitlines() if line.startswith("### ")]
        assert heads == ["### The plan", "### The space", "### The verdict", "### The test set"]
    hpo.run(progress=False)
    assert notes(storage) == tested


def test_samplers_run_one_after_the_other_are_one_plan_and_judged_when_all_have_run(tmp_path) -> None:
    url = f"sqlite:///{tmp_path}/hpo.db"
    plan = toys.plan(replicates=2, budget=Budget(trials=3))
    hpo = HyperparameterOptimizer(plan, url)
    first = hpo.run(only=["random", "pso"], progress=False).verdict
    assert first is not None
    assert first.sentence == ("Preliminary: grid of the plan has not run yet; no verdict before all samplers have.")
    last = hpo.run(progress=False).verdict
    assert last is not None
    assert (last.status != "preliminary", last.exploratory, last.done) == (True, False, 2)


def test_a_sampler_that_the_plan_gets_after_its_end_makes_it_exploratory(tmp_path) -> None:
    url = f"sqlite:///{tmp_path}/hpo.db"
    toys.run(toys.plan(samplers=SAMPLERS, replicates=2, budget=Budget(trials=3)), url)
    hpo = HyperparameterOptimizer(toys.plan(replicates=2, budget=Budget(trials=3)), url)
    hpo.run(only=["random"], progress=False)  # not even by way of a run that adds nothing yet
    verdict = hpo.run(progress=False).verdict
    assert verdict is not None
    assert verdict.exploratory
