"""Workers on a Ray cluster: a node or worker that dies loses nothing, Ctrl-C ends them all, bad input is refused."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import toys
from postgres_server import SECRET, server  # noqa: F401 -- a fixture
from ray_cluster import cluster  # noqa: F401 -- a fixture

from hpo_optuna import Budget, HyperparameterOptimizer, UserError
from hpo_optuna.cli import main
from hpo_optuna.ray_crew import parse_resources

pytest.importorskip("psycopg", reason="the extra [postgres] is not installed")

TRIALS = 16
LABELS = ("grid", "random")
SAMPLERS = {label: toys.SAMPLERS[label] for label in LABELS}
PLAN = f"""
    import os, signal, sys, threading
    from pathlib import Path
    sys.path.insert(0, {str(Path(__file__).parent)!r})
    import toys
    from hpo_optuna import Budget

    HERE = Path("@FOLDER@")
    begun = 0

    def once(name):
        try:
            (HERE / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def wait_for(name):
        while not (HERE / name).exists():
            threading.Event().wait(0.05)

    def hang():
        once("hangs")
        with open(HERE / "fifo", "w") as said:
            said.write("hangs")
        wait_for("the end of days")

    def die():
        wait_for("hangs")
        if once("dies"):
            os.kill(os.getpid(), signal.SIGKILL)

    def task(config, *, seed):
        global begun
        begun += 1
        for epoch, score in enumerate(toys.bowl(config, seed=seed)):
            if begun == 2 and epoch == 3:
                @TROUBLE@
            yield score

    PLAN = toys.plan(task=task, samplers={{k: toys.SAMPLERS[k] for k in {LABELS}}}, budget=Budget(trials={TRIALS}))
"""


def write_plan(folder: Path, trouble: str) -> Path:
    """A plan whose trouble comes in the middle of every process's second trial."""
    os.mkfifo(folder / "fifo")
    return toys.write_plan(folder, PLAN.replace("@FOLDER@", str(folder)).replace("@TROUBLE@", trouble))


@contextmanager
def until_a_trial_hangs(order: list[str], env: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A run of ``order``, from the moment when one of its trials hangs."""
    pipe, end = subprocess.PIPE, subprocess.STDOUT
    with subprocess.Popen(order, env=env, cwd=folder, stdout=pipe, stderr=end, text=True) as run:
        fifo = os.open(folder / "fifo", os.O_RDONLY | os.O_NONBLOCK)
        try:
            ready, _, _ = select.select([fifo, run.stdout], [], [], 120)
            while run.stdout in ready and (line := run.stdout.readline()):
                sys.stdout.write(line)
                ready, _, _ = select.select([fifo, run.stdout], [], [], 120)
            assert fifo in ready, "no worker came to the middle of its second trial"
            yield run
        finally:
            os.close(fifo)
            run.kill()


def whole_and_once(url: str) -> list:
    """Budgets are hit exactly, numbers are contiguous, nothing is left over; the trials that were cut off."""
    studies = HyperparameterOptimizer(toys.plan(samplers=SAMPLERS, budget=Budget(trials=TRIALS)), url).status().studies
    for study in studies:
        assert [t.number for t in study] == list(range(len(study.trials)))
        assert sorted(t.index for t in study.finished) == list(range(TRIALS))
        assert study.count("RUNNING") == study.count("WAITING") == study.count("FAIL") == 0
        if study.label == "grid":
            assert len({tuple(t.params.items()) for t in study.finished}) == TRIALS
    assert len(studies) == len(LABELS)
    return [t for study in studies for t in study if t.superseded]


def test_a_node_and_a_worker_that_die_in_the_middle_of_their_trials_lose_nothing(
    cluster,  # noqa: F811
    server,  # noqa: F811
    tmp_path,
):
    plan = write_plan(tmp_path, 'hang() if os.environ["NODE"] == "other" else die()')
    url = server.create("ray")
    order = toys.command("run", plan, "--storage", url, "--ray", cluster.address, "--workers", "2")
    with until_a_trial_hangs(order, cluster.env, tmp_path) as run:
        cluster.kill(cluster.other)
        said = run.stdout.read()
    assert run.returncode == 0, said
    assert SECRET not in said
    assert f"{TRIALS} trials" in said, "progress is shown"
    assert (tmp_path / "dies").exists()
    cut_off = whole_and_once(url)
    assert len(cut_off) == 2, "one trial of the node, one of the worker"
    assert all(len(t.scores) == 3 for t in cut_off)


def test_ctrl_c_ends_the_workers_and_queues_their_trials_again(cluster, server, tmp_path):  # noqa: F811
    plan = write_plan(tmp_path, 'if once("first"): hang()')
    url = server.create("interrupted")
    order = toys.command("run", plan, "--storage", url, "--ray", cluster.address)
    with until_a_trial_hangs(order, cluster.env, tmp_path) as run:
        run.send_signal(signal.SIGINT)
        said = run.stdout.read()
    assert run.returncode == 130, said
    assert "the same command resumes it" in said
    assert "Traceback" not in said
    studies = HyperparameterOptimizer(toys.plan(samplers=SAMPLERS, budget=Budget(trials=TRIALS)), url).status().studies
    assert sum(s.count("RUNNING") for s in studies) == 0
    assert sum(s.count("WAITING") for s in studies) == 1
    [cut_off] = [t for s in studies for t in s if t.superseded]
    assert "interrupted" in cut_off.ended, "its worker queued it, not a survivor"

    assert main(["run", str(plan), "--storage", url]) == 0, "it is resumed anywhere, also without Ray"
    assert len(whole_and_once(url)) == 1


def test_bad_input_is_refused_before_anything_starts(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    away = ["--storage", "postgresql+psycopg://hpo:hidden@127.0.0.1:1/hpo"]
    for words, cure in (
        (["--ray", "auto"], "name a server, --storage postgresql"),
        (["--ray", "127.0.0.1:1", *away], "is its head running"),
        (["--ray", "ray://host:10001", *away], "on a node of the cluster, with --ray auto"),
        (["--ray", "host", *away], "neither auto nor HOST:PORT"),
        (["--ray", "auto", "--ray-resources", "CPU", *away], "use for example CPU=2,GPU=1"),
        (["--ray", "auto", "--ray-resources", "CPU=-1", *away], "must be a positive number"),
        (["--ray-resources", "CPU=1", *away], "as in --ray auto"),
        (["--ray", "auto", "--workers", "0", *away], "at least 1"),
    ):
        assert main(["run", "sphere", *words]) == 2, words
        said = capsys.readouterr().err
        assert cure in said
        assert said.count("\n") == 1
        assert "hidden" not in said
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["run", "sphere", "--ray", "auto", *away]) == 2
    assert "pip install 'hpo-optuna[ray]'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_open_storage_cannot_leave_this_process():
    import optuna

    optimizer = HyperparameterOptimizer(toys.plan(), optuna.storages.InMemoryStorage())
    with pytest.raises(UserError, match="need a database URL"):
        optimizer.run(ray="auto")


def test_resources_are_ray_s_names_and_numbers():
    assert parse_resources("CPU=2, GPU=0.5,tape=1") == {"CPU": 2.0, "GPU": 0.5, "tape": 1.0}
