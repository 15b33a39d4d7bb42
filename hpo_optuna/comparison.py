"""Every sampler against every other one, replicate by replicate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from .curves import common_grid, curve, is_done, values_of
from .records import StudyRecord
from .statistics import (
    SpeedUp,
    equivalence,
    holm,
    paired_difference,
    probability_better,
    speed_up,
    wilcoxon,
)
from .summary import labels

# The level at which a difference is claimed. Not 0.05: at 0.04, false claims stay below one in twenty with some room
# for scores that are not quite normal (benchmarks/verdict.py).
ALPHA = 0.04
EQUIVALENCE_ALPHA = 0.05  # of each of the two one-sided tests, the usual 90 % interval
WILCOXON_ALPHA = 0.05  # reported beside the verdict, which does not rest on it


@dataclass(frozen=True)
class Pair:
    """One sampler against another, in the unit of the scores; positive differences favour ``a``.

    Attributes:
        a, b: the samplers, the one with the better mean first.
        n: replicates in which both are finished.
        mean, sd, low, high: of the paired differences, with the 95 % Student-t interval.
        p, p_holm: of the paired t-test, and corrected for all comparisons of the plan by Holm's method.
        wilcoxon, wilcoxon_holm: the same of Wilcoxon's signed-rank test.
        better, better_low, better_high: share of replicates that ``a`` wins, with the Clopper-Pearson interval.
        p_equivalent: of two one-sided tests against the margin; NaN without a margin.
        speed_up: on the axis of epochs, or of trials where there are none.
    """

    a: str
    b: str
    n: int
    mean: float
    sd: float
    low: float
    high: float
    p: float
    p_holm: float
    wilcoxon: float
    wilcoxon_holm: float
    better: float
    better_low: float
    better_high: float
    p_equivalent: float
    speed_up: SpeedUp | None

    @property
    def differs(self) -> bool:
        """Whether a difference is found, all comparisons considered."""
        return self.p_holm <= ALPHA

    @property
    def equivalent(self) -> bool:
        """Whether the difference is shown to lie within the margin."""
        return self.p_equivalent <= EQUIVALENCE_ALPHA


def final_scores(records: Sequence[StudyRecord]) -> dict[str, dict[int, float]]:
    """Sampler -> replicate -> best score within the budget, of the studies that have spent it.

    Where a study states no budget, all are read at the trials that each of them has finished.
    """
    found: dict[str, dict[int, float]] = {name: {} for name in labels(records)}
    shared = shared_trials(records)
    for record in records:
        of = curve(record)
        final = of.final if shared is None else float(of.at(np.array([float(shared)]))[0])
        if (shared is not None or is_done(record)) and final is not None and not math.isnan(final):
            found[record.label][record.replicate] = final
    return found


def shared_trials(records: Sequence[StudyRecord]) -> int | None:
    """Trials that all studies have finished, where one of them states no budget; None where all state one."""
    stated = all((p := r.attrs.get("planned") or {}).get("trials") or p.get("epochs") for r in records)
    return None if stated else min(len(r.finished) for r in records)


def compare(
    scores: Mapping[str, Mapping[int, float]],
    *,
    direction: str = "maximize",
    margin: float | None = None,
    faster: Callable[[str, str, Sequence[int]], SpeedUp | None] | None = None,
) -> tuple[Pair, ...]:
    """Compare every sampler with every other one over the replicates that both have finished.

    Args:
        scores: sampler -> replicate -> final score.
        direction: ``"maximize"`` or ``"minimize"``.
        margin: of equivalence, in the unit of the scores.
        faster: (a, b, replicates) -> speed-up of ``a`` over ``b``, if that is wanted.
    """
    sign = 1.0 if direction == "maximize" else -1.0
    rows = []
    for one, other in combinations(scores, 2):
        both = sorted(set(scores[one]) & set(scores[other]))
        if not both:
            continue
        x, y = (sign * np.array([scores[name][r] for r in both]) for name in (one, other))
        if x.mean() < y.mean():
            one, other, x, y = other, one, y, x
        rows.append((one, other, x, y, faster(one, other, both) if faster else None))
    tests = [(paired_difference(x, y), wilcoxon(x, y)) for _, _, x, y, _ in rows]
    p_holm, wilcoxon_holm = holm([d.p for d, _ in tests]), holm([w for _, w in tests])
    return tuple(
        Pair(
            one, other, d.n, d.mean, d.sd, d.low, d.high, d.p, p_holm[i], w, wilcoxon_holm[i],
            *probability_better(x, y), math.nan if margin is None else equivalence(x, y, margin), gain,
        )
        for i, ((one, other, x, y, gain), (d, w)) in enumerate(zip(rows, tests, strict=True))
    )  # fmt: skip


def speed(records: Sequence[StudyRecord], a: str, b: str, replicates: Sequence[int]) -> SpeedUp | None:
    """Speed-up of ``a`` over ``b`` in epochs, or in trials where a trial has one epoch or none."""
    axis = speed_axis(records)
    shared = shared_trials(records)
    chosen = {(r.label, r.replicate): curve(r, axis) for r in records if r.label in (a, b)}
    grid = common_grid(list(chosen.values()), axis)
    if shared is not None:  # studies without a plan have no end: as far as all of them go
        grid = grid[grid <= min(c.spent for c in chosen.values())]
    if not len(grid):
        return None
    sign = 1.0 if records[0].direction == "maximize" else -1.0
    of_a, of_b = (sign * values_of([chosen[name, r] for r in replicates], grid) for name in (a, b))
    return speed_up(of_a, of_b, grid)


def speed_axis(records: Sequence[StudyRecord]) -> Literal["epochs", "trials"]:
    """What is spent: epochs, unless no trial has more than one."""
    return "epochs" if any(t.epochs > 1 for r in records for t in r) else "trials"


def pooled_sd(pairs: Sequence[Pair]) -> float:
    """Root mean square of the pairs' SDs: what differences between two studies scatter by."""
    known = [p.sd for p in pairs if not math.isnan(p.sd)]
    return float(np.sqrt(np.mean(np.square(known)))) if known else math.nan
