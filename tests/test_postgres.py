"""PostgreSQL, the storage of more than one machine: exact under a crowd, after kills, and over a server's restart."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
import toys
from postgres_server import SECRET, server  # noqa: F401 -- a fixture

from hpo_optuna import Budget, HyperparameterOptimizer, UserError, patience
from hpo_optuna.cli import main

psycopg = pytest.importorskip("psycopg", reason="the extra [postgres] is not installed")

GRID = {"grid": toys.SAMPLERS["grid"]}
TWO = {label: toys.SAMPLERS[label] for label in ("grid", "random")}
PLAN = f"""
    import sys
    sys.path.insert(0, {str(Path(__file__).parent)!r})
    import toys
    from hpo_optuna import Budget

    PLAN = toys.plan(samplers={{k: toys.SAMPLERS[k] for k in ("grid", "random")}}, budget=Budget(trials=16))
"""


def whole_and_once(studies, trials: int) -> None:
    """Every budget is hit exactly, numbers are contiguous, and nothing is left over."""
    for study in studies:
        assert [t.number for t in study] == list(range(len(study.trials)))
        assert len(study.finished) == trials
        assert sorted(t.index for t in study.finished) == list(range(trials))
        assert study.count("RUNNING") == study.count("WAITING") == study.count("FAIL") == 0
        if study.label == "grid":
            assert len({tuple(t.params.items()) for t in study.finished}) == trials


def first_trial(run: subprocess.Popen[str]) -> str:
    """What a run says until its first trial has finished: what comes next, comes in the middle of others."""
    said = ""
    for line in run.stdout:
        said += line
        if " trials, " in line:
            return said
    raise AssertionError(said)


def deaths(url: str) -> int:
    """How often a worker was taken for dead."""
    query = "SELECT count(*) FROM trial_system_attributes WHERE key = 'deaths'"
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return connection.execute(query).fetchone()[0]


def test_a_comparison_is_on_a_server_what_it_is_in_a_file(server, tmp_path):  # noqa: F811
    plan = toys.plan(budget=Budget(trials=3))
    in_a_file = toys.run(plan, f"sqlite:///{tmp_path}/hpo.db")
    on_a_server = toys.run(plan, server.create("same"))
    assert {s.name: toys.results(s) for s in on_a_server} == {s.name: toys.results(s) for s in in_a_file}


def test_workers_killed_at_random_and_resumed_lose_and_double_nothing(server, tmp_path):  # noqa: F811
    url = server.create("killed")
    plan = toys.write_plan(tmp_path, PLAN)
    order = toys.command("run", plan, "--storage", url, "--workers", "2")
    for kill in (signal.SIGKILL, signal.SIGTERM):
        with subprocess.Popen(order, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
            first_trial(run)
            family = [*psutil.Process(run.pid).children(), psutil.Process(run.pid)]
            for process in family:
                process.send_signal(kill)
            run.stdout.read()
            psutil.wait_procs(family)
    done = subprocess.run(order, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    whole_and_once(HyperparameterOptimizer(toys.plan(samplers=TWO, budget=Budget(trials=16)), url).status().studies, 16)


def test_a_server_that_crashes_and_comes_back_in_the_middle_of_a_study_costs_nothing(server, capfd):  # noqa: F811
    crashes = iter([("immediate", 5), ("fast", 9)])
    mode, at = next(crashes)
    trials_begun = []

    def task(config, *, seed):
        nonlocal mode, at
        trials_begun.append(seed)
        for epoch, score in enumerate(toys.bowl(config, seed=seed)):
            if len(trials_begun) == at and epoch == 2:
                server.stop(mode)
                threading.Timer(0.5, server.start).start()
                mode, at = next(crashes, ("", -1))
            yield score

    plan = toys.plan(task=task, samplers=GRID, budget=Budget(trials=12), pruner=None)
    [study] = toys.run(plan, server.create("restarted"))

    whole_and_once([study], 12)
    assert len(trials_begun) == len(study.trials) == 12, "not even the trial that ran was lost"
    said = capfd.readouterr().err
    assert said.count("does not answer") == said.count("answers again after") == 2
    assert SECRET not in said


def test_workers_wait_for_a_server_that_restarts_and_hit_the_budget_exactly(server, tmp_path):  # noqa: F811
    url = server.create("crowd")
    plan = toys.write_plan(tmp_path, PLAN)
    order = toys.command("run", plan, "--storage", url, "--workers", "3", "--budget-trials", "40")
    with subprocess.Popen(order, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        first = first_trial(run)
        server.stop("immediate")
        server.start()
        said = first + run.stdout.read()
    assert run.returncode == 0, said
    studies = HyperparameterOptimizer(toys.plan(samplers=TWO, budget=Budget(trials=40)), url).status().studies
    whole_and_once(studies, 40)
    assert deaths(url) == 0, "no worker was taken for dead"


def test_a_server_that_does_not_come_back_ends_the_run_with_one_clear_error(
    server,  # noqa: F811
    monkeypatch,
):
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.3)
    url = server.create("gone")
    begun = []

    def task(config, *, seed):
        begun.append(seed)
        if len(begun) == 3:
            server.stop()
        yield 1.0

    plan = toys.plan(task=task, samplers=GRID, budget=Budget(trials=6))
    try:
        with pytest.raises(UserError, match=r"has not answered for .* The same command goes on") as lost:
            toys.run(plan, url)
    finally:
        server.start()
    assert SECRET not in str(lost.value)

    [study] = toys.run(plan, url)
    whole_and_once([study], 6)
    assert len(begun) == 7, "the trial that ran was begun again"


def test_ctrl_c_ends_the_wait_for_a_server(server, tmp_path):  # noqa: F811
    url = server.create("interrupted")
    plan = toys.write_plan(tmp_path, PLAN)
    order = toys.command("run", plan, "--storage", url, "--budget-trials", "2000")  # more than it gets done meanwhile
    with subprocess.Popen(order, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        first_trial(run)
        server.stop()
        try:
            assert any("does not answer" in line for line in run.stdout)
            run.send_signal(signal.SIGINT)
            rest = run.stdout.read()
        finally:
            run.kill()
            server.start()
    assert run.returncode == 130, rest
    assert "Traceback" not in rest


def test_a_password_is_neither_shown_nor_kept(server, tmp_path, capfd, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    url = server.create("secret")
    failing = f"{PLAN}\n    PLAN = toys.plan(task=lambda config, *, seed: (_ for _ in [1 / 0]))"
    plan, broken = toys.write_plan(tmp_path, PLAN), tmp_path / "broken.py"
    broken.write_text(toys.textwrap.dedent(failing).replace("toys.plan(task", "toys.plan(name='broken', task"))
    assert main(["run", str(plan), "--storage", url, "--workers", "2", "--budget-trials", "3"]) == 0
    assert main(["run", str(broken), "--storage", url]) == 3
    for command in ("status", "report", "export"):
        assert main([command, str(plan), "--storage", url, "--budget-trials", "3"]) == 0
    assert main(["plan", str(plan), "--storage", url]) == 2, "one replicate is no pilot"
    wrong = server.url("no-such-database")
    for command in ("run", "status", "dashboard"):
        assert main([command, str(plan), "--storage", wrong]) == 2
    assert main(["status", str(plan), "--storage", server.url(password="wr0ng-p@ss")]) == 2
    assert main(["status", str(plan), "--storage", f"postgresql+psycopg://hpo:{SECRET}@h:port/x"]) == 2

    said = capfd.readouterr()
    assert "%40 for @" in said.err
    assert "Are user and password right?" in said.err
    assert "no-such-database" in said.err
    tables = subprocess.run(
        [sys.executable, "-c", DUMP, url], capture_output=True, text=True, check=True, env={"PYTHONWARNINGS": "ignore"}
    ).stdout
    pages = "".join(path.read_text() for name in ("report.html", "report.json", "trials.csv") for path in [Path(name)])
    assert "toy/random/seed-0" in tables
    for text in (said.out, said.err, tables, pages):
        assert "s3cr3t" not in text
        assert "wr0ng" not in text


DUMP = """
import sys, sqlalchemy
with sqlalchemy.create_engine(sys.argv[1]).connect() as connection:
    for table in sqlalchemy.inspect(connection).get_table_names():
        print(table, connection.exec_driver_sql(f'SELECT * FROM "{table}"').all())
"""


def test_a_missing_server_is_one_clear_error(server, tmp_path, capsys):  # noqa: F811
    plan = toys.write_plan(tmp_path, PLAN)
    nowhere = f"postgresql+psycopg://hpo:{'hidden'}@127.0.0.1:1/hpo"
    for command in ("run", "worker", "status", "dashboard"):
        assert main([command, str(plan), "--storage", nowhere]) == 2
        said = capsys.readouterr().err
        assert "Is the server running" in said
        assert said.count("\n") == 1
        assert "hidden" not in said


def test_a_missing_driver_is_named_with_the_extra_that_has_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)  # an import of it fails
    plan = toys.write_plan(tmp_path, PLAN)
    assert main(["run", str(plan), "--storage", "postgresql+psycopg://host/hpo"]) == 2
    assert "install it by `pip install hpo-optuna[postgres]`" in capsys.readouterr().err
