"""Wrong files, folders and surroundings: exit code 2, one message with the thing and the cure, and nothing changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from PIL import Image
from test_bad_input import NEEDS, contents, folder, hints, refused, write

from hpo_optuna.cli import main

__all__ = ["folder", "refused"]  # fixtures

COMMANDS = ["run", "status", "report", "export", "enqueue", "finalize", "dashboard"]


def alter(*statements: str) -> None:
    """x.db, with studies of this version of Optuna, changed by hand."""
    optuna.create_study(storage="sqlite:///x.db", study_name="theirs")
    with closing(sqlite3.connect("x.db")) as database, database:
        for statement in statements:
            database.execute(statement)


def of_a_newer_optuna() -> None:
    alter(
        "UPDATE alembic_version SET version_num = 'v99.0.0.a'",
        "UPDATE version_info SET schema_version = 99, library_version = '99.0.0'",
    )


def of_an_older_optuna() -> None:
    alter(
        "UPDATE alembic_version SET version_num = 'v2.6.0.a'",
        "UPDATE version_info SET library_version = '2.6.0'",
    )


def cut_short() -> None:
    alter()
    whole = Path("x.db").read_bytes()
    Path("x.db").write_bytes(whole[: len(whole) // 2])


DATABASES: dict[str, tuple[Callable[[], None], list[str]]] = {
    "of a newer Optuna": (of_a_newer_optuna, ["x.db", "another version of Optuna", "99.0.0", "pip install -U optuna"]),
    "of an older Optuna": (
        of_an_older_optuna,
        ["x.db", "another version of Optuna", "2.6.0", "optuna storage upgrade"],
    ),
    "cut short": (cut_short, ["x.db", "malformed"]),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("make", "words"), DATABASES.values(), ids=DATABASES)
def test_a_database_of_another_version_or_a_damaged_one_is_refused(refused, command, make, words):
    make()
    hints(refused(command, "plan.py", *NEEDS.get(command, []), "--storage", "sqlite:///x.db"), *words)


def test_a_database_of_optuna_4_is_used_since_its_tables_are_those_of_optuna_5(folder):
    alter("UPDATE version_info SET library_version = '4.5.0'")
    assert main(["run", "plan.py", "--storage", "sqlite:///x.db"]) == 0
    assert main(["status", "plan.py", "--storage", "sqlite:///x.db"]) == 0
    assert {"theirs", "toy/random/seed-0"} == set(optuna.get_all_study_names("sqlite:///x.db"))


def pictures(**files: bytes | None) -> None:
    """A data folder `pictures` with two classes of one good picture each, and `files` in the first class."""
    for name in ("cat", "dog"):
        place = Path("pictures/train") / name
        place.mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(place / "good.png")
    for name, content in files.items():
        path = Path("pictures/train/cat") / name.replace("_", ".")
        path.mkdir() if content is None else path.write_bytes(content)


def one_class() -> None:
    pictures()
    (Path("pictures/train/dog") / "good.png").unlink()
    Path("pictures/train/dog").rmdir()


def no_pictures() -> None:
    pictures()
    (Path("pictures/train/dog") / "good.png").rename("pictures/train/dog/notes.txt")


def a_file_for_train() -> None:
    Path("pictures").mkdir()
    Path("pictures/train").write_text("no folder")


FOLDERS: dict[str, tuple[Callable[[], None], list[str]]] = {
    "text for a picture": (lambda: pictures(bad_jpg=b"no picture"), ["bad.jpg"]),
    "an empty picture": (lambda: pictures(bad_png=b""), ["bad.png"]),
    "half a picture": (lambda: pictures(bad_png=b"\x89PNG\r\n\x1a\n\x00\x00"), ["bad.png"]),
    "one class": (one_class, ["two or more classes", "['cat']"]),
    "a class without pictures": (no_pictures, ["holds no images", "dog", "remove it or fill it"]),
    "a file for a folder": (a_file_for_train, ["train", "pictures"]),
}


@pytest.mark.parametrize("command", ["run", "worker", "enqueue"])
@pytest.mark.parametrize(("make", "words"), FOLDERS.values(), ids=FOLDERS)
def test_a_wrong_folder_of_pictures_is_refused_before_there_is_a_database(capsys, folder, command, make, words):
    make()
    before = contents()
    needs = ["--set", "C1=8", "--set", "C3=16", "--set", "F6=84"] if command == "enqueue" else []
    assert main([command, "lenet5_digits", "--data", "folder", "--data-dir", "pictures", *needs]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    hints(said, "hpo-optuna: ", *words)
    after = {name: content for name, content in contents().items() if ".hpo-optuna-cache" not in name}
    assert after == before


ENVIRONMENTS = {
    "no such folder": ({"HPO_OPTUNA_DATA": "missing"}, "folder", ["missing", "does not exist", "train/<class name>"]),
    "a file for data": ({"HPO_OPTUNA_DATA": "plan.py"}, "folder", ["plan.py"]),
    "a file for the cache of digits": ({"HPO_OPTUNA_DATA": "plan.py"}, "digits", ["plan.py", "folder"]),
    "a file for the user's cache": ({"XDG_CACHE_HOME": "plan.py"}, "digits", ["plan.py", "name another"]),
}


@pytest.mark.parametrize(("environment", "data", "words"), ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_a_wrong_environment_is_refused(refused, monkeypatch, environment, data, words):
    for name, value in environment.items():
        monkeypatch.setenv(name, str(Path(value).resolve()))
    hints(refused("run", "lenet5_digits", "--data", data), *words)


FLAGS = {
    "pruner unknown": (["run", "plan.py", "--pruner", "medain"], ["'medain'", "did you mean median?"]),
    "pruner without its option": (["run", "plan.py", "--pruner", "percentile"], ["'percentile'"]),
    "audit below": (["run", "plan.py", "--audit", "-0.5"], ["audit", "between 0 and 1", "-0.5"]),
    "audit beyond": (["run", "plan.py", "--audit", "2"], ["audit", "between 0 and 1", "2"]),
    "audit no number": (["run", "plan.py", "--audit", "nan"], ["audit", "between 0 and 1", "nan"]),
    "no model": (["predict", "missing.pt", "a.png"], ["missing.pt", "hpo-optuna finalize"]),
    "text for a model": (["predict", "plan.py", "a.png"], ["plan.py", "damaged", "finalize"]),
    "a folder for a model": (["predict", ".", "a.png"], ["no model", "finalize"]),
    "nothing to report": (["report"], ["name the plans", "--studies"]),
}


@pytest.mark.parametrize(("argv", "words"), FLAGS.values(), ids=FLAGS)
def test_a_wrong_flag_or_file_is_refused(refused, argv, words):
    hints(refused(*argv), *words)


def test_studies_that_are_not_there_are_refused_with_those_that_are(refused):
    optuna.create_study(storage="sqlite:///hpo.db", study_name="theirs")
    hints(refused("report", "--studies", "mine"), "'mine'", "theirs")
    hints(refused("report", "plan.py", "--studies", "theirs"), "--studies")


@pytest.mark.parametrize("seeds", ["0", "-1"])
def test_no_seeds_to_finalize_by_are_refused(refused, seeds):
    write("""
class Task:
    def __call__(self, config, *, seed):
        yield config["x"] ** 2

    def finalize(self, config, *, seed, directory):
        raise AssertionError("the test set was opened")

PLAN = ComparisonPlan(**{**FIELDS, "task": Task()})
""")
    assert main(["run", "plan.py"]) == 0
    hints(refused("finalize", "plan.py", "--seeds", seeds), "seeds", "at least 1", seeds)
