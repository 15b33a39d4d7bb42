"""Grid search on Optuna: the trials are the only record of which points are taken, tried and done."""

# ruff: noqa: ARG002 (Optuna hands a sampler more than every sampler reads)

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from ._axes import Points
from ._grid import Grid
from ._index import study_seed, trial_index
from ._ledger import FAILURES, MAX_FAILURES, POINT, point_of, read_ledger

_PATIENCE, _PAUSE = 200, 0.01  # how often, and after how many seconds, a contested claim is looked at again


class GridExhausted(RuntimeError):
    """No point of the grid is left to try. The trial that met this evaluated nothing and counts nowhere."""


class GridSearchSampler(BaseSampler):
    """Evaluate every point of a grid exactly once, in an order shuffled by the seed.

    The trial of index i takes point i of the order, so a search that ends early has seen a fair sample of the grid.
    What it takes is written on the trial (one integer) before it runs; a point taken by another trial, enqueued by
    the user or evaluated before is not taken again. A trial that fails by an exception is queued again, twice at
    most. When every point is tried, ``study.optimize`` ends by itself.

    Args:
        search_space:
            Name -> distribution. Logarithmic ranges are cut geometrically, steps are kept, the ends are included.
        points:
            How many values of each parameter (categorical parameters: always all choices; integers: as many as
            there are), or a mapping with a number or a list of values for every parameter. 1 is the middle.
        seed:
            A non-negative integer that fixes the order. None derives one from the study (its name and the start
            of its first trial), the same in every process.

    Raises:
        ValueError: for values outside the space, empty or double entries, and grids above 50 million points.
    """

    def __init__(
        self,
        search_space: Mapping[str, BaseDistribution],
        *,
        points: Points = 3,
        seed: int | None = None,
    ) -> None:
        if seed is not None and seed < 0:
            raise ValueError(f"seed must be a non-negative integer or None, got {seed}.")
        self._grid = Grid(search_space, points)
        self._seed = seed

    @property
    def n_points(self) -> int:
        """How many points the grid has."""
        return self._grid.size

    def remaining(self, study: Study) -> int:
        """How many points are left to ask for: taken by no waiting, running or finished trial, not given up."""
        return self.n_points - len(read_ledger(self._grid, _all_trials(study)).taken)

    def is_exhausted(self, study: Study) -> bool:
        """Whether every point has been evaluated (or pruned), or was given up after three failures."""
        ledger = read_ledger(self._grid, _all_trials(study))
        return len(ledger.done | ledger.given_up) == self.n_points

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        # Optuna gives parameters of a single value without asking the sampler; after one of these an exhausted
        # grid could no longer be reported before the first suggestion. So such grids are asked now.
        if trial.params or not any(distribution.single() for distribution in self._grid.space.values()):
            return
        try:
            self._claim(study, trial)
        except GridExhausted:
            _stop(study)
            _close(study, trial)  # an exception of `ask` would leave it RUNNING for ever
            raise

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {name: dist for name, dist in self._grid.space.items() if not dist.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        fixed = self.infer_relative_search_space(study, trial).keys() - search_space.keys()
        if fixed:  # PartialFixedSampler: it would evaluate other points than those claimed
            raise ValueError(f"{min(fixed)!r} is fixed outside of the grid; give its value in points instead.")
        return self._claim_or_end(study, trial)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        if param_name not in self._grid.axes:
            raise ValueError(f"The objective asks for {param_name!r}, but the grid has only {list(self._grid.axes)}.")
        value = self._claim_or_end(study, trial)[param_name]
        if not param_distribution._contains(param_distribution.to_internal_repr(value)):
            raise ValueError(
                f"The grid gives {param_name!r} the value {value!r}, but the objective asks for "
                f"{param_distribution}; make the grid's space and the objective's agree."
            )
        return value

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        if state == TrialState.FAIL and trial.params and point_of(self._grid, trial) is not None:
            self._queue_again(study, trial)
        trials = _all_trials(study)  # this trial is still RUNNING among them
        nothing_left = len(read_ledger(self._grid, trials).taken) == self.n_points
        if nothing_left and not any(t.state == TrialState.WAITING for t in trials):
            _stop(study)

    def _claim_or_end(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        try:
            return self._grid.point(self._claim(study, trial))
        except GridExhausted:
            if not _stop(study):
                _close(study, trial)  # where `ask(space)` raises, the caller never gets the trial to `tell`
            raise

    def _claim(self, study: Study, trial: FrozenTrial) -> int:
        """Take a point for this trial: write the claim, read again, and give way if somebody else has it too.

        Two trials that claim a point at the same moment both write before they read, so at least one sees the other.
        The later one gives way; the earlier waits until it has, or until it is seen to have begun with it.
        """
        for attempt in range(2 * _PATIENCE):
            trials = _all_trials(study)
            me = next((t for t in trials if t.number == trial.number), trial)
            claim = me.system_attrs.get(POINT)
            if claim is not None and 0 <= claim < self.n_points:
                rivals = [t for t in trials if t.number != me.number and self._holds(t, claim)]
                if not rivals:
                    return int(claim)
                undecided = all(t.state == TrialState.RUNNING and not t.params for t in rivals)
                if undecided and me.number < min(t.number for t in rivals) and attempt < _PATIENCE:
                    time.sleep(_PAUSE)
                    continue
            point = self._choose(study, trials, me)
            if point is None:
                return self._fill(study, trials, me)
            _write(study, trial, POINT, point)
        raise RuntimeError(f"Trial {trial.number} found no uncontested point in {2 * _PATIENCE} attempts.")

    def _holds(self, trial: FrozenTrial, point: int) -> bool:
        return trial.state != TrialState.FAIL and point_of(self._grid, trial) == point

    def _choose(self, study: Study, trials: Sequence[FrozenTrial], me: FrozenTrial) -> int | None:
        """The point of this trial's index if it is free, else the first free one, else one whose trials all died."""
        ledger = read_ledger(self._grid, trials, besides=me.number)
        order = self._grid.order(self._seed_of(study, trials))
        given = self._given(me)
        index = trial_index(trials, me.number)
        if not given and index < self.n_points:
            point = int(order[index])
            if point not in ledger.taken and point not in ledger.dead:
                return point
        taken = ledger.taken
        last_resort: int | None = None
        for point in self._grid.agreeing(order, given):
            if point not in taken:
                if point not in ledger.dead:
                    return point
                last_resort = point if last_resort is None else last_resort
        return last_resort

    def _fill(self, study: Study, trials: Sequence[FrozenTrial], me: FrozenTrial) -> int:
        """Nothing is left to claim: complete what the user enqueued in part, else the grid is exhausted."""
        given = self._given(me)
        if not given:
            raise GridExhausted(
                f"All {self.n_points} points of the grid are evaluated or being evaluated; trial {me.number} evaluates "
                "nothing. Give the grid more points, or ask sampler.remaining(study) before asking for a trial."
            )
        order = self._grid.order(self._seed_of(study, trials))
        by_index = int(order[trial_index(trials, me.number) % self.n_points])
        return next(self._grid.agreeing(order, given), by_index)

    def _given(self, trial: FrozenTrial) -> dict[str, Any]:
        """Parameters of this trial that are fixed already: enqueued by the user, or suggested before."""
        params = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
        return {name: params[name] for name, axis in self._grid.axes.items() if name in params and len(axis) > 1}

    def _seed_of(self, study: Study, trials: Sequence[FrozenTrial]) -> int:
        return study_seed(trials, study.study_name) if self._seed is None else self._seed

    def _queue_again(self, study: Study, trial: FrozenTrial) -> None:
        """Queue a failed point again, as Optuna's RetryHeartbeatStaleTrialCallback queues one whose worker died.

        What the objective and the pruner wrote of the try that failed does not go with it.
        """
        history = [*trial.system_attrs.get("retry_history", []), trial.number]
        if any(t.system_attrs.get("retry_history") == history for t in _all_trials(study)):
            return  # whoever stopped the trial has queued it already: not a failure of the point
        failures = trial.system_attrs.get(FAILURES, 0) + 1
        _write(study, trial, FAILURES, failures)
        if failures >= MAX_FAILURES:
            return
        attrs = {k: v for k, v in trial.system_attrs.items() if not k.startswith("completed_rung_")}
        attrs |= {"failed_trial": history[0], "retry_history": history, FAILURES: failures}
        again = create_trial(
            state=TrialState.WAITING, params=trial.params, distributions=trial.distributions, system_attrs=attrs
        )
        # Not study.add_trial: the study that Hyperband shows to a sampler does not have it.
        study._storage.create_new_trial(study._study_id, again)


def _all_trials(study: Study) -> list[FrozenTrial]:
    # Not study.get_trials: pruners such as Hyperband show a sampler part of the trials only.
    return study._storage.get_all_trials(study._study_id, deepcopy=False)


def _write(study: Study, trial: FrozenTrial, key: str, value: int) -> None:
    # Private, but what Optuna's own samplers do: since 5.0 there is no public way.
    study._storage.set_trial_system_attr(trial._trial_id, key, value)


def _stop(study: Study) -> bool:
    """End study.optimize after this trial; False outside of it."""
    with contextlib.suppress(RuntimeError):
        study.stop()
        return True
    return False


def _close(study: Study, trial: FrozenTrial) -> None:
    study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
