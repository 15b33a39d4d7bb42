"""What cannot be trained is refused at once, by a message that names the thing and the cure."""

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest

from hpo_optuna.tasks import LeNet5Task

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"C2": 6}, r"no hyperparameter 'C2'.*Known: C1, C3, C5, F6"),
    ({"learning_rat": 0.1}, r"Did you mean 'learning_rate'\?"),
    ({"C1": 0}, r"C1 must be a whole number from 1 to 1024, got 0\."),
    ({"C1": 6.0}, r"C1 must be a whole number from 1 to 1024, got 6\.0\."),
    ({"F6": True}, r"F6 must be a whole number .* got True\."),
    ({"C3": "16"}, r"C3 must be a whole number .* got '16'\."),
    ({"C5": None}, r"C5 must be a whole number .* got None\."),
    ({"K3": 14}, r"K3=14 .* 28x28 after C1 and 14x14 after its pool.* K3 must be at most 13\."),
    ({"K1": 30}, r"K1=30 .* 3x3 after C1 and 1x1 after its pool.* K1 must be at most 29\."),
    ({"K1": 21, "K3": 6}, r"K3=6 leaves no pixels: with K1=21.* K3 must be at most 5\."),
    ({"learning_rate": 0}, r"learning_rate must be a number above 0 and below 10, got 0\."),
    ({"learning_rate": float("nan")}, r"learning_rate must be a number above 0 .* got nan\."),
    ({"learning_rate": "fast"}, r"learning_rate must be a number above 0 .* got 'fast'\."),
    ({"dropout": 1.0}, r"dropout must be a number of at least 0 and below 1, got 1\.0\."),
    ({"weight_decay": -0.1}, r"weight_decay must be a number of at least 0 .* got -0\.1\."),
    ({"label_smoothing": float("inf")}, r"label_smoothing must be a number .* got inf\."),
    ({"batch_size": 0}, r"batch_size must be a whole number from 1 .* got 0\."),
    ({"activation": "relu6"}, r"activation must be one of 'relu', 'tanh'.* got 'relu6'\."),
    ({"optimizer": "lbfgs"}, r"optimizer must be one of 'adam', 'adamw', 'sgd', got 'lbfgs'\."),
    ({"schedule": ["cosine"]}, r"schedule must be one of 'constant'.* got \['cosine'\]\."),
    ({"flip": 1}, r"flip must be True or False, got 1\."),
    ({"crop": 9}, r"crop must be a whole number from 0 to 8, got 9\."),
]


@pytest.mark.parametrize(("config", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_configuration_names_hyperparameter_value_and_cure(config: dict[str, Any], message: str) -> None:
    task = LeNet5Task(data="digits")
    with pytest.raises(ValueError, match=message):
        task.check(config)
    with pytest.raises(ValueError, match=message):
        task(config, seed=0)
    with pytest.raises(ValueError, match=message):
        LeNet5Task(data="digits", fixed=config)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"K1": 29, "K3": 1},
        {"K1": 5, "K3": 13},
        {"C1": np.int64(6), "learning_rate": np.float64(0.1), "flip": np.bool_(True), "dropout": 0},
    ],
    ids=str,
)
def test_configurations_at_the_edges_are_accepted(config: dict[str, Any]) -> None:
    LeNet5Task(data="digits").check(config)


def test_a_configuration_overrides_what_is_fixed_and_a_check_sees_both() -> None:
    task = LeNet5Task(data="digits", fixed={"K1": 21})
    task.check({"K3": 5})
    with pytest.raises(ValueError, match="K3=7 leaves no pixels: with K1=21"):
        task.check({"K3": 7})
    task.check({"K1": 5, "K3": 7})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": "mnist"}, "data must be one of 'cifar10', 'folder', 'digits', got 'mnist'"),
        ({"device": "tpu"}, "device must be one of 'auto', 'cpu', 'cuda', got 'tpu'"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"epochs": 2.0}, "epochs must be a whole number of at least 1, got 2.0"),
        ({"train_size": 0}, "train_size must be a whole number of at least 1, got 0"),
        ({"split_seed": -1}, "split_seed must be a whole number of at least 0, got -1"),
        ({"validation": 1.0}, "validation must be a share between 0 and 1 or .* got 1.0"),
        ({"validation": 0}, "validation must be a share between 0 and 1 or .* got 0"),
        ({"fixed": [("C1", 6)]}, "fixed must map names of hyperparameters to values"),
    ],
    ids=str,
)
def test_a_wrong_argument_names_itself_its_value_and_the_cure(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LeNet5Task(**arguments)


@pytest.mark.parametrize("seed", [-1, 0.5, "1", None, True])
def test_a_wrong_seed_is_refused_before_training(seed: Any) -> None:
    with pytest.raises(ValueError, match="seed must be a whole number of at least 0"):
        LeNet5Task(data="digits")({}, seed=seed)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"validation": 5000}, "validation=5000 of 1,442 training images leaves nothing"),
        ({"train_size": 1400}, "train_size=1400 is more than the 1,298 images left of 1,442 after 144"),
    ],
)
def test_more_images_than_there_are_is_an_error_of_prepare(
    arguments: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        LeNet5Task(data="digits", data_dir=str(tmp_path), **arguments).prepare()


def test_a_task_survives_pickling_and_replacing() -> None:
    task = LeNet5Task(data="digits", epochs=3, fixed={"C5": 60}, data_dir="somewhere")
    assert pickle.loads(pickle.dumps(task)) == task
    assert cloudpickle.loads(cloudpickle.dumps(task)) == task
    assert dataclasses.replace(task, epochs=4).fixed == {"C5": 60}
    assert Path(task.data_dir or "").is_absolute()
    assert task.max_steps == 3
    assert hash(task) == hash(dataclasses.replace(task))


def test_the_fingerprint_holds_content_and_recipe_and_no_path(tmp_path: Path) -> None:
    import json

    here = LeNet5Task(data="digits", data_dir=str(tmp_path / "a"))
    there = LeNet5Task(data="digits", data_dir=str(tmp_path / "b"))
    assert json.loads(json.dumps(here.fingerprint)) == there.fingerprint
    assert str(tmp_path) not in json.dumps(here.fingerprint)
    for other in ({"epochs": 3}, {"fixed": {"C5": 60}}, {"validation": 100}, {"train_size": 99}, {"split_seed": 1}):
        assert dataclasses.replace(here, **other).fingerprint != here.fingerprint


def test_every_choice_of_activation_optimizer_and_schedule_trains(tmp_path: Path) -> None:
    from hpo_optuna.tasks.hyperparameters import HYPERPARAMETERS, Choice

    task = LeNet5Task(data="digits", data_dir=str(tmp_path), epochs=1, train_size=200)
    small = {"C1": 2, "C3": 4, "F6": 16}
    for name, spec in HYPERPARAMETERS.items():
        for value in spec.values if isinstance(spec, Choice) else ():
            (score,) = task({**small, name: value}, seed=0)
            assert 0 <= float(score) <= 1
    # More than all images in one batch, one image in the last batch, one pixel left of each image.
    for odd in ({"batch_size": 4096}, {"batch_size": 199}, {"K1": 29, "K3": 1}, {"label_smoothing": 0.1, "crop": 8}):
        (score,) = task({**small, **odd}, seed=0)
        assert float(score) == score.accuracy


def test_wider_nets_read_digits_better(tmp_path: Path) -> None:
    task = LeNet5Task(data="digits", data_dir=str(tmp_path), epochs=8, validation=0.2)
    *_, narrow = task({"C1": 2, "C3": 4, "F6": 16}, seed=0)
    *_, wide = task({"C1": 16, "C3": 32, "F6": 128}, seed=0)
    assert 0.6 < narrow.accuracy < wide.accuracy
    assert wide.accuracy > 0.93
