"""Results on disk: one line of JSON for each finished run; a killed benchmark goes on where it was."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hpo_optuna.samplers import pso

from .problems import Cell
from .runs import OPTUNA, PSO, Trace


@dataclass(frozen=True)
class Result:
    """One finished run."""

    cell: Cell
    setting: str
    name: str
    trace: Trace
    seconds: float

    def best(self, budget: int) -> float:
        """The best value after so many evaluations."""
        return min((value for n, value in self.trace.best if n <= budget), default=float("inf"))


Key = tuple[Cell, str, str]


class Results:
    """The file; a line that a kill cut short is passed over, and its run repeated."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[Key, Result] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        for line in path.read_text().splitlines() if path.exists() else []:
            with contextlib.suppress(json.JSONDecodeError):
                row = json.loads(line)
                if row["version"] == version_of(row["name"]):
                    result = _parse(row)
                    self.known[result.cell, result.setting, result.name] = result

    def add(self, result: Result) -> None:
        self.known[result.cell, result.setting, result.name] = result
        trace = result.trace
        row: dict[str, Any] = {"name": result.name, "version": version_of(result.name), "setting": result.setting}
        row |= {**asdict(result.cell), "seconds": result.seconds}
        row |= {"n": trace.n, "pruned": trace.pruned, "best": trace.best}
        with self.path.open("a") as file:
            file.write("\n" + json.dumps(row))  # on a line of its own, whatever a kill left before it

    def of(self, setting: str, names: list[str], cells: list[Cell]) -> Iterator[list[Result]]:
        """The results of all these samplers, a list for each cell where none is missing."""
        for cell in cells:
            if all((cell, setting, name) in self.known for name in names):
                yield [self.known[cell, setting, name] for name in names]


@cache
def version_of(name: str) -> str:
    """The code that runs under this name: of our swarm a hash (comments aside), of others a package's version."""
    if not name.startswith(PSO):
        return version("optuna" if name in OPTUNA else name.split()[0])
    files = sorted(Path(pso.__path__[0]).glob("_[a-z]*.py"))
    code = [ast.dump(ast.parse(file.read_text())) for file in files if file.name != "_figure.py"]
    return hashlib.sha256("".join(code).encode()).hexdigest()[:12]


def _parse(row: dict[str, Any]) -> Result:
    cell = Cell(**{name: row[name] for name in Cell.__dataclass_fields__})
    trace = Trace([(n, value) for n, value in row["best"]], row["n"], row["pruned"])
    return Result(cell, row["setting"], row["name"], trace, row["seconds"])
