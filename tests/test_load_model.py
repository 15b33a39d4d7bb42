"""A saved winner is loaded and classifies picture files as the net does the arrays; anything else is refused."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from hpo_optuna import load_model
from hpo_optuna.cli import main
from hpo_optuna.tasks import LeNet5Task, Prediction
from hpo_optuna.tasks.data import open_split
from hpo_optuna.tasks.picture import read_picture


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A LeNet5 trained on digits, and the digits it has never seen."""
    folder = tmp_path_factory.mktemp("digits")
    task = LeNet5Task(data="digits", data_dir=str(folder), epochs=3, device="cpu", fixed={"batch_size": 64})
    final = task.finalize({"C1": 6, "C3": 16, "F6": 32}, seed=0, directory=folder / "models")
    return SimpleNamespace(path=final.path, final=final, test=open_split("digits", str(folder), "test"))


def write_pictures(folder: Path, pixels: np.ndarray, n: int) -> list[Path]:
    paths = [folder / f"{i}.png" for i in range(n)]
    for path, image in zip(paths, pixels, strict=False):
        Image.fromarray(np.asarray(image)).save(path)
    return paths


def test_pictures_on_disk_are_classified_as_the_net_classifies_the_arrays(saved, tmp_path):
    model, n = load_model(saved.path), len(saved.test.labels)
    predictions = model.predict(write_pictures(tmp_path, saved.test.images, n))
    found = np.array([int(p.label) for p in predictions])
    assert np.mean(found == saved.test.labels) == saved.final.accuracy

    mean, std = (torch.tensor(model.card[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    pixels = torch.tensor(np.asarray(saved.test.images[:50])).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        shares = model.net((pixels - mean) / std).softmax(1).numpy()
    said = np.array([list(p.probabilities.values()) for p in predictions[:50]])
    assert said == pytest.approx(shares, abs=0.05), "the model may compute in bfloat16, as in training"
    assert said.sum(1) == pytest.approx(np.ones(50), abs=1e-5)


def test_one_path_gives_one_prediction_and_several_give_as_many(saved, tmp_path):
    model = load_model(str(saved.path))
    paths = write_pictures(tmp_path, saved.test.images, 3)
    one = model.predict(str(paths[0]))
    assert isinstance(one, Prediction)
    assert list(one.probabilities) == list(model.classes) == [str(d) for d in range(10)]
    assert one.label == max(one.probabilities, key=one.probabilities.get)
    several = model.predict(iter(paths))
    assert len(several) == 3
    assert several[0].label == one.label
    assert model.predict([]) == []


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1"])
def test_a_picture_of_another_size_and_mode_is_prepared_as_the_data_were(saved, tmp_path, mode):
    small = np.asarray(saved.test.images[0, ::4, ::4, 0])  # the 8x8 digit that was enlarged
    if mode == "1":
        small = np.where(small > 99, 255, 0).astype(np.uint8)
    picture = Image.fromarray(small).convert(mode).resize((96, 96), Image.Resampling.NEAREST)
    picture.save(tmp_path / "large.png")
    same = np.repeat(np.kron(small, np.ones((4, 4), np.uint8))[..., None], 3, axis=2)
    assert np.array_equal(read_picture(tmp_path / "large.png", load_model(saved.path).card["resize"]), same)


def test_the_card_says_what_the_model_is(saved):
    card = load_model(saved.path).card
    assert card == json.loads(saved.path.with_suffix(".json").read_text())
    assert card["test"]["accuracy"] == saved.final.accuracy
    assert card["test"]["content"] == saved.test.content
    assert (card["config"]["C1"], card["seed"]) == (6, 0)
    assert {"classes", "mean", "std", "fingerprint", "provenance", "training_images"} <= set(card)
    assert len(card["fingerprint"]["content"]) == 64


def test_a_model_is_damaged_if_any_of_it_is_changed(saved, tmp_path):
    whole = saved.path.read_bytes()
    copy = tmp_path / "model.pt"
    for damaged in (b"", b"hello", whole[: len(whole) // 2], *(_flipped(whole, part) for part in range(1, 6))):
        copy.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"model\.pt is damaged"):
            load_model(copy)


def _flipped(whole: bytes, sixth: int) -> bytes:
    changed = bytearray(whole)
    changed[len(whole) * sixth // 6] ^= 0x10
    return bytes(changed)


def test_files_of_others_are_refused_by_name(saved, tmp_path):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "foreign.pt")
    with pytest.raises(ValueError, match=r"foreign\.pt was not saved by this version of `hpo-optuna finalize`"):
        load_model(tmp_path / "foreign.pt")
    with pytest.raises(ValueError, match=r"there is no model .*nowhere\.pt"):
        load_model(tmp_path / "nowhere.pt")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"cannot read the image .*text\.png"):
        load_model(saved.path).predict(tmp_path / "text.png")


def test_the_command_line_predicts_and_explains_what_is_wrong(saved, tmp_path, capsys):
    paths = write_pictures(tmp_path, saved.test.images, 2)
    assert main(["predict", str(saved.path), *map(str, paths)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [str(path) for path in paths]
    assert "%)" in lines[0]
    assert main(["predict", str(saved.path), str(tmp_path / "missing.png")]) == 2
    assert "missing.png" in capsys.readouterr().err
