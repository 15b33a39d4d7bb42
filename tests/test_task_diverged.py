"""A training that cannot be saved is given up with its reason; a slow one is left alone."""

import pickle
from pathlib import Path

import pytest

from hpo_optuna.tasks import Diverged, LeNet5Task


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> LeNet5Task:
    return LeNet5Task(data="digits", data_dir=str(tmp_path_factory.mktemp("digits")), epochs=5, device="cpu")


def test_a_loss_that_is_not_finite_ends_the_training(task: LeNet5Task) -> None:
    config = {"optimizer": "sgd", "learning_rate": 9.9, "activation": "leaky_relu"}
    with pytest.raises(Diverged, match=r"loss became (nan|inf) in epoch \d") as caught:
        list(task(config, seed=0))
    assert caught.value.reason == str(caught.value)


def test_a_net_whose_units_have_died_is_given_up_in_its_third_epoch(task: LeNet5Task) -> None:
    scores = task({"learning_rate": 0.1}, seed=0)
    assert max(next(scores), next(scores), key=float).accuracy < 0.15
    with pytest.raises(Diverged, match=r"still at chance after 3 epochs .* one answer for all images"):
        next(scores)


@pytest.mark.parametrize("slow", [{"learning_rate": 1e-6}, {"learning_rate": 1e-4, "optimizer": "sgd"}], ids=str)
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_a_net_that_is_only_slow_lives(task: LeNet5Task, slow: dict[str, float], activation: str) -> None:
    assert len(list(task({**slow, "activation": activation}, seed=0))) == 5


def test_one_and_two_epochs_are_never_judged(task: LeNet5Task, tmp_path: Path) -> None:
    import dataclasses

    short = dataclasses.replace(task, epochs=2)
    assert len(list(short({"learning_rate": 0.1}, seed=0))) == 2


def test_a_net_that_blew_up_is_above_the_loss_of_an_untrained_one() -> None:
    from hpo_optuna.tasks.training import collapse

    assert "above that of an untrained net, 2.303" in str(collapse(6.2, spread=3.0, classes=10))
    assert collapse(2.305, spread=0.03, classes=10) is None
    assert collapse(1.2, spread=3.0, classes=10) is None


def test_the_reason_survives_pickling() -> None:
    assert pickle.loads(pickle.dumps(Diverged("so it goes"))).reason == "so it goes"
