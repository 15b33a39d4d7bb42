"""Which points of a grid are done, taken or given up: read from the trials, which are the only record of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from optuna.trial import FrozenTrial, TrialState

from ._grid import Grid

POINT = "grid_search:point"  # on a trial: the point it claims
FAILURES = "grid_search:failures"  # on a trial: how often its point has failed by an exception
MAX_FAILURES = 3  # the first try and two more


@dataclass
class Ledger:
    """Points by what the trials say of them."""

    done: set[int] = field(default_factory=set)  # evaluated or pruned
    live: set[int] = field(default_factory=set)  # done, running or waiting
    given_up: set[int] = field(default_factory=set)  # failed three times, by an exception or in the end
    dead: set[int] = field(default_factory=set)  # every trial of it failed, and nobody has queued it again

    @property
    def taken(self) -> set[int]:
        return self.live | self.given_up


def read_ledger(grid: Grid, trials: Sequence[FrozenTrial], besides: int | None = None) -> Ledger:
    """The ledger of a study, leaving out the trial with the number `besides`."""
    ledger = Ledger()
    deaths = Counter[int]()
    for trial in trials:
        point = None if trial.number == besides else point_of(grid, trial)
        if point is None:
            continue
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
            ledger.done.add(point)
        if trial.state != TrialState.FAIL:
            ledger.live.add(point)
        elif trial.system_attrs.get(FAILURES, 0) >= MAX_FAILURES:
            ledger.given_up.add(point)
        elif trial.params:  # without, it died before it began: its claim is void
            deaths[point] += 1
    # A point that nobody queues again is left for the end, but not for ever: whoever gave it up knew why.
    abandoned = deaths.keys() - ledger.taken
    ledger.given_up |= {point for point in abandoned if deaths[point] >= MAX_FAILURES}
    ledger.dead |= abandoned - ledger.given_up
    return ledger


def point_of(grid: Grid, trial: FrozenTrial) -> int | None:
    """The point a trial evaluates: that of its parameters where they are all known, else the one it claims.

    What was evaluated counts, not what was claimed: the trial may have been enqueued, or be one of another grid.
    """
    params = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
    if all(name in params for name in grid.axes):
        return grid.number(params)
    claim = trial.system_attrs.get(POINT)
    return claim if isinstance(claim, int) and 0 <= claim < grid.size else None
