"""Random search whose every draw is a function of the seed, the trial's index and the parameter's name."""

# ruff: noqa: ARG002 (Optuna hands a sampler more than every sampler reads)

from __future__ import annotations

import datetime
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from ._index import study_seed, trial_index


class RandomSearchSampler(BaseSampler):
    """Draw every parameter independently and uniformly (Bergstra & Bengio 2012, JMLR 13:281-305).

    Each draw is ``default_rng([seed, index, crc32(name)])``: a resumed study goes on where it stopped instead of
    repeating its first trials, workers with equal seeds do not repeat each other, and adding a parameter changes
    the draws of no other. Parameters with ``log=True`` are uniform in their logarithm.

    Args:
        search_space:
            The declared space, name -> distribution: an objective that asks for another range of one of these
            names is told so. Other names are drawn as asked.
        seed:
            A non-negative integer. None derives one from the study (its name and the start of its first trial),
            the same in every process.

    Raises:
        ValueError: if the seed is negative or the space names something that is not a distribution.
    """

    def __init__(self, search_space: Mapping[str, BaseDistribution] | None = None, *, seed: int | None = None) -> None:
        if seed is not None and seed < 0:
            raise ValueError(f"seed must be a non-negative integer or None, got {seed}.")
        for name, distribution in (search_space or {}).items():
            if not isinstance(distribution, BaseDistribution):
                raise ValueError(f"search_space[{name!r}] must be an Optuna distribution, got {distribution!r}.")
        self._space = dict(search_space or {})
        self._seed = seed
        self._last: tuple[_TrialKey, int, int] | None = None

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {name: distribution for name, distribution in self._space.items() if not distribution.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {name: self._draw(study, trial, name, search_space[name]) for name in search_space}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        declared = self._space.get(param_name, param_distribution)
        if declared != param_distribution:
            raise ValueError(
                f"The objective asks for {param_name!r} in {param_distribution}, but the declared space has "
                f"{declared}; make the two agree."
            )
        return self._draw(study, trial, param_name, param_distribution)

    def _draw(self, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution) -> Any:
        seed, index = self._identify(study, trial)
        return _value_at(distribution, np.random.default_rng([seed, index, zlib.crc32(name.encode())]).random())

    def _identify(self, study: Study, trial: FrozenTrial) -> tuple[int, int]:
        """Seed and index of this trial; remembered until the next one, to read the trials once and not per name."""
        key = (study.study_name, study._study_id, trial.number, trial.datetime_start)
        last = self._last
        if last is None or last[0] != key:
            # Not study.get_trials: pruners such as Hyperband show a sampler part of the trials only.
            trials = study._storage.get_all_trials(study._study_id, deepcopy=False)
            seed = study_seed(trials, study.study_name) if self._seed is None else self._seed
            last = self._last = (key, seed, trial_index(trials, trial.number))
        return last[1], last[2]


_TrialKey = tuple[str, int, int, datetime.datetime | None]


def _value_at(distribution: BaseDistribution, u: float) -> Any:
    """The value at the quantile u in [0, 1) of a distribution; steps and integers have bins of equal probability."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[int(u * len(distribution.choices))]
    if isinstance(distribution, IntDistribution):
        low, high, step = distribution.low, distribution.high, distribution.step
        if distribution.log:  # half a unit more at both ends, so that these are not drawn half as often
            return min(max(round(_geometric(low - 0.5, high + 0.5, u)), low), high)
        return low + step * int(u * ((high - low) // step + 1))
    if isinstance(distribution, FloatDistribution):
        low_, high_ = distribution.low, distribution.high
        if distribution.log:
            return min(max(_geometric(low_, high_, u), low_), high_)
        if distribution.step is not None:
            n_levels = round((high_ - low_) / distribution.step) + 1
            return min(low_ + distribution.step * int(u * n_levels), high_)
        return min(low_ + (high_ - low_) * u, high_)
    raise ValueError(f"{type(distribution).__name__} is not a distribution that random search knows.")


def _geometric(low: float, high: float, u: float) -> float:
    return math.exp(math.log(low) + u * (math.log(high) - math.log(low)))
