"""Pictures of any kind in class folders become 32x32 RGB; a wrong folder gets one message that names it."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hpo_optuna.tasks import LeNet5Task
from hpo_optuna.tasks.data import open_split, prepare
from hpo_optuna.tasks.source import DataError


def save(path: Path, mode: str = "RGB", size: tuple[int, int] = (32, 32), seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Twenty training and four test images a class; the class of an image is its brightness."""
    for split, n in (("train", 20), ("test", 4)):
        for label, name in enumerate(("dark", "light")):
            for i in range(n):
                path = tmp_path / "pictures" / split / name / f"{i:02}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                noise = np.random.default_rng([label, i]).integers(0, 100, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(noise + np.uint8(150 * label)).save(path)
    return tmp_path / "pictures"


def test_a_net_learns_the_pictures_of_a_folder(root: Path) -> None:
    task = LeNet5Task(data="folder", data_dir=str(root), epochs=4, validation=0.25, fixed={"batch_size": 5})
    *_, last = task({}, seed=0)
    assert last.accuracy == 1.0


def test_grey_transparent_palette_and_odd_sized_pictures_become_rgb_of_32_pixels(root: Path) -> None:
    for name, mode, size in (
        ("grey.png", "L", (32, 32)),
        ("bits.png", "1", (32, 32)),
        ("palette.png", "P", (32, 32)),
        ("transparent.png", "RGBA", (32, 32)),
        ("print.jpg", "CMYK", (40, 20)),
        ("wide.bmp", "RGB", (100, 7)),
        ("dot.png", "L", (1, 1)),
    ):
        save(root / "train" / "dark" / name, mode, size)
    (root / "train" / "dark" / "notes.txt").write_text("not a picture: ignored")
    split = open_split("folder", str(root), "train")
    assert split.images.shape == (47, 32, 32, 3)
    assert split.images.dtype == np.uint8
    assert split.classes == ("dark", "light")
    assert np.bincount(split.labels).tolist() == [27, 20]


def test_a_picture_of_32_pixels_keeps_its_values(root: Path) -> None:
    with Image.open(root / "train" / "dark" / "00.png") as image:
        np.testing.assert_array_equal(open_split("folder", str(root), "train").images[0], np.asarray(image))


def test_mean_and_standard_deviation_are_those_of_the_training_images(root: Path) -> None:
    split = open_split("folder", str(root), "train")
    scaled = np.asarray(split.images, dtype=np.float64) / 255
    np.testing.assert_allclose(split.mean, scaled.mean((0, 1, 2)))
    np.testing.assert_allclose(split.std, scaled.std((0, 1, 2)))


def test_a_changed_picture_is_noticed_and_changes_the_fingerprint(root: Path) -> None:
    task = LeNet5Task(data="folder", data_dir=str(root))
    task.prepare()
    before = task.fingerprint
    save(root / "train" / "dark" / "00.png", seed=7)
    task.prepare()
    assert task.fingerprint["content"] != before["content"]
    assert len(list((root / ".hpo-optuna-cache").glob("folder-train-*-images.npy"))) == 1


def test_touched_moved_and_equal_pictures_have_the_same_fingerprint(root: Path, tmp_path: Path) -> None:
    before = LeNet5Task(data="folder", data_dir=str(root)).fingerprint
    shutil.copytree(root, tmp_path / "moved", ignore=shutil.ignore_patterns(".hpo-*"))
    os.utime(tmp_path / "moved" / "train" / "dark" / "00.png", (1, 1))
    assert LeNet5Task(data="folder", data_dir=str(tmp_path / "moved")).fingerprint == before


def error_of(root: Path | None) -> str:
    with pytest.raises(DataError) as caught:
        LeNet5Task(data="folder", data_dir=None if root is None else str(root)).prepare()
    return str(caught.value)


def test_no_data_folder_named_says_how_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HPO_OPTUNA_DATA", raising=False)
    message = error_of(None)
    assert "--data-dir" in message
    assert "HPO_OPTUNA_DATA" in message


def test_a_missing_data_folder_is_named_and_not_made(tmp_path: Path) -> None:
    assert f"'{tmp_path / 'nowhere'}' does not exist" in error_of(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_without_train_is_named(tmp_path: Path) -> None:
    assert f"'{tmp_path}' has no folder 'train'" in error_of(tmp_path)


def test_a_train_folder_without_classes_is_named(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "loose.png").write_bytes(b"")
    assert f"'{tmp_path / 'train'}' needs a folder of images for each" in error_of(tmp_path)


def test_an_empty_class_folder_is_named(root: Path) -> None:
    (root / "train" / "empty").mkdir()
    assert "holds no images" in (message := error_of(root))
    assert "empty" in message


@pytest.mark.parametrize("content", [b"", b"not a picture", None], ids=["empty", "text", "cut short"])
def test_an_unreadable_picture_is_named(root: Path, content: bytes | None) -> None:
    path = root / "train" / "light" / "07.png"
    path.write_bytes(path.read_bytes()[:900] if content is None else content)
    assert f"cannot read the image '{path}'" in error_of(root)


def test_test_classes_that_differ_are_a_warning_for_search_and_an_error_for_finalize(root: Path) -> None:
    shutil.move(root / "test" / "dark", root / "test" / "darkk")
    with pytest.warns(UserWarning, match=r"missing \['dark'\], unknown \['darkk'\]"):
        prepare("folder", str(root))
    with pytest.raises(DataError, match=r"missing \['dark'\], unknown \['darkk'\]"):
        LeNet5Task(data="folder", data_dir=str(root), epochs=1).finalize({}, seed=0, directory=root / "out")
