"""optuna-dashboard opens on our database and shows the plan."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import pytest
import toy_comparison as toy
from optuna.storages import RDBStorage

from hpo_optuna.dashboard import make_app, make_dashboard, serve
from hpo_optuna.errors import UserError
from hpo_optuna.notes import describe
from hpo_optuna.records import read


def get(app, path: str) -> dict:
    environ: dict = {}
    setup_testing_defaults(environ)
    environ.update({"PATH_INFO": path, "wsgi.input": io.BytesIO(), "CONTENT_TYPE": "application/json"})
    status: list[str] = []
    body = b"".join(app(environ, lambda s, headers, exc=None: status.append(s)))
    assert status[0] == "200 OK"
    return json.loads(body)


def test_the_dashboard_lists_the_studies_of_the_comparison() -> None:
    app = make_app(toy.toy_comparison(replicates=1, trials=3))
    names = [study["study_name"] for study in get(app, "/api/studies")["study_summaries"]]
    assert names == ["toy/grid/seed-0", "toy/random/seed-0", "toy/pso/seed-0"]


def test_a_server_prints_its_address_answers_and_ends_at_ctrl_c(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hpo.db'}"
    storage = RDBStorage(url)
    toy.toy_comparison(storage, replicates=1, trials=2, samplers=["pso"])
    storage.engine.dispose()
    code = "import sys; from hpo_optuna.dashboard import serve; serve(sys.argv[1], port=0)"
    server = subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        address = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{address}api/studies") as answer:
            assert json.load(answer)["study_summaries"][0]["study_name"] == "toy/pso/seed-0"
        os.kill(server.pid, signal.SIGINT)
        rest, _ = server.communicate(timeout=60)
    finally:
        if server.poll() is None:
            server.kill()
            server.communicate()
    assert server.returncode == 0
    assert "dashboard ended." in rest


def test_a_busy_port_is_named_with_the_cure() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} on 127.0.0.1 is in use; choose another, or 0"):
            serve(toy.toy_comparison(replicates=1, trials=1), port=port)


def test_port_0_takes_a_free_one() -> None:
    with make_dashboard(toy.toy_comparison(replicates=1, trials=1), port=0) as server:
        assert server.server_port > 0


@pytest.mark.parametrize("port", [-1, 65536])
def test_an_impossible_port_is_refused(port: int) -> None:
    with pytest.raises(UserError, match="between 0 and 65535"):
        make_dashboard(toy.toy_comparison(replicates=1, trials=1), port=port)


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no database .*nothing\.db"):
        serve(f"sqlite:///{tmp_path / 'nothing.db'}")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_artifact_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the artifact folder .*nowhere does not exist"):
        make_dashboard(toy.toy_comparison(replicates=1, trials=1), artifact_dir=tmp_path / "nowhere")


def test_the_note_explains_the_plan_in_words() -> None:
    study = read(toy.toy_comparison(replicates=3, trials=2), "toy")[0]
    note = describe(study.attrs["fingerprint"], study.attrs["planned"])
    assert "- **Sampler:** grid (points 3)" in note
    assert "- **Budget:** 2 trials in each study; 3 replicates" in note
    assert r"MedianPruner (n\_startup\_trials 5, n\_warmup\_steps 2)" in note
    assert "| F6 | whole numbers 16 to 256, log scale |" in note
    assert "One replicate proves nothing about a sampler" in note


def test_a_note_needs_no_attribute_to_be_there() -> None:
    assert "### The plan" in describe({}, {})
