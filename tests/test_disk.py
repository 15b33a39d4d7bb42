"""A disk that fills up, a place that cannot be written, a file that is gone: one clear error, and nothing lost."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
import toys

from hpo_optuna import Budget, UserError
from hpo_optuna.cli import main
from hpo_optuna.matrix import open_studies
from hpo_optuna.storage import open_storage

RANDOM = {"random": toys.SAMPLERS["random"]}
PLAN = """
    import sys
    sys.path.insert(0, {tests!r})
    import toys
    from hpo_optuna import Budget

    PLAN = toys.plan(samplers={{"random": toys.SAMPLERS["random"]}}, budget=Budget(trials=6))
"""


@pytest.fixture
def mounted():
    """Mounts a file system, as root; unmounted after the test."""
    places = []

    def mount(place: Path, *words: str) -> None:
        if os.geteuid() != 0:
            pytest.skip("mounting needs root")
        done = subprocess.run(["mount", *words, str(place)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"this machine mounts nothing here: {done.stderr.strip()}")
        if place not in places:
            places.append(place)

    yield mount
    for place in places:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_ends_the_run_with_one_clear_error_and_the_run_goes_on_when_there_is_space(tmp_path, mounted):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted(disk, "-t", "tmpfs", "-o", "size=2m", "tmpfs")
    ballast = disk / "ballast"
    begun = []

    def task(config, *, seed):
        begun.append(seed)
        for epoch, score in enumerate(toys.bowl(config, seed=seed)):
            if len(begun) == 4 and epoch == 2:
                with ballast.open("wb", buffering=0) as file:
                    while True:
                        try:
                            file.write(bytes(4096))
                        except OSError:
                            break
            yield score

    plan = toys.plan(task=task, samplers=RANDOM, budget=Budget(trials=400), pruner=None)
    with pytest.raises(UserError, match=r"hpo\.db: .*(full|disk I/O).* run the same command again"):
        toys.run(plan, f"sqlite:///{disk}/hpo.db")
    ballast.unlink()
    plan = toys.plan(task=task, samplers=RANDOM, budget=Budget(trials=len(begun) + 2), pruner=None)
    [study] = toys.run(plan, f"sqlite:///{disk}/hpo.db")

    with closing(sqlite3.connect(disk / "hpo.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    [whole] = toys.run(toys.plan(samplers=RANDOM, budget=plan.budget, pruner=None), f"sqlite:///{tmp_path}/whole.db")
    assert toys.results(study) == toys.results(whole)
    assert study.count("RUNNING") == study.count("WAITING") == 0


def test_a_place_that_cannot_be_written_is_refused_with_the_cure(tmp_path, mounted, capsys):
    plan = toys.write_plan(tmp_path, PLAN.format(tests=str(Path(__file__).parent)))
    folder = tmp_path / "folder"
    folder.mkdir()
    url = f"sqlite:///{folder}/hpo.db"
    assert main(["run", str(plan), "--storage", url, "--budget-trials", "2"]) == 0
    capsys.readouterr()
    if os.geteuid() == 0:  # whom no permission binds
        mounted(folder, "--bind", str(folder))
        mounted(folder, "-o", "remount,bind,ro")
    else:
        folder.chmod(0o555)
        (folder / "hpo.db").chmod(0o444)
    for command in ("run", "worker"):
        assert main([command, str(plan), "--storage", url]) == 2
        said = capsys.readouterr().err
        assert f"{folder}/hpo.db" in said
        assert "right to write" in said
        assert said.count("\n") == 1
    for command in ("status", "export"):  # readers write nothing, and need no right to
        assert main([command, str(plan), "--storage", url]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
def test_a_database_that_is_gone_under_way_ends_the_worker_and_nothing_is_written_in_its_place(tmp_path, replaced):
    path = tmp_path / "hpo.db"
    begun = []

    def task(config, *, seed):
        begun.append(seed)
        yield 1.0
        if len(begun) == 3:
            for file in tmp_path.glob("hpo.db*"):
                file.rename(file.with_name(f"moved-{file.name}"))
            if replaced:
                path.touch()
        yield 2.0

    plan = toys.plan(task=task, samplers=RANDOM, budget=Budget(trials=6), pruner=None)
    with pytest.raises(UserError, match=r"hpo\.db was deleted or replaced under way"):
        toys.run(plan, f"sqlite:///{path}")
    assert len(begun) == 3
    assert (path.stat().st_size == 0) if replaced else not path.exists()

    for file in tmp_path.glob("moved-*"):
        file.rename(file.with_name(file.name.removeprefix("moved-")))
    [study] = toys.run(plan, f"sqlite:///{path}")
    assert len(study.finished) == 6
    assert len(begun) == 7, "what was finished is kept; the trial that ran is begun again"


def test_workers_whose_database_is_gone_end_and_the_run_says_why_once(tmp_path):
    path = tmp_path / "hpo.db"

    def task(config, *, seed):
        yield 1.0
        if seed % 4 == 0:
            for file in tmp_path.glob("hpo.db*"):
                file.unlink(missing_ok=True)
        yield 2.0

    plan = toys.plan(task=task, samplers=RANDOM, budget=Budget(trials=1000), pruner=None)
    with pytest.raises(UserError, match=r"hpo\.db was deleted or replaced under way") as gone:
        toys.run(plan, f"sqlite:///{path}", workers=2)
    assert str(gone.value).count("under way") == 1
    assert not path.exists()


def test_a_study_deleted_from_the_dashboard_under_way_ends_the_worker_with_a_clear_error(tmp_path):
    url = f"sqlite:///{tmp_path}/hpo.db"
    begun = []

    def task(config, *, seed):
        begun.append(seed)
        yield 1.0
        if len(begun) == 3:
            database = open_storage(url)
            [opened] = open_studies(plan, database)
            database.delete_study(opened.study._study_id)
        yield 2.0

    plan = toys.plan(task=task, samplers=RANDOM, budget=Budget(trials=6), pruner=None)
    with pytest.raises(UserError, match="a study was deleted under way"):
        toys.run(plan, url)
