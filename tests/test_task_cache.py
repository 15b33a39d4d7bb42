"""A cache that is damaged, cut short, missing or stale is noticed and rebuilt with equal content."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hpo_optuna.tasks import LeNet5Task
from hpo_optuna.tasks.data import Split, open_split, prepare


def cache(root: Path) -> Path:
    return root / ".hpo-optuna-cache"


def the(root: Path, pattern: str) -> Path:
    (path,) = cache(root).glob(pattern)
    return path


def load(root: Path) -> Split:
    return open_split("digits", str(root), "train")


def cut_short(root: Path) -> None:
    path = the(root, "digits-train-*-images.npy")
    path.write_bytes(path.read_bytes()[:-1000])


def emptied(root: Path) -> None:
    the(root, "digits-train-*-labels.npy").write_bytes(b"")


def missing(root: Path) -> None:
    the(root, "digits-train-*-images.npy").unlink()


def manifest_cut_short(root: Path) -> None:
    path = the(root, "digits-train.json")
    path.write_text(path.read_text()[:50])


def manifest_of_something_else(root: Path) -> None:
    the(root, "digits-train.json").write_text('["what", "is", "this"]')


def manifest_missing(root: Path) -> None:
    the(root, "digits-train.json").unlink()


def header_damaged(root: Path) -> None:
    path = the(root, "digits-train-*-images.npy")
    path.write_bytes(b"garbage" + path.read_bytes()[7:])


def grown(root: Path) -> None:
    path = the(root, "digits-train-*-images.npy")
    path.write_bytes(path.read_bytes() + b"more")


SEEN_BY_SIZE = [
    cut_short,
    emptied,
    missing,
    manifest_cut_short,
    manifest_of_something_else,
    manifest_missing,
    header_damaged,
    grown,
]


@pytest.mark.parametrize("damage", SEEN_BY_SIZE, ids=lambda damage: damage.__name__)
def test_opening_a_damaged_cache_rebuilds_it(damage: Callable[[Path], None], tmp_path: Path) -> None:
    good = load(tmp_path)
    images, labels = np.array(good.images), np.array(good.labels)
    damage(tmp_path)
    again = load(tmp_path)
    assert again.content == good.content
    np.testing.assert_array_equal(again.images, images)
    np.testing.assert_array_equal(again.labels, labels)


def test_prepare_notices_a_single_flipped_bit(tmp_path: Path) -> None:
    images = np.array(load(tmp_path).images)
    path = the(tmp_path, "digits-train-*-images.npy")
    damaged = bytearray(path.read_bytes())
    damaged[-5000] ^= 1
    path.write_bytes(damaged)
    assert not np.array_equal(load(tmp_path).images, images)
    prepare("digits", str(tmp_path))
    np.testing.assert_array_equal(load(tmp_path).images, images)


def test_prepare_leaves_a_good_cache_alone_and_sweeps_half_written_files(tmp_path: Path) -> None:
    load(tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in cache(tmp_path).iterdir()}
    half = cache(tmp_path) / "digits-train-0123-images.half"
    half.write_bytes(b"killed while writing")
    prepare("digits", str(tmp_path))
    assert {path.name: path.stat().st_mtime_ns for path in cache(tmp_path).iterdir()} == before


def test_a_process_that_dies_while_writing_leaves_the_old_cache_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(np, "save", die)
        with pytest.raises(KeyboardInterrupt):
            prepare("digits", str(tmp_path))
    assert not list(cache(tmp_path).glob("*.json"))
    assert load(tmp_path).images.shape == (1442, 32, 32, 3)
    assert not list(cache(tmp_path).glob("*.half"))


def test_writing_to_the_mapped_images_changes_no_file(tmp_path: Path) -> None:
    split = load(tmp_path)
    split.images[:] = 0
    assert load(tmp_path).images.any()


def test_an_unwritable_data_folder_is_cached_for_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hpo_optuna.tasks.data as data

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    monkeypatch.setattr(data.os, "access", lambda *_: False)
    root = tmp_path / "shared"
    root.mkdir()
    assert load(root).images.shape == (1442, 32, 32, 3)
    assert not list(root.iterdir())
    assert list((tmp_path / "user" / "hpo-optuna").glob("folder-*/digits-train.json"))


def test_the_data_folder_comes_from_the_argument_then_the_environment_then_the_user_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    monkeypatch.delenv("HPO_OPTUNA_DATA", raising=False)
    LeNet5Task(data="digits").prepare()
    monkeypatch.setenv("HPO_OPTUNA_DATA", str(tmp_path / "environment"))
    LeNet5Task(data="digits").prepare()
    LeNet5Task(data="digits", data_dir=str(tmp_path / "argument")).prepare()
    for root in ("user/hpo-optuna", "environment", "argument"):
        manifest = json.loads((cache(tmp_path / root) / "digits-train.json").read_text())
        assert manifest["images"]["array"] == ["uint8", 1442, 32, 32, 3]
