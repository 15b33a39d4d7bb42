"""Whatever a user gets wrong: exit code 2, one message with the thing, its value and the cure, and nothing changed."""

from __future__ import annotations

import socket
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import optuna
import pytest
import toys

from hpo_optuna import Budget, ComparisonPlan, HyperparameterOptimizer, SamplerSpec, UserError
from hpo_optuna.cli import main

PLAN = """
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from hpo_optuna import Budget, ComparisonPlan, PrunerSpec, SamplerSpec

def task(config, *, seed):
    yield config["x"] ** 2

FIELDS = {
    "name": "toy",
    "task": task,
    "space": {"x": FloatDistribution(-1, 1)},
    "samplers": {"random": SamplerSpec("random_search")},
    "budget": Budget(trials=2),
    "direction": "minimize",
}
"""
LINE = f"line {PLAN.count(chr(10)) + 1}"  # the first one after it
GOOD = "PLAN = ComparisonPlan(**FIELDS)"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder of its own as working directory, with a good plan in plan.py."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # a plan's folder joins it
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delenv("HPO_OPTUNA_DATA", raising=False)
    write(GOOD)
    return tmp_path


def write(body: str, name: str = "plan.py") -> None:
    Path(name).write_text(PLAN + body + "\n")


def contents() -> dict[str, object]:
    """Everything below the working directory; of databases, what they hold."""
    paths = [p for p in sorted(Path().rglob("*")) if not p.name.endswith(("-wal", "-shm"))]  # SQLite's, for a while
    return {str(p): rows(p) if p.suffix == ".db" else p.read_bytes() if p.is_file() else None for p in paths}


def rows(path: Path) -> object:
    try:
        with closing(sqlite3.connect(path)) as database:
            return list(database.iterdump())
    except sqlite3.DatabaseError:
        return path.read_bytes()


@pytest.fixture
def refused(capsys):
    """Run a command line that must be refused; the message."""

    def run(*argv: object) -> str:
        before = contents()
        capsys.readouterr()
        code = main([str(word) for word in argv])
        said = capsys.readouterr()
        assert code == 2, said
        assert said.err.startswith("hpo-optuna: ")
        assert "Traceback" not in said.err
        assert contents() == before
        message = said.err.removeprefix("hpo-optuna: ").removesuffix("\n")
        assert "\n" not in message
        return message

    return run


def hints(message: str, *words: str) -> None:
    """The message has all of ``words``."""
    missing = [word for word in words if word not in message]
    assert not missing, f"{missing} missing in: {message}"


# What a plan may have wrong: the field, what stands there, and what the message must say.
FIELDS = {
    "name empty": ("name", "''", ["plan name", "letters", "''"]),
    "name with slash": ("name", "'a/b'", ["plan name", "'a/b'"]),
    "name of another type": ("name", "None", ["plan name", "None"]),
    "no task": ("task", "None", ["task", "generator", "None"]),
    "task no function": ("task", "'lenet5'", ["task", "generator", "'lenet5'"]),
    "space empty": ("space", "{}", ["space", "{}"]),
    "space no mapping": ("space", "[FloatDistribution(0, 1)]", ["space", "map", "[FloatDistribution"]),
    "space of tuples": ("space", "{'x': (0, 1)}", ["space['x']", "IntDistribution(2, 32)", "(0, 1)"]),
    "space without a name": ("space", "{'': FloatDistribution(0, 1)}", ["hyperparameter", "non-empty", "''"]),
    "space named by a number": ("space", "{1: FloatDistribution(0, 1)}", ["hyperparameter", "string", "1"]),
    "bounds swapped": ("space", "{'x': FloatDistribution(1, 0)}", ["low=1", "high=0", "in line"]),
    "log from zero": ("space", "{'x': IntDistribution(0, 8, log=True)}", ["low >= 1", "low=0"]),
    "bound infinite": ("space", "{'x': FloatDistribution(0, float('inf'))}", ["space['x']", "finite", "inf"]),
    "bound not a number": ("space", "{'x': FloatDistribution(float('nan'), 1)}", ["space['x']", "finite", "nan"]),
    "no choices": ("space", "{'x': CategoricalDistribution(())}", ["choices"]),
    "no samplers": ("samplers", "{}", ["at least one sampler", "SamplerSpec('random_search')", "{}"]),
    "samplers none": ("samplers", "None", ["at least one sampler", "None"]),
    "samplers a list": ("samplers", "['pso']", ["samplers={'random'", "['pso']"]),
    "sampler a string": ("samplers", "{'a': 'pso'}", ["samplers['a']", "SamplerSpec", "'pso'"]),
    "sampler without a name": ("samplers", "{'a': SamplerSpec('')}", ["sampler", "non-empty", "''"]),
    "label with a slash": ("samplers", "{'a/b': SamplerSpec('pso')}", ["sampler label", "letters", "'a/b'"]),
    "label with a space": ("samplers", "{'a b': SamplerSpec('pso')}", ["sampler label", "'a b'"]),
    "label a number": ("samplers", "{1: SamplerSpec('pso')}", ["sampler label", "1"]),
    "sampler unknown": (
        "samplers",
        "{'a': SamplerSpec('tpee')}",
        ["'tpee'", "did you mean tpe?", "grid_search, random_search, pso"],
    ),
    "sampler's module missing": ("samplers", "{'a': SamplerSpec('no_such:Best')}", ["no_such:Best", "No module"]),
    "sampler's class missing": ("samplers", "{'a': SamplerSpec('math:Best')}", ["math:Best", "'Best'"]),
    "sampler's module empty": ("samplers", "{'a': SamplerSpec(':Best')}", ["':Best'"]),
    "sampler's module relative": ("samplers", "{'a': SamplerSpec('..mine:Best')}", ["'..mine:Best'"]),
    "sampler is none": ("samplers", "{'a': SamplerSpec('builtins:dict')}", ["builtins:dict", "no Optuna sampler"]),
    "sampler seeded": ("samplers", "{'a': SamplerSpec('pso', seed=3)}", ["'pso'", "seed=3", "leave"]),
    "sampler's space": ("samplers", "{'a': SamplerSpec('pso', space={})}", ["'pso'", "space={}", "leave"]),
    "random's option": ("samplers", "{'a': SamplerSpec('random_search', points=3)}", ["random_search", "'points'"]),
    "pso's option": ("samplers", "{'a': SamplerSpec('pso', wind=3)}", ["'pso'", "'wind'"]),
    "pso too small": ("samplers", "{'a': SamplerSpec('pso', n_particles=1)}", ["n_particles", "at least 2", "got 1"]),
    "pso of words": ("samplers", "{'a': SamplerSpec('pso', n_particles='x')}", ["'pso'", "n_particles", "'x'"]),
    "pso's screen": ("samplers", "{'a': SamplerSpec('pso', screen='x')}", ["screen", "'x'"]),
    "tpe's option": ("samplers", "{'a': SamplerSpec('tpe', wind=3)}", ["'tpe'", "'wind'"]),
    "tpe of words": ("samplers", "{'a': SamplerSpec('tpe', n_startup_trials='x')}", ["n_startup_trials", "'x'"]),
    "tpe's truth": ("samplers", "{'a': SamplerSpec('tpe', constant_liar=1)}", ["constant_liar", "True or False", "1"]),
    "gp's start": ("samplers", "{'a': SamplerSpec('gp', n_startup_trials=-1)}", ["'gp'", "n_startup_trials", "-1"]),
    "cmaes too small": ("samplers", "{'a': SamplerSpec('cmaes', popsize=3)}", ["popsize", "at least 4", "got 3"]),
    "cmaes at odds": (
        "samplers",
        "{'a': SamplerSpec('cmaes', lr_adapt=True, with_margin=True)}",
        ["'cmaes'", "lr_adapt", "with_margin"],
    ),
    "nsga2 of one": ("samplers", "{'a': SamplerSpec('nsga2', population_size=1)}", ["population_size", "2", "got 1"]),
    "nsga2's odds": ("samplers", "{'a': SamplerSpec('nsga2', mutation_prob=2)}", ["mutation_prob", "0 and 1", "2"]),
    "spsa's step": ("samplers", "{'a': SamplerSpec('spsa', step=2)}", ["'spsa'", "step", "0.5", "got 2"]),
    "spsa of words": ("samplers", "{'a': SamplerSpec('spsa', stability='x')}", ["'spsa'", "stability", "'x'"]),
    "qmc's option": ("samplers", "{'a': SamplerSpec('qmc', scramble=False)}", ["'qmc'", "'scramble'"]),
    "grid of nothing": ("samplers", "{'a': SamplerSpec('grid_search', points=0)}", ["'x'", "at least 1", "got 0"]),
    "grid of words": ("samplers", "{'a': SamplerSpec('grid_search', points='3')}", ["'x'", "got '3'"]),
    "grid of another space": ("samplers", "{'a': SamplerSpec('grid_search', points={'y': 3})}", ["'y'", "['x']"]),
    "grid outside": ("samplers", "{'a': SamplerSpec('grid_search', points={'x': [5]})}", ["'x'", "5", "Float"]),
    "grid twice": ("samplers", "{'a': SamplerSpec('grid_search', points={'x': [0, 0]})}", ["'x'", "twice", "[0, 0]"]),
    "no budget": ("budget", "None", ["Budget(trials=27)", "None"]),
    "budget a number": ("budget", "27", ["Budget(trials=27)", "got 27"]),
    "budget of nothing": ("budget", "Budget()", ["needs trials or epochs", "Budget(epochs=270)"]),
    "trials zero": ("budget", "Budget(trials=0)", ["trials", "at least 1", "got 0"]),
    "trials a fraction": ("budget", "Budget(trials=2.5)", ["trials", "whole number", "2.5"]),
    "trials a word": ("budget", "Budget(trials='3')", ["trials", "whole number", "'3'"]),
    "epochs negative": ("budget", "Budget(epochs=-1)", ["epochs", "at least 1", "-1"]),
    "replicates zero": ("replicates", "0", ["replicates", "at least 1", "got 0"]),
    "replicates a truth": ("replicates", "True", ["replicates", "whole number", "True"]),
    "seed negative": ("seed", "-1", ["seed", "at least 0", "-1"]),
    "seed none": ("seed", "None", ["seed", "whole number", "None"]),
    "direction": ("direction", "'max'", ["'maximize' or 'minimize'", "'max'"]),
    "pruner a number": ("pruner", "3", ["pruner", "PrunerSpec", "median, percentile", "None", "got 3"]),
    "pruner unknown": ("pruner", "'medain'", ["'medain'", "did you mean median?", "wilcoxon"]),
    "pruner's option": ("pruner", "PrunerSpec('median', wind=3)", ["'median'", "'wind'"]),
    "pruner out of range": ("pruner", "PrunerSpec('median', n_startup_trials=-1)", ["'median'", "-1"]),
    "percentile of nothing": ("pruner", "'percentile'", ["'percentile'", "percentile"]),
    "patience with a word": ("pruner", "PrunerSpec('patient', patience=2, wrapped_pruner='x')", ["'x'", "median"]),
    "no such field": ("bugdet", "3", ["'bugdet'"]),
}


@pytest.mark.parametrize(("field", "value", "words"), FIELDS.values(), ids=FIELDS)
def test_a_wrong_field_of_a_plan_is_refused(refused, field, value, words):
    write(f"PLAN = ComparisonPlan(**{{**FIELDS, {field!r}: {value}}})")
    hints(refused("run", "plan.py"), *words)


@pytest.mark.parametrize("command", ["run", "worker", "enqueue"])
def test_a_wrong_sampler_is_refused_before_there_is_a_database(refused, command):
    write("PLAN = ComparisonPlan(**{**FIELDS, 'samplers': {'a': SamplerSpec('pso', n_particles=1)}})")
    hints(refused(command, "plan.py", *NEEDS.get(command, [])), "n_particles")


def test_a_grid_of_absurd_size_is_refused_at_once(refused):
    write("PLAN = ComparisonPlan(**{**FIELDS, 'samplers': {'a': SamplerSpec('grid_search', points=10**12)}})")
    hints(refused("run", "plan.py"), "grid_search", "1000000000000")


FILES = {
    "empty": ("", ["has no PLAN", "PLAN = ComparisonPlan"]),
    "of another type": ("PLAN = {}", ["PLAN of type dict", "PLAN = ComparisonPlan"]),
    "the class": ("PLAN = ComparisonPlan", ["PLAN of type type"]),
    "no Python": ("PLAN = = 3", ["SyntaxError", LINE]),
    "imports what is not there": ("import no_such_module", ["ModuleNotFoundError", "no_such_module", LINE]),
    "raises": ("raise RuntimeError('the lights went out')", ["RuntimeError: the lights went out", LINE]),
    "raises nothing to say": ("assert not FIELDS", ["AssertionError", LINE]),
    "leaves": ("import sys; sys.exit(0)", ["SystemExit", LINE]),
    "zero bytes": ("PLAN = '\0'", ["SyntaxError", "null bytes"]),
}


@pytest.mark.parametrize(("body", "words"), FILES.values(), ids=FILES)
@pytest.mark.parametrize("command", ["run", "status"])
def test_a_plan_file_that_is_none_is_refused(refused, command, body, words):
    write(body)
    hints(refused(command, "plan.py"), "plan.py", *words)


SHIPPED = sorted(path.stem for path in (Path(__file__).parents[1] / "studies").glob("[!_]*.py"))


@pytest.mark.parametrize("command", ["run", "worker", "status", "report", "export", "dashboard", "finalize", "plan"])
@pytest.mark.parametrize("study", ["nope", "lenet5-digits", "plan", "plan.txt", "", "."])
def test_an_unknown_plan_is_refused_with_those_that_ship(refused, command, study):
    hints(
        refused(command, study),
        repr(study),
        ".py",
        ", ".join(SHIPPED),
    )


@pytest.mark.parametrize("study", ["nope.py", "missing/plan.py", "folder.py"])
def test_a_plan_file_that_is_not_there_is_refused(refused, study):
    Path("folder.py").mkdir()
    hints(refused("status", study), study, "sphere")


def not_a_database():
    Path("x.db").write_text("not a database, but long enough to look like one\n" * 100)


def another_tools_database():
    with closing(sqlite3.connect("x.db")) as database:
        database.executescript("CREATE TABLE recipes (name TEXT); CREATE TABLE studies (name TEXT);")


def nothing():
    """No file."""


READERS = ["status", "report", "export", "dashboard", "finalize"]
EVERY = ["run", "worker", "enqueue", *READERS]
NEEDS = {"enqueue": ["--set", "x=0"]}
STORAGES: dict[str, tuple[Callable[[], None], str, list[str], list[str]]] = {
    "folder missing": (nothing, "sqlite:///no/such/hpo.db", EVERY, ["no/such", "hpo.db", "create it"]),
    "a folder": (lambda: Path("sub").mkdir(), "sqlite:///sub", EVERY, ["sub is a folder", "sqlite:///hpo.db"]),
    "no database": (not_a_database, "sqlite:///x.db", EVERY, ["x.db", "not a database"]),
    "another tool's": (another_tools_database, "sqlite:///x.db", EVERY, ["x.db", "Optuna"]),
    "an empty file": (lambda: Path("x.db").touch(), "sqlite:///x.db", READERS, ["x.db", "Optuna"]),
    "nothing to read": (nothing, "sqlite:///x.db", READERS, ["x.db", "hpo-optuna run", "--storage"]),
    "a path": (nothing, "hpo.db", EVERY, ["'hpo.db'", "sqlite:///hpo.db"]),
    "empty": (nothing, "", EVERY, ["''", "sqlite:///hpo.db"]),
    "a port in words": (nothing, "mysql://user:secret@host:port/hpo", EVERY, ["mysql://", "port"]),
    "an unknown dialect": (nothing, "mongo://host/hpo", EVERY, ["mongo://host/hpo", "driver"]),
    "an unknown driver": (nothing, "sqlite+fast:///x.db", ["run", "worker"], ["sqlite+fast://", "driver"]),
    "a driver that is not installed": (nothing, "oracle://user:secret@host/hpo", EVERY, ["oracle://user", "driver"]),
    "in memory": (nothing, "sqlite:///:memory:", EVERY, ["memory", "sqlite:///hpo.db"]),
    "in memory, in short": (nothing, "sqlite://", EVERY, ["memory", "sqlite:///hpo.db"]),
}
CASES = [(command, *case[:2], case[3]) for case in STORAGES.values() for command in case[2]]
IDS = [f"{name}-{command}" for name, case in STORAGES.items() for command in case[2]]


@pytest.mark.parametrize(("command", "prepare", "url", "words"), CASES, ids=IDS)
def test_a_wrong_storage_is_refused(refused, command, prepare, url, words):
    prepare()
    message = refused(command, "plan.py", *NEEDS.get(command, []), "--storage", url)
    hints(message, *words)
    assert "secret" not in message


FLAGS = {
    "no workers": (["run", "plan.py", "--workers", "0"], ["workers", "at least 1", "got 0"]),
    "fewer workers": (["run", "plan.py", "--workers", "-1"], ["workers", "at least 1", "got -1"]),
    "no replicates": (["run", "plan.py", "--replicates", "0"], ["replicates", "at least 1", "got 0"]),
    "no trials": (["status", "plan.py", "--budget-trials", "0"], ["trials", "at least 1", "got 0"]),
    "fewer epochs": (["report", "plan.py", "--budget-epochs", "-5"], ["epochs", "at least 1", "got -5"]),
    "only unknown": (["run", "plan.py", "--only", "pso"], ["'pso'", "it has random"]),
    "only one unknown": (["run", "plan.py", "--only", "random", "--only", "pso"], ["'pso'", "it has random"]),
    "only nobody": (["run", "plan.py", "--only", ""], ["''", "it has random"]),
    "worker's only": (["worker", "plan.py", "--only", "pso"], ["'pso'", "it has random"]),
    "data of a task without": (["run", "plan.py", "--data", "digits"], ["--data digits", "toy", "has no data"]),
    "folder of a task without": (["status", "plan.py", "--data-dir", "."], ["--data-dir .", "toy", "no data_dir"]),
    "data unknown": (["run", "lenet5_digits", "--data", "mnist"], ["'cifar10', 'folder', 'digits'", "'mnist'"]),
    "data nowhere": (["run", "lenet5_digits", "--data", "folder"], ["folder", "--data-dir", "train/<class name>"]),
    "data missing": (
        ["run", "lenet5_digits", "--data", "folder", "--data-dir", "missing"],
        ["missing", "does not exist", "train/<class name>"],
    ),
    "data empty": (
        ["run", "lenet5_digits", "--data", "folder", "--data-dir", "."],
        ["no folder 'train'", "train/<class name>"],
    ),
    "data a file": (["run", "lenet5_digits", "--data-dir", "plan.py"], ["plan.py", "folder"]),
    "data's worker": (
        ["worker", "lenet5_digits", "--data", "folder", "--data-dir", "missing"],
        ["missing", "does not exist"],
    ),
    "queued nowhere": (["enqueue", "plan.py", "--set", "x"], ["--set x", "NAME=VALUE"]),
    "queued in words": (["enqueue", "plan.py", "--set", "x=big"], ["--set x=big", "no number"]),
    "queued outside": (["enqueue", "plan.py", "--set", "x=9"], ["x=9", "-1.0 to 1.0"]),
    "queued beyond numbers": (["enqueue", "plan.py", "--set", "x=nan"], ["x=nan", "-1.0 to 1.0"]),
    "queued unknown": (["enqueue", "plan.py", "--set", "x=0", "--set", "y=0"], ["y", "it has x"]),
    "queued in part": (["enqueue", "plan.py", "--set", "y=0"], ["y", "it has x"]),
    "queued for nobody": (["enqueue", "plan.py", "--set", "x=0", "--only", "pso"], ["'pso'", "it has random"]),
    "no forecast": (["plan", "plan.py"], ["pilot", "2 replicates", "SD"]),
    "spread below": (["plan", "plan.py", "--sd", "-1"], ["SD", "above 0", "-1"]),
    "spread beyond": (["plan", "plan.py", "--sd", "inf"], ["SD", "inf"]),
    "no difference": (["plan", "plan.py", "--sd", "1", "--difference", "0"], ["difference", "0"]),
    "artifacts missing": (["dashboard", "plan.py", "--artifact-dir", "missing"], ["missing", "artifact"]),
    "port below": (["dashboard", "plan.py", "--port", "-1"], ["port", "65535", "-1"]),
    "port beyond": (["dashboard", "plan.py", "--port", "70000"], ["port", "65535", "70000"]),
}


@pytest.mark.parametrize(("argv", "words"), FLAGS.values(), ids=FLAGS)
def test_a_wrong_flag_is_refused(refused, argv, words):
    hints(refused(*argv), *words)


def test_the_database_is_looked_at_before_data_are_fetched(refused, monkeypatch):
    monkeypatch.setattr("hpo_optuna.tasks.lenet5.LeNet5Task.prepare", lambda self: pytest.fail("fetches data"))
    hints(refused("run", "lenet5_cifar10", "--storage", "sqlite:///missing/hpo.db"), "missing", "create it")


GRAMMAR = {
    "no command": ([], ["COMMAND"]),
    "unknown command": (["runn", "plan.py"], ["'runn'", "'run'"]),
    "no study": (["run"], ["STUDY"]),
    "two studies": (["run", "plan.py", "plan.py"], ["unrecognized", "plan.py"]),
    "unknown flag": (["run", "plan.py", "--fast"], ["unrecognized", "--fast"]),
    "another command's flag": (["status", "plan.py", "--workers", "2"], ["unrecognized", "--workers"]),
    "no value": (["run", "plan.py", "--storage"], ["--storage", "expected one argument"]),
    "workers in words": (["run", "plan.py", "--workers", "two"], ["--workers", "'two'"]),
    "half a replicate": (["run", "plan.py", "--replicates", "0.5"], ["--replicates", "'0.5'"]),
    "port in words": (["dashboard", "plan.py", "--port", "http"], ["--port", "'http'"]),
}


@pytest.mark.parametrize(("argv", "words"), GRAMMAR.values(), ids=GRAMMAR)
def test_a_command_line_that_does_not_parse_says_how_it_is_used(capsys, argv, words):
    before = contents()
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    hints(capsys.readouterr().err, "usage: hpo-optuna", *words)
    assert contents() == before


@pytest.fixture
def database(folder):
    """hpo.db with the good plan, run to its end."""
    assert main(["run", "plan.py"]) == 0
    return folder / "hpo.db"


TARGETS = {
    "report into no folder": (["report", "-o", "missing/report.html"], ["missing", "create it"]),
    "report to another format": (["report", "-o", "report.pdf"], ["FILE.html", "report.pdf"]),
    "report without a name": (["report", "-o", ""], ["FILE.html"]),
    "report onto a folder": (["report", "-o", "sub.html"], ["sub.", "is a folder"]),
    "report's numbers onto a folder": (["report", "-o", "numbers.html"], ["numbers.json is a folder"]),
    "export into no folder": (["export", "-o", "missing/trials.csv"], ["missing", "create it"]),
    "export to another format": (["export", "-o", "trials.xlsx"], [".csv or .parquet", "'.xlsx'"]),
    "export without a format": (["export", "-o", "trials"], [".csv or .parquet", "trials"]),
    "export onto a folder": (["export", "-o", "sub.csv"], ["sub.csv is a folder"]),
}


@pytest.mark.parametrize(("argv", "words"), TARGETS.values(), ids=TARGETS)
@pytest.mark.usefixtures("database")
def test_a_wrong_target_is_refused_before_anything_is_written(refused, argv, words):
    for name in ("sub.html", "sub.csv", "numbers.json"):
        Path(name).mkdir()
    command, *rest = argv
    hints(refused(command, "plan.py", *rest), *words)


@pytest.mark.parametrize("command", ["status", "report", "export", "finalize"])
@pytest.mark.usefixtures("database")
def test_a_plan_that_the_database_does_not_hold_is_refused_with_those_it_does(refused, command):
    write("PLAN = ComparisonPlan(**{**FIELDS, 'name': 'other'})", "other.py")
    hints(refused(command, "other.py"), "other", "toy", "hpo-optuna run")


@pytest.mark.usefixtures("database")
def test_winners_of_a_task_without_a_test_split_are_not_finalized(refused):
    hints(refused("finalize", "plan.py"), "toy", "finalize")


@pytest.mark.usefixtures("database")
def test_a_taken_budget_takes_no_queued_configuration(refused):
    hints(refused("enqueue", "plan.py", "--set", "x=0"), "toy/random/seed-0", "--budget-trials")


@pytest.mark.usefixtures("database")
def test_a_port_in_use_is_refused(refused):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        hints(refused("dashboard", "plan.py", "--port", port), str(port), "in use", "another")


CHANGES = {
    "space": ("space", "{'x': FloatDistribution(-2, 1)}", ["space", "low", "-1.0", "-2.0"]),
    "direction": ("direction", "'maximize'", ["direction", "'minimize'", "'maximize'"]),
    "seed": ("seed", "7", ["seed", "was 0", "now 7"]),
    "pruner": ("pruner", "None", ["pruner", "MedianPruner", "NopPruner"]),
    "sampler": ("samplers", "{'random': SamplerSpec('pso')}", ["sampler", "'random_search'", "'pso'"]),
    "task": ("task", "lambda config, *, seed: iter(())", ["task", "'task'"]),
}


@pytest.mark.parametrize(("field", "value", "words"), CHANGES.values(), ids=CHANGES)
@pytest.mark.usefixtures("database")
def test_a_study_that_was_started_with_another_plan_is_refused(refused, field, value, words):
    write(f"PLAN = ComparisonPlan(**{{**FIELDS, {field!r}: {value}}})")
    hints(refused("run", "plan.py"), "toy/random/seed-0", "another", *words)


def test_a_study_of_another_tool_is_refused(refused):
    study = optuna.create_study(storage="sqlite:///hpo.db", study_name="toy/random/seed-0")
    study.optimize(lambda trial: 1.0, n_trials=1)
    hints(refused("run", "plan.py"), "toy/random/seed-0", "another plan name")


def test_an_empty_study_of_the_other_direction_is_refused(refused):
    optuna.create_study(storage="sqlite:///hpo.db", study_name="toy/random/seed-0", direction="maximize")
    hints(refused("run", "plan.py"), "toy/random/seed-0", "direction", "maximize", "minimize")


def test_a_net_that_leaves_no_pixels_is_refused_before_anything_starts(refused):
    write("""
from hpo_optuna.tasks import LeNet5Task
FIELDS |= {"direction": "maximize", "task": LeNet5Task(data="digits"), "space": {"K1": IntDistribution(3, 31, step=28)}}
PLAN = ComparisonPlan(**FIELDS)
""")
    hints(refused("run", "plan.py"), "toy", "31")


PYTHON = {
    "plan": (lambda: HyperparameterOptimizer({}), ["ComparisonPlan", "{}"]),
    "storage none": (lambda: HyperparameterOptimizer(toys.plan(), None), ["storage", "None"]),
    "storage a path": (lambda: HyperparameterOptimizer(toys.plan(), Path("hpo.db")), ["storage", "hpo.db"]),
    "storage no URL": (lambda: HyperparameterOptimizer(toys.plan(), "hpo.db"), ["'hpo.db'", "sqlite:///hpo.db"]),
    "workers": (lambda: HyperparameterOptimizer(toys.plan()).run(workers=0), ["workers", "got 0"]),
    "workers a fraction": (lambda: HyperparameterOptimizer(toys.plan()).run(workers=1.5), ["workers", "got 1.5"]),
    "workers without a URL": (
        lambda: HyperparameterOptimizer(toys.plan(), optuna.storages.InMemoryStorage()).run(workers=2),
        ["2 workers", "database URL"],
    ),
    "only": (lambda: HyperparameterOptimizer(toys.plan()).run(only=["tpe"]), ["'tpe'", "grid, random, pso"]),
    "only a word": (lambda: HyperparameterOptimizer(toys.plan()).run(only="tpe"), ["'tpe'", "grid, random, pso"]),
    "budget": (lambda: Budget(trials=0), ["trials", "got 0"]),
    "sampler": (lambda: SamplerSpec("pso", seed=1), ["'pso'", "seed=1"]),
    "space": (lambda: toys.plan(space={"x": 3}), ["space['x']", "3"]),
}


@pytest.mark.parametrize(("call", "words"), PYTHON.values(), ids=PYTHON)
def test_python_gets_the_same_messages_as_an_exception(call, words):
    before = contents()
    with pytest.raises(UserError) as refusal:
        call()
    hints(str(refusal.value), *words)
    assert contents() == before


def test_a_plan_is_frozen():
    plan = toys.plan()
    with pytest.raises(AttributeError):
        plan.seed = 3
    with pytest.raises(TypeError):
        plan.space["y"] = plan.space["x"]
    assert isinstance(plan, ComparisonPlan)
