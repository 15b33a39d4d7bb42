"""Which samplers meet on which problems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .problems import FUNCTIONS, Cell
from .runs import PSO

BUDGETS = (50, 100, 200)
PEERS = [
    "TPESampler",
    "CmaEsSampler",
    "mealpy HPSO-TVAC",
    "pymoo PSO",
    "nevergrad PSO",
    "QMCSampler",
    "RandomSampler",
]
FEW = [PSO, "TPESampler", "CmaEsSampler", "RandomSampler"]
QUICK_FUNCTIONS = (1, 8, 15)
SLOW_FUNCTIONS = (1, 8, 10, 15, 17, 21)  # for GPSampler: one or two of each of the five groups


@dataclass(frozen=True)
class Race:
    """Samplers that meet on the same cells in one setting."""

    title: str
    setting: str
    names: list[str]
    cells: list[Cell]

    def runs(self) -> Iterator[tuple[Cell, str, str]]:
        for cell in self.cells:
            for name in self.names:
                yield cell, self.setting, name


def races(instances: Sequence[int], *, quick: bool) -> list[Race]:
    """All races on these instances, the long ones first."""

    def cells(suite: str, dimensions: Sequence[int], n: int, seeds: int, of: Sequence[int] = FUNCTIONS) -> list[Cell]:
        some = [f for f in of if not quick or f in QUICK_FUNCTIONS]
        return [
            Cell(seed, instance, suite, dimension, function)
            for instance in instances[: 1 if quick else n]
            for seed in range(1 if quick else seeds)
            for dimension in dimensions
            for function in some
        ]

    screens = ['pso, screen="gp"', "pso, screen=None"]
    dimensions, all_of = ((2, 5) if quick else (2, 3, 5)), len(instances)
    found = [
        Race("bbob", "plain", [PSO, *PEERS], cells("bbob", dimensions, all_of, 2)),
        Race("bbob-mixint", "plain", [PSO, *PEERS], cells("bbob-mixint", (5,), all_of, 2)),
    ]
    five = cells("bbob", (5,), 3, 1)
    if quick:
        return found + [Race(setting, setting, FEW, five) for setting in ("4 workers", "median")]
    one = cells("bbob", dimensions, 1, 1) + cells("bbob-mixint", (5,), 1, 1)
    slow = cells("bbob", (2, 5), 1, 1, SLOW_FUNCTIONS)
    return [
        *found,
        Race("screens", "plain", [PSO, *screens, *PEERS], one),
        Race("10-D", "plain", [PSO, "pso, screen=None", *FEW[1:]], cells("bbob", (10,), 3, 1)),
        *(Race(setting, setting, FEW, five) for setting in ("4 workers", "8 workers", "pruned at random", "median")),
        Race("GPSampler", "plain", [PSO, *screens, "GPSampler", *PEERS], slow),
    ]
