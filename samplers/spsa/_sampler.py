"""SPSA on Optuna: the trials of indices 2k and 2k + 1 are the two evaluations of iteration k."""

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

from ._cube import Cube, centres, to_value
from ._descent import Descent, Floats, start
from ._index import study_seed, trial_index
from ._pairs import best_position, centre_of, events, partners_centre, write_centre

_LEVELS = 3  # purpose of random numbers; 1 and 2 are the descent's


class SPSASampler(BaseSampler):
    """Follow an estimate of the gradient that costs two trials, however many the parameters (Spall 1992, 1998).

    The trials of indices 2k and 2k + 1 lie at theta + c_k delta and theta - c_k delta, delta a vector of random
    signs, in the unit cube of the space: logarithmic parameters by their logarithm, integers and steps in bins, far
    enough apart to lie in different bins. Theta then moves against the difference. It is computed from the finished
    trials at every ask, so any number of processes continue the same descent, now or after a crash.

    A category has no slope: both trials of a pair have the same one, which is that of the best trial, or, with
    probability (k + 1)^(-1/2), one drawn at random.

    Args:
        search_space:
            The declared space, name -> distribution. None infers it from the trials: what all of them have.
        seed:
            A non-negative integer. None derives one from the study (its name and the start of its first
            trial), the same in every process.
        step:
            How far the first difference moves every parameter, as a share of its range, in (0, 0.5]; the gain a of the
            theory is chosen to that end, from the scale of the first differences.
        perturbation:
            c: how far from theta the first pair lies, as a share of each range, in (0, 0.25].
        stability:
            A: how many iterations the steps take to shrink at first, at least 0; about a tenth of the iterations.

    Raises:
        ValueError: for an option outside its range, naming it; for a study with several objectives.
    """

    def __init__(
        self,
        search_space: Mapping[str, BaseDistribution] | None = None,
        *,
        seed: int | None = None,
        step: float = 0.1,
        perturbation: float = 0.05,
        stability: float = 5.0,
    ) -> None:
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
            raise ValueError(f"seed must be a non-negative integer or None, got {seed!r}.")
        for name, distribution in (search_space or {}).items():
            if not isinstance(distribution, BaseDistribution):
                raise ValueError(f"search_space[{name!r}] must be an Optuna distribution, got {distribution!r}.")
        self._space = None if search_space is None else _movable(search_space)
        self._seed = seed
        self._descent = Descent(
            step=_within("step", step, 0.5),
            perturbation=_within("perturbation", perturbation, 0.25),
            stability=_at_least_zero("stability", stability),
        )

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        self._raise_error_if_multi_objective(study)
        if self._space is not None:
            return dict(self._space)
        spaces = [t.distributions for t in study.get_trials(deepcopy=False) if _is_finished(t)]
        first = spaces[0] if spaces else {}
        return _movable({name: d for name, d in first.items() if all(space.get(name) == d for space in spaces)})

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        self._raise_error_if_multi_objective(study)
        if not search_space:
            return {}
        cube = Cube(search_space)
        seed, index = self._identify(study, trial)
        trials = study._storage.get_all_trials(study._study_id, deepcopy=False)
        centre = centre_of(trial, cube)  # a retry has its original's
        if centre is None:
            centre = partners_centre(trials, index, cube) if index % 2 else None
            if centre is None:
                centre = self._centre(trials, study, index // 2, cube, seed)
            if "fixed_params" not in trial.system_attrs:  # set by hand, it is no half of a pair
                write_centre(study, trial, cube, centre)
        pair = self._descent.pair(centre, index // 2, _keys(cube), seed, _half_bins(cube))
        return cube.to_params(np.where(cube.categorical, centre, pair[index % 2]))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        # A parameter that not every trial has is not part of the descent.
        self._raise_error_if_multi_objective(study)
        seed, index = self._identify(study, trial)
        u = np.random.default_rng([seed, index, zlib.crc32(param_name.encode())]).random()
        return to_value(param_distribution, u)

    def _centre(self, trials: Sequence[FrozenTrial], study: Study, k: int, cube: Cube, seed: int) -> Floats:
        """Theta of iteration k, shape (D,), with the categories of its pair."""
        keys = _keys(cube)
        known = events(trials, cube, study.direction)
        theta = self._descent.iterate(start(seed, keys), known, keys, seed, _half_bins(cube))
        best = best_position(trials, cube, study.direction)
        for j in map(int, np.flatnonzero(cube.categorical)):
            explore, u = np.random.default_rng([seed, k, _LEVELS, keys[j]]).random(2)
            anew = best is None or explore < (k + 1) ** -0.5
            theta[j] = _snapped(cube, j, u if anew or best is None else best[j])
        return np.asarray(theta.round(12))

    def _identify(self, study: Study, trial: FrozenTrial) -> tuple[int, int]:
        # Not study.get_trials: pruners such as Hyperband show a sampler part of the trials only.
        trials = study._storage.get_all_trials(study._study_id, deepcopy=False)
        seed = study_seed(trials, study.study_name) if self._seed is None else self._seed
        return seed, trial_index(trials, trial.number)


def _half_bins(cube: Cube) -> Floats:
    """Half of the widest bin of each coordinate, shape (D,): the first one's, on a logarithmic scale."""
    first = [
        0.0 if n is None else _first_bin(cube.space[name], n) for name, n in zip(cube.names, cube.levels, strict=True)
    ]
    return np.array(first) / 2.0


def _first_bin(distribution: BaseDistribution, n: int) -> float:
    if not getattr(distribution, "log", False):
        return 1.0 / n
    low = getattr(distribution, "low", 1.0)
    high = getattr(distribution, "high", 1.0)
    return float(np.log((low + 0.5) / (low - 0.5)) / np.log((high + 0.5) / (low - 0.5)))


def _snapped(cube: Cube, j: int, u: float) -> float:
    n = cube.levels[j]
    assert n is not None
    return float(centres(cube.space[cube.names[j]], np.array([np.floor(min(u, 1.0 - 1e-9) * n)]))[0])


def _keys(cube: Cube) -> list[int]:
    return [zlib.crc32(name.encode()) for name in cube.names]


def _movable(space: Mapping[str, BaseDistribution]) -> dict[str, BaseDistribution]:
    return {name: space[name] for name in sorted(space) if not space[name].single()}


def _is_finished(trial: FrozenTrial) -> bool:
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED)


def _within(name: str, value: Any, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value <= high:
        raise ValueError(f"{name} must be a number above 0 and at most {high:g}, got {value!r}.")
    return float(value)


def _at_least_zero(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < float("inf"):
        raise ValueError(f"{name} must be a finite number of at least 0, got {value!r}.")
    return float(value)
