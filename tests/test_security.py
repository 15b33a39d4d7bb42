"""What comes from a stranger is data: databases, models, caches and archives run no code, and nobody is let in."""

from __future__ import annotations

import ast
import inspect
import io
import os
import pickle
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
import toy_comparison as toy
from torchvision.datasets import CIFAR10

from hpo_optuna import UserError, load_model
from hpo_optuna.cli import main, parser
from hpo_optuna.dashboard import make_dashboard, serve
from hpo_optuna.registry import make_sampler
from hpo_optuna.tasks import LeNet5Task
from hpo_optuna.tasks.source import DataError

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for folder in ("hpo_optuna", "samplers", "studies") for path in (ROOT / folder).rglob("*.py"))


class Bomb:
    """Unpickled, it makes a crater."""

    def __init__(self, crater: Path) -> None:
        self.crater = crater

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.crater),)


@pytest.fixture
def crater(tmp_path: Path) -> Iterator[Path]:
    """Where a bomb would go off; that it can is tried first, that it did not is looked at last."""
    place = tmp_path / "crater"
    pickle.loads(pickle.dumps(Bomb(place)))
    place.rmdir()
    yield place
    assert not place.exists()


# What is called anywhere in the source.


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """(file, function around it, the call) of every call."""
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        around = {
            id(inner): outer.name
            for outer in ast.walk(tree)
            if isinstance(outer, ast.FunctionDef)
            for inner in ast.walk(outer)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield path.relative_to(ROOT).as_posix(), around.get(id(node), ""), node


def name_of(call: ast.Call) -> str:
    return ast.unparse(call.func)


def keywords(call: ast.Call) -> dict[str | None, str]:
    return {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}


def test_nothing_is_unpickled_but_a_plan_from_the_parent_process():
    unpicklers = ("pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "pd", "pandas")
    verbs = ("load", "loads", "open", "read_pickle", "Unpickler")
    found = {
        (file, function, name_of(call))
        for file, function, call in calls()
        if name_of(call).partition(".")[0] in unpicklers and name_of(call).rpartition(".")[2] in verbs
    }
    assert found == {
        ("hpo_optuna/workers.py", "work_from_stdin", "cloudpickle.loads"),  # from the process that started it
        ("hpo_optuna/ray_crew.py", "_unpack", "cloudpickle.loads"),  # from the driver of its Ray job
    }


def test_torch_and_numpy_load_numbers_only():
    loads = [(file, call) for file, _, call in calls() if name_of(call) in ("torch.load", "np.load", "numpy.load")]
    assert {name_of(call) for _, call in loads} == {"torch.load", "np.load"}
    for file, call in loads:
        if name_of(call) == "torch.load":
            assert keywords(call).get("weights_only") == "True", file
        else:
            assert "allow_pickle" not in keywords(call), file


def test_no_text_becomes_code_or_a_command_line():
    forbidden = ("eval", "exec", "compile", "os.system", "os.popen", "yaml.load", "subprocess.getoutput")
    assert not [(file, name_of(call)) for file, _, call in calls() if name_of(call) in forbidden]
    assert not [file for file, _, call in calls() if keywords(call).get("shell", "False") != "False"]


def test_archives_are_left_to_torchvision():
    assert not [
        file for file, _, call in calls() if name_of(call).endswith((".extract", ".extractall", "unpack_archive"))
    ]


# Who listens, and to whom.


def test_the_dashboard_is_for_this_machine_unless_told_otherwise():
    assert inspect.signature(serve).parameters["host"].default == "127.0.0.1"
    assert parser().parse_args(["dashboard", "lenet5_digits"]).host == "127.0.0.1"
    with make_dashboard(toy.toy_comparison(replicates=1, trials=1)) as server:
        assert server.server_address[0] == "127.0.0.1"


def test_nothing_in_the_source_opens_a_port_to_everyone():
    everyone = ("0.0.0.0", "::")
    texts = [
        (path.name, node.value)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in everyone
    ]
    assert texts == []


def test_a_dashboard_for_others_comes_with_a_warning(monkeypatch, capsys):
    class Server:
        server_port = 80

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def serve_forever(self):
            raise KeyboardInterrupt

    monkeypatch.setattr("hpo_optuna.dashboard.make_dashboard", lambda *_, **__: Server())
    serve("sqlite:///hpo.db", host="192.0.2.1")
    assert "anyone who reaches 192.0.2.1 can change and delete studies" in capsys.readouterr().err
    serve("sqlite:///hpo.db")
    assert capsys.readouterr().err == ""


# Files and databases of strangers.


def test_a_model_that_is_a_pickle_bomb_does_not_go_off(crater, tmp_path):
    torch.save({"format": Bomb(crater)}, tmp_path / "model.pt")
    with pytest.raises(ValueError, match=r"model\.pt is damaged or no model"):
        load_model(tmp_path / "model.pt")
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(Bomb(crater)))
    with pytest.raises(ValueError, match=r"bare\.pt is damaged or no model"):
        load_model(tmp_path / "bare.pt")


def test_a_cache_of_pickle_bombs_does_not_go_off_and_is_made_anew(crater, tmp_path):
    task = LeNet5Task(data="digits", data_dir=str(tmp_path))
    task.prepare()
    before = task.fingerprint["content"]
    arrays = list((tmp_path / ".hpo-optuna-cache").glob("*.npy"))
    assert arrays
    for path in arrays:
        np.save(path, np.array([Bomb(crater)]), allow_pickle=True)
    assert task.fingerprint["content"] == before


@pytest.mark.parametrize("extracted", [True, False])
def test_cifars_pickles_are_neither_extracted_nor_read_where_a_checksum_differs(
    crater, tmp_path, monkeypatch, extracted
):
    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:9/nothing")
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    bomb, root = pickle.dumps(Bomb(crater)), tmp_path / "data"
    root.mkdir()
    names = [name for name, _ in [*CIFAR10.train_list, *CIFAR10.test_list]] + [CIFAR10.meta["filename"]]
    if extracted:
        (root / CIFAR10.base_folder).mkdir()
        for name in names:
            (root / CIFAR10.base_folder / name).write_bytes(bomb)
    else:
        with tarfile.open(root / CIFAR10.filename, "w:gz") as archive:
            for name in [*(f"{CIFAR10.base_folder}/{name}" for name in names), "../escaped"]:
                member = tarfile.TarInfo(name)
                member.size = len(bomb)
                archive.addfile(member, io.BytesIO(bomb))
    with pytest.raises(DataError, match="damaged"):
        LeNet5Task(data="cifar10", data_dir=str(root)).prepare()
    assert not (tmp_path / "escaped").exists()
    assert extracted or not (root / CIFAR10.base_folder).exists()


@pytest.mark.parametrize("options", [{}, {"use_separable_cma": True}, {"with_margin": True}], ids=str)
def test_a_state_of_cma_es_that_is_a_pickle_bomb_does_not_go_off(crater, options):
    """Optuna keeps it pickled in the trials, and a database is shared."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = {name: optuna.distributions.FloatDistribution(0, 1) for name in "xy"}
    study = optuna.create_study(sampler=make_sampler("cmaes", space, seed=0, **options))
    study.optimize(lambda trial: sum(trial.suggest_float(name, 0, 1) for name in space), n_trials=12)
    [key] = {k for trial in study.trials for k in trial.system_attrs if k.endswith("optimizer:0")}
    bomb = pickle.dumps(Bomb(crater)).hex()
    study.add_trial(
        optuna.create_trial(
            params={"x": 0.5, "y": 0.5}, distributions=space, value=1.0, system_attrs={key: bomb, f"{key[:-1]}1": ""}
        )
    )
    with pytest.raises(UserError, match=r"CMA-ES in the database names (posix|nt)\.mkdir, which is no part of it"):
        study.ask(space)


def test_looking_at_a_database_unpickles_nothing(crater, tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'hpo.db'}"
    storage = optuna.storages.RDBStorage(url)
    bomb = pickle.dumps(Bomb(crater)).hex()
    rows = toy.toy_trials("grid", 0, 6)
    for row in rows:
        row.system_attrs["cma:optimizer:0"] = bomb
    toy.add_study(storage, "lenet5-digits", "grid", 0, rows)
    storage.engine.dispose()
    monkeypatch.chdir(tmp_path)
    for words in (["status"], ["report"], ["export"]):
        assert main([*words, "lenet5_digits", "--storage", url]) == 0
