"""Results as tables in Markdown: ranks, targets, wins, cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from .plan import BUDGETS, Race
from .problems import CORNER
from .results import Result, Results
from .runs import PSO

TARGETS = np.logspace(2, -8, 51)
DRAWS = 10_000
GROUPS = {
    "separable (f1-f4)": range(1, 5),
    "low or moderate conditioning (f6-f9)": range(6, 10),
    "high conditioning, unimodal (f10-f14)": range(10, 15),
    "multimodal, adequate structure (f15-f19)": range(15, 20),
    "multimodal, weak structure (f20-f24)": range(20, 25),
}

Floats = NDArray[np.float64]


def print_tables(races: Sequence[Race], results: Results) -> None:
    for race in races:
        rows = list(results.of(race.setting, race.names, race.cells))
        judged = [row for row in rows if row[0].cell.function != CORNER]
        if not judged:
            continue
        note = "" if len(rows) == len(race.cells) else f", {len(race.cells) - len(rows)} cells still missing"
        print(
            f"\n### {race.title}\n\n{len(judged)} runs of each sampler on {len(set(problems(judged)))} problems{note}\n"
        )
        _print_race(race, judged, [row for row in rows if row[0].cell.function == CORNER])
        if race.title.startswith("bbob"):
            _print_parts(race, judged)


def _print_race(race: Race, rows: list[list[Result]], corner: list[list[Result]]) -> None:
    ranks, wins = mean_ranks(rows), win_rates(rows, race.names.index(PSO))
    ecdf, at_corner = targets_reached(rows), targets_reached(corner) if corner else None
    seconds = [1e3 * np.mean([row[i].seconds / row[i].trace.n for row in rows]) for i in range(len(race.names))]
    pruned = [np.mean([row[i].trace.pruned / row[i].trace.n for row in rows]) for i in range(len(race.names))]
    budgets = " / ".join(map(str, BUDGETS))
    heads = ["sampler", *(f"mean rank at {b}" for b in BUDGETS), f"targets reached, {budgets}", "f5 alone"]
    heads += [f"{PSO} wins, {budgets}", "ms a trial"] + ["pruned"] * any(pruned)
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for i, name in enumerate(race.names):
        cells = [name, *(_interval(*ranks[b][:, i]) for b in BUDGETS)]
        cells += [_shares(ecdf[:, i]), _shares(at_corner[:, i]) if at_corner is not None else ""]
        cells += ["" if name == PSO else " ".join(f"{100 * x:.0f}" for x in wins[:, i]) + " %", f"{seconds[i]:.1f}"]
        print("| " + " | ".join(cells + [f"{100 * pruned[i]:.0f} %"] * any(pruned)) + " |")


def _print_parts(race: Race, rows: list[list[Result]]) -> None:
    """Who is first in which part of the problems."""
    parts = {f"{d} parameters": [r for r in rows if r[0].cell.dimension == d] for d in (2, 3, 5)}
    parts = {name: some for name, some in parts.items() if len(some) < len(rows)}
    for name, functions in GROUPS.items():
        parts[name] = [r for r in rows if r[0].cell.function in functions]
    print("\n| part of the problems | " + " | ".join(f"first at {b}" for b in BUDGETS) + " |\n|" + "---|" * 4)
    for name, some in parts.items():
        if some:
            cells = [_first(race.names, ranks[0]) for ranks in mean_ranks(some).values()]
            print(f"| {name} | {' | '.join(cells)} |")


def _first(names: Sequence[str], ranks: Floats) -> str:
    """The sampler with the least mean rank and the one after it; ours in bold."""
    first, second, *_ = (f"{'**' * (names[i] == PSO)}{names[i]}{'**' * (names[i] == PSO)}" for i in np.argsort(ranks))
    low, high, *_ = np.sort(ranks)
    return f"{first} {low:.2f}, {second} {high:.2f}"


def problems(rows: Sequence[Sequence[Result]]) -> list[tuple[str, int, int]]:
    return [(row[0].cell.suite, row[0].cell.dimension, row[0].cell.function) for row in rows]


def values(rows: Sequence[Sequence[Result]], budget: int) -> Floats:
    """The best value of each run, shape (rows, samplers)."""
    return np.array([[result.best(budget) for result in row] for row in rows])


def mean_ranks(rows: list[list[Result]]) -> dict[int, Floats]:
    """Of each budget the mean rank over problems with a 95 % bootstrap interval over problems, shape (3, samplers).

    Samplers are ranked in each run, a tie by the mean of its ranks; a problem's rank is the mean over its runs.
    """
    _, problem = np.unique(np.array([repr(p) for p in problems(rows)]), return_inverse=True)
    counts = np.bincount(problem)
    draw = np.random.default_rng(0).integers(len(counts), size=(DRAWS, len(counts)))
    found = {}
    for budget in BUDGETS:
        ranks = rankdata(values(rows, budget), axis=1)
        of_problem = np.stack([np.bincount(problem, column) / counts for column in ranks.T], axis=1)
        low, high = np.percentile(of_problem[draw].mean(axis=1), [2.5, 97.5], axis=0)
        found[budget] = np.stack([of_problem.mean(axis=0), low, high])
    return found


def targets_reached(rows: list[list[Result]]) -> Floats:
    """Share of 51 targets, log-spaced from 1e2 to 1e-8, that were reached, shape (budgets, samplers)."""
    best = np.stack([values(rows, budget) for budget in BUDGETS])
    return np.asarray((best[..., None] <= TARGETS).mean(axis=(1, 3)))


def win_rates(rows: list[list[Result]], ours: int) -> Floats:
    """Share of runs in which one sampler is better than each, a tie counting half, shape (budgets, samplers)."""
    best = np.stack([values(rows, budget) for budget in BUDGETS])
    mine = best[:, :, ours, None]
    return np.asarray(((mine < best) + 0.5 * (mine == best)).mean(axis=1))


def _interval(mean: float, low: float, high: float) -> str:
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]"


def _shares(shares: Floats) -> str:
    return " ".join(f"{x:.3f}" for x in shares)
