"""The report on the test set: locked until finalize; then the winners' test scores, and every look."""

from __future__ import annotations

import json

import numpy as np
import optuna
import toy_comparison as toy
from test_report import Page

from hpo_optuna.looks import append, events
from hpo_optuna.records import read
from hpo_optuna.report import write_report


def looked_at(replicates: int = 4, seeds: int = 3) -> optuna.storages.BaseStorage:
    """A comparison of which every winner's models lost two points on the test set, give or take some noise."""
    storage = toy.toy_comparison(replicates=replicates, trials=12)
    records = read(storage, "toy")
    studies = [optuna.load_study(study_name=r.name, storage=storage) for r in records]
    winners = {r.name: r.best.number for r in records}
    append(studies, "opened", "the plan is finished", records[0].attrs["planned"], winners=winners, seeds=seeds)
    draw = np.random.default_rng(0)
    for study, record in zip(studies, records, strict=True):
        looks = [
            {"trial": record.best.number, "k": k, "seed": k, "when": "2026-01-02T12:00:00+00:00", "path": f"{k}.pt"}
            | {"score": record.best.value - 0.02 + 0.004 * draw.standard_normal()}
            for k in range(seeds)
        ]
        study.set_user_attr("final", looks)
    return storage


def test_before_finalize_the_page_says_that_the_test_set_is_locked(tmp_path):
    path, numbers, _ = write_report(toy.toy_comparison(replicates=2, trials=8), "toy", tmp_path / "r.html")
    shown = Page(path)
    assert "the test set stays locked until the plan is finished and `hpo-optuna finalize STUDY` opens it" in shown.text
    assert "all-test-set" not in shown.figures
    facts = json.loads(numbers.read_text(encoding="utf-8"))["test_set"]
    assert facts == {"models_tested": 0, "samplers": [], "winners": [], "earlier_winners": [], "log": []}


def test_afterwards_it_shows_test_beside_validation_with_intervals_and_the_gap(tmp_path):
    path, numbers, _ = write_report(looked_at(), "toy", tmp_path / "r.html")
    shown = Page(path)
    assert "The test set was opened once" in shown.text
    assert "36 models tested" in shown.text
    facts = json.loads(numbers.read_text(encoding="utf-8"))["test_set"]
    assert [s["label"] for s in facts["samplers"]] == ["grid", "random", "pso"]
    for sampler in facts["samplers"]:
        assert sampler["gap"]["low"] < 0.02 < sampler["gap"]["high"]
        assert f"{100 * sampler['test']['mean']:.2f} %" in shown.text
        assert f"{100 * sampler['test']['low']:.2f} to {100 * sampler['test']['high']:.2f}" in shown.text
        assert f"{100 * sampler['gap']['mean']:.2f} points" in shown.text
    assert len(shown.data["all-test-set"]["data"]) == 9, "replicates, mean and validation of three samplers"


def test_further_looks_and_reopenings_are_told(tmp_path):
    storage = looked_at()
    studies = optuna.study.get_all_study_names(storage)
    opened = [optuna.load_study(study_name=name, storage=storage) for name in studies]
    first = events(read(storage, "toy"))[0]
    append(opened, "reopened", "the plan was changed", {"trials": 99})
    write_report(storage, "toy", tmp_path / "a.html")
    assert "The plan was reopened on" in Page(tmp_path / "a.html").text
    append(opened, "opened", "a <b>reviewer</b> asked", {"trials": 99}, winners=dict(first.winners), seeds=9)
    write_report(storage, "toy", tmp_path / "b.html")
    shown = Page(tmp_path / "b.html").text
    assert "The test set was opened 2 times" in shown
    assert "only the first look is unbiased" in shown
    assert "a <b>reviewer</b> asked" in shown


def test_one_replicate_has_no_interval_over_replicates(tmp_path):
    path, numbers, _ = write_report(looked_at(replicates=1), "toy", tmp_path / "r.html")
    facts = json.loads(numbers.read_text(encoding="utf-8"))["test_set"]
    assert {s["test"]["low"] for s in facts["samplers"]} == {None}
    assert "Winner by winner" in Page(path).text
