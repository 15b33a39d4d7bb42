"""What the comparison's figures draw, as arrays: for the page and, the same numbers, for its JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .curves import AXES, Array, Axis, common_grid, curve, values_of
from .records import StudyRecord
from .statistics import average_ranks, band
from .summary import labels


@dataclass(frozen=True)
class Series:
    """The best score so far of one sampler on the common grid of costs.

    Attributes:
        values: shape (replicates, grid); NaN where a study has no score yet, or has not come so far.
        mean, low, high: shape (grid,); the mean over replicates and its band, NaN below three replicates.
    """

    values: Array
    mean: Array
    low: Array
    high: Array


def best_series(records: Sequence[StudyRecord], axis: Axis) -> tuple[Array, dict[str, Series]]:
    """The common grid of costs, and the series of each sampler on it."""
    curves = [(r.label, curve(r, axis)) for r in records]
    grid = common_grid([c for _, c in curves], axis)
    found = {}
    for label in labels(records):
        values = values_of([c for name, c in curves if name == label], grid)
        found[label] = Series(values, *band(values))
    return grid, found


def rank_series(records: Sequence[StudyRecord], axis: Axis) -> tuple[Array, dict[str, Array]]:
    """Average rank of each sampler against what was spent, over the replicates that all samplers have begun.

    Returns:
        Grid and ranks; the grid is empty where there is nothing to rank.
    """
    names = labels(records)
    by_cell = {(r.label, r.replicate): r for r in records}
    shared = [r for r in sorted({r.replicate for r in records}) if all((n, r) in by_cell for n in names)]
    if len(names) < 2 or not shared:
        return np.array([]), {}
    curves = [[curve(by_cell[n, r], axis) for r in shared] for n in names]
    # Ranks end where the first study ends that may still go on.
    ends = [c.spent for row in curves for c in row if not c.done]
    grid = common_grid([c for row in curves for c in row], axis)
    grid = grid[grid <= min(ends, default=math.inf)]
    sign = 1.0 if records[0].direction == "maximize" else -1.0
    values = np.array([values_of(row, grid) for row in curves])
    return grid, dict(zip(names, average_ranks(sign * values), strict=True))


def as_dict(records: Sequence[StudyRecord]) -> dict[str, Any]:
    """For JSON: axis -> costs, best so far and average ranks of each sampler."""
    found: dict[str, Any] = {}
    for axis in AXES:
        cost, best = best_series(records, axis)
        rank_cost, ranks = rank_series(records, axis)
        found[axis] = {
            "cost": cost.tolist(),
            "best": {
                name: {"mean": s.mean.tolist(), "low": s.low.tolist(), "high": s.high.tolist()}
                for name, s in best.items()
            },
            "rank_cost": rank_cost.tolist(),
            "ranks": {name: row.tolist() for name, row in ranks.items()},
        }
    return found
