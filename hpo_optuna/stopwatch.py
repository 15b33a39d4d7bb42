"""What a sampler costs: the time spent inside it, written on each trial."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from .records import SAMPLER_MS


class TimedSampler(BaseSampler):
    """``sampler``, with the milliseconds that it took for a trial in one attribute of that trial.

    By the clock: what the sampler itself reads and writes of the database is part of that, as a busy machine is;
    Optuna's writing of what it chose is not.
    """

    def __init__(self, sampler: BaseSampler) -> None:
        self._sampler = sampler
        self._spent = 0.0

    def __getattr__(self, name: str) -> Any:  # what only some samplers have, as a grid's points
        if name == "_sampler":  # asked for by unpickling, before there is one
            raise AttributeError(name)
        return getattr(self._sampler, name)

    def __str__(self) -> str:
        return str(self._sampler)

    def reseed_rng(self) -> None:
        self._sampler.reseed_rng()

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._spent = 0.0
        self._timed(self._sampler.before_trial, study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        space: dict[str, BaseDistribution] = self._timed(self._sampler.infer_relative_search_space, study, trial)
        return space

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        params: dict[str, Any] = self._timed(self._sampler.sample_relative, study, trial, search_space)
        return params

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._timed(self._sampler.sample_independent, study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self._timed(self._sampler.after_trial, study, trial, state, values)
        if state == TrialState.FAIL:
            return
        try:
            study._storage.set_trial_user_attr(trial._trial_id, SAMPLER_MS, round(1000 * self._spent, 3))
        except UpdateFinishedTrialError:
            pass  # taken away by another worker

    def _timed(self, call: Callable[..., Any], *args: Any) -> Any:
        began = time.perf_counter()
        try:
            return call(*args)
        finally:
            self._spent += time.perf_counter() - began
