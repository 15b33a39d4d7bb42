"""Search never needs the test split; finalize opens it once and saves what it measured."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hpo_optuna.tasks import Diverged, LeNet5Task, load_model
from hpo_optuna.tasks.source import DataError
from hpo_optuna.tasks.training import Evaluation

SMALL = {"C1": 4, "C3": 8, "F6": 32}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split, n in (("train", 12), ("test", 4)):
        for label in range(2):
            folder = tmp_path / "pictures" / split / str(label)
            folder.mkdir(parents=True)
            for i in range(n):
                grey = np.random.default_rng([label, i]).integers(0, 99, (32, 32), dtype=np.uint8)
                Image.fromarray(grey + np.uint8(150 * label)).save(folder / f"{i}.png")
    return tmp_path / "pictures"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_search_runs_with_test_images_and_test_cache_deleted(root: Path, when: str, tmp_path: Path) -> None:
    task = LeNet5Task(data="folder", data_dir=str(root), epochs=1, validation=4)
    if when == "before":
        shutil.rmtree(root / "test")
    task.prepare()
    if when == "after":
        shutil.rmtree(root / "test")
        deleted = list((root / ".hpo-optuna-cache").glob("folder-test*"))
        assert len(deleted) == 3
        for path in deleted:
            path.unlink()
    task.prepare()
    assert len(list(task(SMALL, seed=0))) == 1
    assert task.fingerprint["training_images"] == 20
    with pytest.raises(DataError, match="has no folder 'test'"):
        task.finalize(SMALL, seed=0, directory=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_search_opens_no_file_of_the_test_split(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = LeNet5Task(data="folder", data_dir=str(root), epochs=1, validation=4)
    task.prepare()
    opened: list[str] = []
    load = np.load

    def watched(path: Path, **options: object) -> object:
        opened.append(path.name)
        return load(path, **options)

    monkeypatch.setattr(np, "load", watched)
    list(task(SMALL, seed=0))
    task.fingerprint  # noqa: B018 - it is asked for what it opens
    assert opened
    assert not [name for name in opened if "test" in name]


def test_finalize_saves_a_net_that_scores_again_what_its_card_says(tmp_path: Path) -> None:
    task = LeNet5Task(data="digits", data_dir=str(tmp_path), epochs=3, device="cpu")
    final = task.finalize(SMALL, seed=1, directory=tmp_path / "winner")
    assert float(final) == final.accuracy > 0.5
    assert sorted(path.name for path in (tmp_path / "winner").iterdir()) == ["model.json", "model.pt"]

    card = json.loads(final.path.with_suffix(".json").read_text())
    assert card["test"]["accuracy"] == final.accuracy
    assert card["training_images"] == 1442
    assert card["config"] | SMALL == card["config"]
    assert card["fingerprint"] == task.fingerprint

    from hpo_optuna.tasks.data import open_split

    test = open_split("digits", str(tmp_path), "test")
    pixels = torch.tensor(np.asarray(test.images)).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(card[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    with torch.inference_mode():
        answers = load_model(final.path).net((pixels - mean) / std).argmax(1).numpy()
    # The card's number may come from bfloat16.
    assert np.mean(answers == test.labels) == pytest.approx(final.accuracy, abs=0.01)


def test_finalize_with_the_same_seed_saves_the_same_weights(tmp_path: Path) -> None:
    task = LeNet5Task(data="digits", data_dir=str(tmp_path), epochs=1, device="cpu", train_size=300)
    first, second = (
        torch.load(task.finalize(SMALL, seed=1, directory=tmp_path / name).path, weights_only=True)["weights"]
        for name in "ab"
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_model_that_is_there_already_is_neither_trained_nor_tested_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = LeNet5Task(data="digits", data_dir=str(tmp_path), epochs=1, device="cpu", train_size=300)
    first = task.finalize(SMALL, seed=1, directory=tmp_path / "out")
    looks: list[str] = []
    monkeypatch.setattr(
        "hpo_optuna.tasks.final.evaluate", lambda *_: looks.append("test") or Evaluation(0.5, 1.0, 0.0, torch.empty(0))
    )
    assert task.finalize(SMALL, seed=1, directory=tmp_path / "out") == first
    assert looks == []
    assert task.finalize(SMALL, seed=2, directory=tmp_path / "out").accuracy == 0.5
    assert looks == ["test"]


def test_a_finalize_that_diverges_saves_nothing(tmp_path: Path) -> None:
    task = LeNet5Task(data="digits", data_dir=str(tmp_path), epochs=9, fixed={"optimizer": "sgd"})
    with pytest.raises(Diverged):
        task.finalize({"learning_rate": 9.9, "activation": "leaky_relu"}, seed=0, directory=tmp_path / "out")
    assert not (tmp_path / "out").exists()
