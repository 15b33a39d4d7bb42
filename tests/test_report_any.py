"""A page of any database: studies of other tools, studies picked by hand, and several plans over different tasks."""

import json
from pathlib import Path

import optuna
import pytest
import toy_comparison as toy
from optuna.storages import InMemoryStorage

from hpo_optuna.across import cliques, judge_across
from hpo_optuna.cli import main
from hpo_optuna.errors import UserError
from hpo_optuna.records import read
from hpo_optuna.report import write_across, write_studies
from hpo_optuna.selection import choose, is_whole_plan


def plain_study(storage, name: str, trials: int, seed: int, **options) -> optuna.Study:
    """What a user of Optuna alone leaves behind, attributes of his own meaning included."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.RandomSampler(seed=seed)
    study = optuna.create_study(study_name=name, storage=storage, sampler=sampler, **options)

    def objective(trial: optuna.Trial) -> float:
        trial.set_user_attr("scores", 7)
        trial.set_user_attr("void", "of meaning")
        x, depth = trial.suggest_float("x", -1, 1), trial.suggest_int("depth", 1, 4)
        return x**2 + 0.1 * depth

    study.optimize(objective, n_trials=trials)
    return study


def facts_of(path: Path) -> dict:
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def test_plain_optuna_studies_get_a_page_that_claims_nothing(tmp_path: Path, capsys) -> None:
    url = f"sqlite:///{tmp_path / 'plain.db'}"
    plain_study(url, "mine", 6, 0)
    plain_study(url, "yours", 9, 1)
    page = tmp_path / "r.html"
    assert main(["report", "--studies", "mine,yours", "--storage", url, "-o", str(page)]) == 0
    facts = facts_of(page)
    assert (facts["verdict"]["status"], facts["verdict"]["exploratory"]) == ("preliminary", True)
    assert "state no plan" in facts["verdict"]["sentence"]
    assert "Explored at 6 trials" in facts["verdict"]["sentence"]
    assert {s["sampler"]: s["complete"] for s in facts["studies"]} == {"mine": 6, "yours": 9}
    shown = page.read_text(encoding="utf-8")
    assert "No trial has reported an epoch." in shown
    assert "No tests yet" in shown


def test_names_like_the_engines_are_samplers_and_replicates_whoever_made_them() -> None:
    storage = InMemoryStorage()
    for replicate in range(2):
        plain_study(storage, f"mine/tpe/seed-{replicate}", 3, replicate)
    plain_study(storage, "alone", 3, 2)
    records = choose(storage, ["mine/tpe/seed-0", "mine/tpe/seed-1", "alone"])
    assert {(r.label, r.replicate) for r in records} == {("tpe", 0), ("tpe", 1), ("alone", 0)}
    assert all(len(r.finished) == 3 for r in records), "attributes of other tools are not read as ours"


def test_studies_of_two_plans_are_not_taken_for_replicates_of_one() -> None:
    storage = toy.toy_comparison(plan="one", samplers=["pso"], replicates=1, trials=4)
    toy.toy_comparison(storage, plan="two", samplers=["pso"], replicates=1, trials=4)
    records = choose(storage, ["one/pso/seed-0", "two/pso/seed-0"])
    assert [r.label for r in records] == ["one/pso", "two/pso"]


def test_picked_studies_are_exploratory_and_a_whole_plan_is_not(tmp_path: Path) -> None:
    storage = toy.toy_comparison(samplers=["random", "pso"], replicates=2, trials=6)
    names = [s.study_name for s in storage.get_all_studies()]
    assert is_whole_plan(storage, choose(storage, names))
    write_studies(storage, names[:3], tmp_path / "some.html")
    verdict = facts_of(tmp_path / "some.html")["verdict"]
    assert verdict["exploratory"]
    assert "these studies were picked for this page" in verdict["notes"][0]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "name at least one study"),
        (["nobody"], "there is no study 'nobody' in this database; it holds down, two, up"),
        (["up", "down"], "some of these studies minimize and some maximize"),
        (["two"], "the study 'two' has several objectives"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(names: list[str], message: str) -> None:
    storage = InMemoryStorage()
    plain_study(storage, "up", 1, 0, direction="maximize")
    plain_study(storage, "down", 1, 0)
    optuna.create_study(study_name="two", storage=storage, directions=["minimize", "maximize"])
    with pytest.raises(UserError, match=message):
        choose(storage, names)


def test_a_report_is_of_plans_or_of_studies(tmp_path: Path, capsys) -> None:
    url = f"sqlite:///{tmp_path / 'plain.db'}"
    plain_study(url, "mine", 1, 0)
    assert main(["report", "--storage", url]) == 2
    assert main(["report", "sphere", "--studies", "mine", "--storage", url]) == 2
    assert capsys.readouterr().err.count("one of the two") == 2


def several_tasks(lift: float, tasks: int = 5) -> InMemoryStorage:
    """Plans in which pso leads random, and random grid, by ``lift`` each."""
    storage = InMemoryStorage()
    for task in range(tasks):
        for replicate in range(2):
            for i, label in enumerate(("grid", "random", "pso")):
                rows = toy.toy_trials(label, 10 * task + replicate, 8, lift=lift * i)
                planned = {"trials": 8, "epochs": None, "replicates": 2}
                toy.add_study(storage, f"task{task}", label, replicate, rows, planned=planned)
    return storage


def test_over_tasks_friedmans_test_and_the_critical_difference_decide(tmp_path: Path) -> None:
    storage = several_tasks(lift=0.3)
    across = judge_across({f"task{i}": read(storage, f"task{i}") for i in range(5)})
    assert across.status == "difference"
    assert across.ranks == (3.0, 2.0, 1.0)
    assert across.sentence == "Over 5 tasks, pso ranks better than grid."
    assert across.critical == pytest.approx(2.343 * (3 * 4 / (6 * 5)) ** 0.5, abs=1e-3)

    write_across(storage, [f"task{i}" for i in range(5)], tmp_path / "r.html")
    facts = facts_of(tmp_path / "r.html")
    assert facts["verdict"]["status"] == "difference"
    assert [plan["plan"] for plan in facts["plans"]] == [f"task{i}" for i in range(5)]
    shown = (tmp_path / "r.html").read_text(encoding="utf-8")
    for figure in ("critical-difference", "task-4-best-trials", "task-4-ranks-epochs"):
        assert f'data-figure="{figure}"' in shown


def test_two_tasks_show_no_difference_and_an_unfinished_one_is_waited_for() -> None:
    storage = several_tasks(lift=0.3, tasks=2)
    plans = {f"task{i}": read(storage, f"task{i}") for i in range(2)}
    few = judge_across(plans)
    assert few.status == "no-difference"
    assert any("2 tasks cannot show a difference" in note for note in few.notes)
    open_plan = judge_across({**plans, "task1": plans["task1"][:-1]})
    assert (open_plan.status, "task1 is not finished" in open_plan.sentence) == ("preliminary", True)


def test_bars_join_what_is_closer_than_the_critical_difference() -> None:
    assert cliques([1.2, 1.9, 2.4, 4.0], 1.0) == [(1.2, 1.9), (1.9, 2.4)]
    assert cliques([1.0, 3.0], 1.0) == []
