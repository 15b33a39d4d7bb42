"""Which of the finished trials are better: one objective or several, pruned, diverged, infeasible."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ._swarm import Floats, Integers, Ranking


def rank(values: Floats, pruned: NDArray[np.bool_], violation: Floats) -> Ranking:
    """Which of m trials are better.

    Finite values come before others, complete trials before pruned ones (a pruned value is evidence, not a
    best), then Deb's rule (2000): feasible before infeasible, less violation before more; then the value; ties
    go to the earlier trial. Of several objectives: trials dominated by fewer first (Fonseca & Fleming 1993),
    then the less crowded (Deb et al. 2002); the Pareto front leads together.

    Args:
        values: Shape (m, k), k objectives, minimised.
        pruned: Shape (m,).
        violation: Sum of the constraints violated, shape (m,); 0 is feasible.
    """
    bad = ~np.isfinite(values).all(axis=1)
    keys = [bad.astype(float), pruned.astype(float), violation]
    if values.shape[1] == 1:
        keys.append(np.where(bad, 0.0, values[:, 0]))
        ranking = Ranking(tuple(keys), np.empty(0, dtype=np.int64))
        return Ranking(ranking.keys, ranking.first(np.arange(len(values)))[:1])
    peers = np.flatnonzero(~bad & ~pruned & (violation <= 0.0))
    dominators, crowding = np.zeros(len(values)), np.zeros(len(values))
    dominators[peers] = _dominators(values[peers])
    front = peers[dominators[peers] == 0]
    crowding[front] = _crowding(values[front])
    ranking = Ranking((*keys, dominators), np.empty(0, dtype=np.int64))
    return Ranking((*ranking.keys, -crowding), ranking.first(np.arange(len(values))))


def score(values: Floats, pruned: NDArray[np.bool_], violation: Floats, weights: Floats, expected: Floats) -> Floats:
    """What a surrogate learns, shape (m,): the value; of pruned trials the expected one, or else at least the worst.

    Several objectives are scaled to [0, 1] and joined by the augmented Chebyshev function with these weights,
    shape (k,) (Knowles 2006). Where no trial is feasible yet, the violation is the score.
    """
    bad = np.asarray(~np.isfinite(values).all(axis=1))
    good = ~bad & ~pruned & (violation <= 0.0)
    if not good.any():
        known = violation if violation.any() else _join(values, ~bad, weights)
        return np.where(bad, known[~bad].max(initial=0.0), known)
    joined = _join(values, good, weights)
    worst = joined[good].max()
    unknown = np.where(pruned & ~bad, np.maximum(joined, worst), worst)
    foreseen = pruned & (violation <= 0.0) & np.isfinite(expected)
    return np.where(good, joined, np.where(foreseen, expected, unknown))


def expected_values(
    values: Floats, pruned: NDArray[np.bool_], steps: Integers, reports: Callable[[int], Floats]
) -> Floats:
    """What pruned trials would have ended at, shape (m,); NaN where nobody knows, and for complete ones.

    A report better than a share q of the complete trials' reports at the same step stands for a value better than a
    share q of their values: a pruned trial need not be a bad one, and its last report compares with no final value.

    Args:
        values: Shape (m,), minimised.
        steps: Of the last reports, shape (m,); -1 without one.
        reports: What each of the m trials reported at a step, NaN where it did not.
    """
    expected = np.full(len(values), np.nan)
    for step in np.unique(steps[pruned & (steps >= 0)]).tolist():
        at_step = reports(step)
        peers = ~pruned & np.isfinite(at_step) & np.isfinite(values)
        if peers.any():
            here = pruned & (steps == step)
            expected[here] = np.interp(at_step[here], np.sort(at_step[peers]), np.sort(values[peers]))
    return expected


def _join(values: Floats, good: NDArray[np.bool_], weights: Floats) -> Floats:
    safe = np.where(np.isfinite(values), values, 0.0)
    if values.shape[1] == 1:
        return safe[:, 0]
    safe = safe / 2.0  # differences of the largest numbers overflow
    if not good.any():
        return np.zeros(len(values))
    low, high = safe[good].min(axis=0), safe[good].max(axis=0)
    scaled = weights * (safe - low) / np.where(high > low, high - low, 1.0)
    return np.asarray(scaled.max(axis=1) + 0.05 * scaled.sum(axis=1))


def _dominators(values: Floats) -> Integers:
    """By how many others each row is dominated."""
    counts = [np.count_nonzero((values <= row).all(axis=1) & (values < row).any(axis=1)) for row in values]
    return np.array(counts, dtype=np.int64)


def _crowding(values: Floats) -> Floats:
    """Crowding distance of the rows of a front: how far apart the neighbours are, summed over objectives."""
    distance = np.zeros(len(values))
    if not len(values):
        return distance
    for column in values.T / 2.0:
        order = np.argsort(column, kind="stable")
        spread = column[order[-1]] - column[order[0]]
        distance[order[[0, -1]]] = np.inf
        if spread > 0:
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / spread
    return distance
