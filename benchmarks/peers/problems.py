"""COCO's black-box functions (Hansen et al. 2021) as problems that a sampler minimises in a box."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cocoex
import numpy as np
from numpy.typing import NDArray

FUNCTIONS = range(1, 25)
CORNER = 5  # this function's optimum is in a corner: whatever clips hits it exactly; judged apart


@dataclass(frozen=True, order=True)
class Cell:
    """One problem and one seed: what every sampler is run on once."""

    seed: int  # sorted by seed and instance first: a part of the runs is a balanced part
    instance: int
    suite: str
    dimension: int
    function: int

    def random_seed(self) -> int:
        """The seed of everything random in this cell, the same for every sampler."""
        words = [self.suite == "bbob-mixint", self.dimension, self.function, self.instance, self.seed]
        return int(np.random.SeedSequence(words).generate_state(1)[0] >> 1)


class Problem:
    """A function's value above its optimum; the first ``n_integers`` coordinates are integers."""

    def __init__(self, cell: Cell) -> None:
        coco = _suite(cell.suite, cell.dimension, cell.instance)
        self._f = coco.get_problem_by_function_dimension_instance(cell.function, cell.dimension, cell.instance)
        self.n_integers = int(self._f.number_of_integer_variables)
        self.low, self.high = np.array(self._f.lower_bounds), np.array(self._f.upper_bounds)
        self._optimum = _optimum(self._f)

    @property
    def relaxed(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Bounds for a sampler of floats: every integer, by rounding, has an interval of length one."""
        half = np.where(np.arange(len(self.low)) < self.n_integers, 0.499, 0.0)
        return self.low - half, self.high + half

    def __call__(self, x: Sequence[float] | NDArray[np.float64]) -> float:
        x = np.clip(np.asarray(x, dtype=float), *self.relaxed)
        x[: self.n_integers] = np.rint(x[: self.n_integers])
        return max(float(self._f(x)) - self._optimum, 0.0)


@lru_cache(maxsize=64)
def _suite(name: str, dimension: int, instance: int) -> Any:
    return cocoex.Suite(name, f"instances:{instance}", f"dimensions:{dimension}")


def _optimum(f: Any) -> float:
    with _elsewhere() as folder:
        f._best_parameter("print")  # writes a file into the working directory: the only way to the optimum
        (written,) = Path(folder).iterdir()
        return float(f(np.loadtxt(written)))


@contextlib.contextmanager
def _elsewhere() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        yield folder
