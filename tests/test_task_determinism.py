"""Same configuration, same seed, same bits: whatever else the process does, and in whichever process."""

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hpo_optuna.tasks import LeNet5Task, Score

# Every source of randomness at once.
CONFIG = {"C1": 3, "C3": 5, "F6": 20, "dropout": 0.2, "flip": True, "crop": 2, "schedule": "cosine"}


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> LeNet5Task:
    return LeNet5Task(data="digits", data_dir=str(tmp_path_factory.mktemp("digits")), epochs=2, device="cpu")


def numbers(scores: list[Score]) -> list[list[str]]:
    return [[value.hex() for value in (s.accuracy, s.loss, s.train_loss)] for s in scores]


def test_the_same_seed_gives_the_same_bits(task: LeNet5Task) -> None:
    assert numbers(list(task(CONFIG, seed=3))) == numbers(list(task(CONFIG, seed=3)))


def test_another_seed_gives_other_scores(task: LeNet5Task) -> None:
    assert numbers(list(task(CONFIG, seed=3))) != numbers(list(task(CONFIG, seed=4)))


def test_another_process_with_many_threads_gives_the_same_bits(task: LeNet5Task) -> None:
    code = (
        "import json, sys, torch; torch.set_num_threads(2); torch.manual_seed(99)\n"
        "from hpo_optuna.tasks import LeNet5Task\n"
        f"task = LeNet5Task(data='digits', data_dir={task.data_dir!r}, epochs=2, device='cpu')\n"
        f"scores = list(task({CONFIG!r}, seed=3))\n"
        "print(json.dumps([[v.hex() for v in (s.accuracy, s.loss, s.train_loss)] for s in scores]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == numbers(list(task(CONFIG, seed=3)))


def test_random_numbers_drawn_elsewhere_between_epochs_change_nothing(task: LeNet5Task) -> None:
    scores = []
    for score in task(CONFIG, seed=3):
        scores.append(score)
        torch.manual_seed(len(scores))
        torch.rand(7)
        np.random.seed(len(scores))  # noqa: NPY002 - the global state is what is under test
        random.seed(len(scores))
    assert numbers(scores) == numbers(list(task(CONFIG, seed=3)))


def test_training_draws_from_no_global_generator(task: LeNet5Task) -> None:
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 - the global state is what is under test
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    list(task(CONFIG, seed=3))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002


def test_interleaved_trainings_do_not_disturb_each_other(task: LeNet5Task) -> None:
    first, second = task(CONFIG, seed=3), task(CONFIG, seed=4)
    pairs = list(zip(first, second, strict=True))
    assert numbers([a for a, _ in pairs]) == numbers(list(task(CONFIG, seed=3)))
    assert numbers([b for _, b in pairs]) == numbers(list(task(CONFIG, seed=4)))


def test_training_under_no_grad_and_autocast_of_the_caller_gives_the_same_bits(task: LeNet5Task) -> None:
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        scores = list(task(CONFIG, seed=3))
    assert numbers(scores) == numbers(list(task(CONFIG, seed=3)))


def test_the_caller_keeps_its_threads_between_epochs_and_after_closing(task: LeNet5Task) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        scores = task(CONFIG, seed=3)
        next(scores)
        assert torch.get_num_threads() == 2
        scores.close()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_split_is_stratified_disjoint_and_keyed_by_its_seed(task: LeNet5Task, tmp_path: Path) -> None:
    import dataclasses

    split, (training, validation) = dataclasses.replace(task, validation=200, train_size=500).search_images()
    assert (len(training), len(validation)) == (500, 200)
    assert not set(training) & set(validation)
    shares = [np.bincount(split.labels[part], minlength=10) / len(part) for part in (training, validation)]
    np.testing.assert_allclose(shares[0], shares[1], atol=0.01)
    same = dataclasses.replace(task, validation=200).search_images()[1][1]
    other = dataclasses.replace(task, validation=200, split_seed=1).search_images()[1][1]
    assert np.array_equal(same, validation)
    assert not np.array_equal(other, validation)
