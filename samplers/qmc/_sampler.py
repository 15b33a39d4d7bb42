"""Quasi-random search: the trial of index i is point i of one scrambled Sobol sequence."""

# ruff: noqa: ARG002 (Optuna hands a sampler more than every sampler reads)

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from ._index import study_seed, trial_index
from ._points import MAX_DIMENSIONS, sobol_point, value_at

_EVIDENCE = (TrialState.COMPLETE, TrialState.PRUNED)


class QMCSampler(BaseSampler):
    """Walk along a scrambled Sobol sequence: random search whose points keep apart (Bergstra & Bengio 2012, sec. 5).

    Every trial reads its point from its index, so any number of processes walk along one sequence, and a study that
    was interrupted goes on where it stopped. The seed decides the scrambling (Owen 1995): replicates differ, and each
    is as even as the others. Any n = 2^k first points are the most even.

    Args:
        search_space:
            The declared space, name -> distribution: all of it is on the sequence from the first trial. None reads
            it from the first finished trial. Parameters that are not in it are drawn at random.
        seed:
            A non-negative integer. None derives one from the study (its name and the start of its first trial),
            the same in every process.

    Raises:
        ValueError: for a seed or a space that cannot be, naming it.
    """

    def __init__(self, search_space: Mapping[str, BaseDistribution] | None = None, *, seed: int | None = None) -> None:
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
            raise ValueError(f"seed must be a non-negative integer or None, got {seed!r}.")
        for name, distribution in (search_space or {}).items():
            if not isinstance(distribution, BaseDistribution):
                raise ValueError(f"search_space[{name!r}] must be an Optuna distribution, got {distribution!r}.")
        self._space = None if search_space is None else _movable(search_space)
        self._seed = seed
        if self._space is not None and len(self._space) > MAX_DIMENSIONS:
            raise ValueError(f"the Sobol sequence has {MAX_DIMENSIONS} dimensions, got {len(self._space)} parameters.")

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        if self._space is not None:
            return dict(self._space)
        first = next((t for t in _trials(study) if t.state in _EVIDENCE), None)
        return {} if first is None else _movable(first.distributions)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if not search_space:
            return {}
        seed, index = self._identify(study, trial)
        point = sobol_point(seed, len(search_space), index)
        return {name: value_at(search_space[name], u) for name, u in zip(sorted(search_space), point, strict=True)}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        # Not on the sequence: a second sequence of one dimension would be correlated with the first.
        seed, index = self._identify(study, trial)
        return value_at(
            param_distribution, np.random.default_rng([seed, index, zlib.crc32(param_name.encode())]).random()
        )

    def _identify(self, study: Study, trial: FrozenTrial) -> tuple[int, int]:
        trials = _trials(study)
        seed = study_seed(trials, study.study_name) if self._seed is None else self._seed
        return seed, trial_index(trials, trial.number)


def _trials(study: Study) -> Sequence[FrozenTrial]:
    # Not study.get_trials: pruners such as Hyperband show a sampler part of the trials only.
    return study._storage.get_all_trials(study._study_id, deepcopy=False)


def _movable(space: Mapping[str, BaseDistribution]) -> dict[str, BaseDistribution]:
    return {name: space[name] for name in sorted(space) if not space[name].single()}
