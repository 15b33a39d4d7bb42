"""The score of a LeNet5 trial is the metric that was asked for, and a plan that turns it upside down is refused."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import toys
from optuna.distributions import IntDistribution
from sklearn import metrics as theirs

from hpo_optuna.errors import UserError
from hpo_optuna.tasks import LeNet5Task, Score
from hpo_optuna.tasks.metrics import METRICS

SPACE = {"C1": IntDistribution(2, 4)}
CONFIG = {"C1": 2, "C3": 3, "C5": 8, "F6": 8}


def worst_answer(labels, probabilities):
    """The smallest probability that any image's class was given."""
    return float(probabilities[np.arange(len(labels)), labels].min())


def surprise(labels, probabilities):
    return -math.log(worst_answer(labels, probabilities))


surprise.direction = "minimize"  # type: ignore[attr-defined]


def surprising_sum(labels, probabilities):
    return float("nan")


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> LeNet5Task:
    folder = str(tmp_path_factory.mktemp("digits"))
    return LeNet5Task(data="digits", data_dir=folder, epochs=2, device="cpu", train_size=300, checkpoints=False)


def last(task: LeNet5Task) -> Score:
    *_, score = task(CONFIG, seed=0)
    return score


@pytest.mark.parametrize("seed", range(3))
def test_metrics_by_name_are_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, 60)  # class 4 never occurs, and is answered
    probabilities = rng.dirichlet(np.ones(5), 60)
    answered = probabilities.argmax(1)
    with pytest.warns(UserWarning, match="y_pred contains classes"):
        balanced = theirs.balanced_accuracy_score(labels, answered)
    expected = {
        "accuracy": theirs.accuracy_score(labels, answered),
        "balanced_accuracy": balanced,
        "cross_entropy": theirs.log_loss(labels, probabilities, labels=range(5)),
        "macro_f1": theirs.f1_score(labels, answered, average="macro"),
    }
    assert {name: m.function(labels, probabilities) for name, m in METRICS.items()} == pytest.approx(expected)


@pytest.mark.parametrize("metric", [name for name in METRICS if name != "accuracy"])
def test_a_score_keeps_accuracy_and_losses_whatever_it_is_worth(task: LeNet5Task, metric: str) -> None:
    plain, scored = last(task), last(dataclasses.replace(task, metric=metric))
    assert (scored.accuracy, scored.loss, scored.train_loss) == (plain.accuracy, plain.loss, plain.train_loss)
    assert float(scored) == scored.value
    if metric == "cross_entropy":
        assert float(scored) == pytest.approx(plain.loss, rel=1e-4)
    assert float(plain) == plain.accuracy


def test_a_function_of_labels_and_probabilities_is_a_metric(task: LeNet5Task) -> None:
    scored = last(dataclasses.replace(task, metric=worst_answer))
    assert 0 < float(scored) < 1
    assert scored.accuracy == last(task).accuracy


def test_a_metric_that_is_no_number_ends_the_trial_as_diverged(task: LeNet5Task) -> None:
    broken = dataclasses.replace(task, metric=surprising_sum)
    with pytest.raises(RuntimeError, match="validation surprising sum became nan in epoch 1"):
        next(broken(CONFIG, seed=0))


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        ("f1", "metric must be one of 'accuracy', .* got 'f1'"),
        (lambda labels, _: 1.0, "no name that another process could find it by"),
    ],
)
def test_what_is_no_metric_is_refused_with_the_cure(metric: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        LeNet5Task(metric=metric)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metric", "direction", "cure"),
    [("cross_entropy", "maximize", "minimize"), ("macro_f1", "minimize", "maximize"), (surprise, "maximize", "mini")],
)
def test_a_plan_against_its_metric_is_refused_with_the_cure(metric: object, direction: str, cure: str) -> None:
    task = LeNet5Task(data="digits", metric=metric)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=f"direction='{direction}'.*give the plan direction='{cure}"):
        toys.plan(task=task, space=SPACE, direction=direction)


def test_where_a_function_says_no_direction_the_plan_decides() -> None:
    for direction in ("maximize", "minimize"):
        assert toys.plan(task=LeNet5Task(data="digits", metric=worst_answer), space=SPACE, direction=direction)


def test_the_fingerprint_names_the_metric_unless_it_is_the_accuracy_that_it_always_was(task: LeNet5Task) -> None:
    assert "metric" not in task.fingerprint
    assert dataclasses.replace(task, metric="macro_f1").fingerprint["metric"] == "macro_f1"
    assert dataclasses.replace(task, metric=surprise).fingerprint["metric"] == f"{__name__}:surprise"


def test_the_metric_goes_from_the_search_to_the_test_set(task: LeNet5Task, tmp_path: Path) -> None:
    entropy = dataclasses.replace(task, metric="cross_entropy")
    tested = entropy.finalize(CONFIG, seed=1, directory=tmp_path)
    assert float(tested) == pytest.approx(tested.loss, rel=1e-4)
    assert entropy.finalize(CONFIG, seed=1, directory=tmp_path) == tested, "read from its card"
    assert entropy.score_name == "validation cross-entropy"


def test_minimised_cross_entropy_is_compared_and_reported(task: LeNet5Task, tmp_path: Path) -> None:
    entropy = dataclasses.replace(task, metric="cross_entropy", fixed={"C3": 3, "C5": 8, "F6": 8})
    plan = toys.plan(
        task=entropy,
        space=SPACE,
        samplers={"random": toys.SAMPLERS["random"]},
        budget=toys.Budget(trials=2),
    )
    url = f"sqlite:///{tmp_path}/hpo.db"
    [study] = toys.run(plan, url)
    assert study.best is not None
    assert study.best.value == min(t.value for t in study)
    assert study.best.value == pytest.approx(study.best.details[-1]["loss"], rel=1e-4)
    page, *_ = toys.HyperparameterOptimizer(plan, url).report(tmp_path / "page.html")
    text = page.read_text()
    assert "validation cross-entropy" in text
    assert "Training and validation" in text
