"""Notebooks call the public API, define nothing, keep no outputs, and run from top to bottom."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="notebooks are run with the extra 'notebook'")
nbclient = pytest.importorskip("nbclient", reason="notebooks are run with the extra 'notebook'")
pytest.importorskip("ipykernel", reason="notebooks are run with the extra 'notebook'")

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)

# Of each notebook, how many figures are drawn, and what its text leads up to: it must really come out.
SHOWS = {
    "first_study": (3, ["Exploratory: the plan was extended"]),
    "read_the_verdict": (
        4,
        [
            "difference: pso is better than random by",
            "preliminary: Preliminary: 2 replicates of 8 planned are finished",
            "margin 0.5 -> no-difference: No difference found between random and qmc",
            "margin 3.0 -> equivalent: random and qmc are equivalent within 3",
        ],
    ),
    "swarm_and_pruning": (7, ["studies whose best trial was stopped", "5 of 6", "with n_warmup_steps=8 and"]),
}


def cells(path: Path):
    """The code cells of a valid notebook."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_a_notebook_is_stored_without_outputs_and_places(path):
    assert [cell for cell in cells(path) if cell.outputs or cell.execution_count] == []
    assert re.findall(r"(?:/home|/root|/Users|/tmp|/work|[A-Z]:\\\\)[^\"']*", path.read_text(encoding="utf-8")) == []


def test_a_notebook_defines_nothing_and_calls_no_private_name(path):
    tree = ast.parse("\n".join(cell.source for cell in cells(path)))
    defined = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef | ast.Lambda)]
    assert [ast.unparse(n) for n in defined] == []
    private = [n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr.startswith("_")]
    assert private == []


def test_a_notebook_runs(path, tmp_path, monkeypatch):
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))  # the kernel of this interpreter, and nobody's settings
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    monkeypatch.setenv("PYTHONWARNINGS", "ignore:IProgress not found")  # tqdm misses ipywidgets
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    said = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output.text for output in said if output.output_type == "stream" and output.name == "stderr"] == []
    figures = [output for output in said if "application/vnd.plotly.v1+json" in output.get("data", {})]
    text = "".join(output.get("text") or "".join(map(str, output.get("data", {}).values())) for output in said)
    drawn, words = SHOWS[path.stem]
    assert len(figures) == drawn
    assert [w for w in words if w not in text] == []
    assert {p.name for p in tmp_path.iterdir()} <= {"jupyter_runtime_dir", "ipythondir", "jupyter_data_dir"}
