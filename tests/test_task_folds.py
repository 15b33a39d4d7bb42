"""Cross-validation: a step is a fold, a trial's value is the mean, and what is cut off goes on fold by fold."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from statistics import mean

import numpy as np
import pytest
import toys
from optuna.distributions import IntDistribution

from hpo_optuna.errors import UserError
from hpo_optuna.pruners import PrunerSpec
from hpo_optuna.tasks import LeNet5Task, checkpoint
from hpo_optuna.tasks.splits import stratified_folds
from hpo_optuna.tasks.task import FoldScore

CONFIG = {"C1": 2, "C3": 3, "C5": 8, "F6": 8, "dropout": 0.1}


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> LeNet5Task:
    folder = str(tmp_path_factory.mktemp("digits"))
    return LeNet5Task(data="digits", data_dir=folder, epochs=2, device="cpu", train_size=200, folds=3)


def wilcoxon() -> PrunerSpec:
    return PrunerSpec("wilcoxon", p_threshold=0.1, n_startup_steps=2)


def numbers(scores: list[FoldScore]) -> list[tuple[float, ...]]:
    return [(s.accuracy, s.loss, s.train_loss, s.mean) for s in scores]


@pytest.mark.parametrize(("n", "k"), [(50, 5), (53, 4), (10, 10)])
def test_folds_hold_every_image_once_and_each_class_in_its_share(n: int, k: int) -> None:
    labels = np.sort(np.random.default_rng(n).integers(0, 3, n))
    folds = stratified_folds(labels, k, None, seed=0)
    assert sorted(np.concatenate([held for _, held in folds])) == list(range(n))
    for training, held in folds:
        assert sorted([*training, *held]) == list(range(n))
        assert n // k <= len(held) <= -(-n // k)
        for label in np.unique(labels):
            whole = int((labels == label).sum())
            assert whole // k <= int((labels[held] == label).sum()) <= -(-whole // k)


def test_folds_are_a_function_of_labels_and_seed() -> None:
    labels = np.arange(40) % 4
    first, again, other = (stratified_folds(labels, 4, 12, seed) for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for x, y in zip(first, again, strict=True) for a, b in zip(x, y, strict=True))
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(first, other, strict=True))
    assert {len(training) for training, _ in first} == {12}


def test_more_folds_than_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"folds=9 is more than the 8 training images"):
        stratified_folds(np.zeros(8, dtype=np.int64), 9, None, seed=0)
    with pytest.raises(ValueError, match="folds must be a whole number of at least 2, got 1"):
        LeNet5Task(folds=1)


def test_a_score_is_a_fold_with_the_mean_and_standard_error_so_far(task: LeNet5Task) -> None:
    scores = list(task(CONFIG, seed=0))
    assert len(scores) == task.max_steps == 3
    values = [float(s) for s in scores]
    for i, score in enumerate(scores, start=1):
        assert isinstance(score, FoldScore)
        assert score.final == pytest.approx(mean(values[:i]))
    assert scores[0].standard_error is None
    assert scores[2].standard_error == pytest.approx(np.std(values, ddof=1) / math.sqrt(3))
    assert numbers(list(task(CONFIG, seed=0))) == numbers(scores), "same arguments, same bits"


def test_an_interrupted_cross_validation_trains_no_finished_fold_again(
    task: LeNet5Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = list(dataclasses.replace(task, checkpoints=False)(CONFIG, seed=1))
    monkeypatch.setattr(checkpoint, "EVERY_SECONDS", 0.0)
    folder = Path(str(task.data_dir)) / ".hpo-optuna-cache" / "checkpoints"
    generator = task(CONFIG, seed=1)
    next(generator), next(generator)
    with pytest.raises(KeyboardInterrupt):
        generator.throw(KeyboardInterrupt())
    assert len(list(folder.glob("*.pt"))) == 2

    from torch.optim.optimizer import register_optimizer_step_post_hook

    steps: list[int] = []
    handle = register_optimizer_step_post_hook(lambda *_: steps.append(1))
    try:
        again = list(task(CONFIG, seed=1))
    finally:
        handle.remove()
    assert numbers(again) == numbers(whole)
    assert len(steps) == 2 * 2, "two epochs of two batches: the third fold alone"
    assert not list(folder.glob("*.pt"))


def test_a_closed_cross_validation_leaves_no_checkpoint(task: LeNet5Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "EVERY_SECONDS", 0.0)
    generator = task(CONFIG, seed=2)
    next(generator)
    generator.close()
    assert not list((Path(str(task.data_dir)) / ".hpo-optuna-cache" / "checkpoints").glob("*.pt"))


def test_a_study_reports_folds_and_is_worth_their_mean(task: LeNet5Task, tmp_path: Path) -> None:
    small = dataclasses.replace(task, fixed={"C3": 3, "C5": 8, "F6": 8}, epochs=1)
    plan = toys.plan(
        task=small,
        space={"C1": IntDistribution(2, 4)},
        samplers={"random": toys.SAMPLERS["random"]},
        budget=toys.Budget(trials=2),
        direction="maximize",
        pruner=wilcoxon(),
    )
    url = f"sqlite:///{tmp_path}/hpo.db"
    [study] = toys.run(plan, url)
    for trial in study:
        assert trial.value == pytest.approx(mean(trial.scores))
        assert trial.value == trial.details[-1]["mean"]
        assert trial.details[-1]["standard_error"] > 0
    assert study.epochs == 6
    page, *_ = toys.HyperparameterOptimizer(plan, url).report(tmp_path / "page.html")
    text = page.read_text()
    assert "cross-validated accuracy" in text
    assert "Each fold has a net of its own" in text
    with pytest.raises(UserError, match=r"another task: task\."):
        toys.run(dataclasses.replace(plan, task=dataclasses.replace(small, folds=4)), url)


def test_the_wilcoxon_pruner_stops_a_trial_that_loses_fold_after_fold() -> None:
    @dataclasses.dataclass(frozen=True)
    class Fold:
        value: float
        final: float

        def __float__(self) -> float:
            return self.value

    def folds(config, *, seed):
        # Folds differ by more than configurations do; the first four are as hard as all eight.
        values = [hard + 0.1 * config["n"] * (1 + fold / 1000) for fold, hard in enumerate([0, 1, 1, 0, 0, 1, 1, 0])]
        for i, value in enumerate(values, start=1):
            yield Fold(value, mean(values[:i]))

    plan = toys.plan(
        task=folds,
        space={"n": IntDistribution(0, 9)},
        samplers={"grid": toys.SamplerSpec("grid_search", points={"n": list(range(10))})},
        budget=toys.Budget(trials=10),
        pruner=wilcoxon(),
        audit=1.0,
    )
    from optuna.storages import InMemoryStorage

    optimizer = toys.HyperparameterOptimizer(plan, InMemoryStorage())
    [study] = optimizer.run(progress=False).studies
    assert study.best is not None
    assert study.best.params == {"n": 0}
    assert study.best.value == 0.5
    pruned = [t for t in study if t.state == "PRUNED"]
    assert pruned
    assert {len(t.scores) for t in pruned} == {4}, "one-sided p of four lost folds is 1/16, the first below 0.1"
    for trial in pruned:
        assert trial.audit is not None
        assert trial.audit.final == pytest.approx(0.5 + 0.1 * trial.params["n"], abs=0.01)
