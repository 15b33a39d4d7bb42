"""Optuna's own samplers under the law of the house: nothing lives in a Python object between two trials.

Optuna's samplers draw from a stream: given a fixed seed, they repeat their first draws after every reload, and in every
worker. Here each trial has a sampler of its own, built with a seed that is a function of (seed, index): it reads the
trials, suggests, and is thrown away.
"""

# ruff: noqa: ARG002 (Optuna hands a sampler more than every sampler reads)

from __future__ import annotations

import copy
import importlib.util
import warnings
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from .cma_state import guarded
from .records import read_trials

_RELATIVE = 0  # purpose of random numbers; independent draws have a hash of the parameter's name


class PerTrialSampler(BaseSampler):
    """One of Optuna's samplers, built anew for each trial, under the same name to ``isinstance``.

    The space is read from the trials, as Optuna does: a declared one changes nothing.
    """

    _original: type[BaseSampler]
    _study_seed: int | None
    _options: dict[str, Any]
    _last: tuple[Any, tuple[int, int]] | None = None  # an optimisation, nothing to keep

    def _configure(self, seed: int | None, options: dict[str, Any]) -> None:
        """Remember the options, after trying them: what Optuna refuses is refused at once."""
        self._study_seed, self._options = seed, options
        self.build(0)

    def build(self, seed: int) -> BaseSampler:
        """Optuna's sampler with these options and this seed."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # of options that the user chose by name
            return self._original(seed=seed, **self._options)  # type: ignore[call-arg]

    def index_and_seed(self, study: Study, trial: FrozenTrial) -> tuple[int, int]:
        """The trial's index, and the seed of the study; remembered until the next trial, to read the trials once."""
        key = (study.study_name, study._study_id, trial.number, trial.datetime_start)
        last = self._last
        if last is None or last[0] != key:
            last = self._last = (key, self._identify(study, trial))
        return last[1]

    def _identify(self, study: Study, trial: FrozenTrial) -> tuple[int, int]:
        # Not study.get_trials: Hyperband shows a sampler part of the trials only.
        trials = study._storage.get_all_trials(study._study_id, deepcopy=False)
        index = read_trials(trials[: trial.number + 1])[trial.number].index
        if self._study_seed is not None:
            return index, self._study_seed
        # As in the samplers of the shelf: the same in every process that works on the study.
        return index, zlib.crc32(f"{study.study_name} {trials[0].datetime_start}".encode())

    def _of(self, study: Study, trial: FrozenTrial, purpose: int) -> BaseSampler:
        index, seed = self.index_and_seed(study, trial)
        return self.build(int(np.random.SeedSequence([seed, index, purpose]).generate_state(1)[0]))

    def reseed_rng(self) -> None:
        """Nothing: no two trials share a seed, in whatever process."""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self.build(0).infer_relative_search_space(study, trial)  # draws nothing

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        sampler = self._of(study, trial, _RELATIVE)
        if self._options.get("group"):
            sampler.infer_relative_search_space(study, trial)  # TPE remembers the groups from there
        return sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        sampler = self._of(study, trial, zlib.crc32(param_name.encode()))
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Nothing: of these samplers none does anything here."""

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self.build(0).after_trial(study, trial, state, values)  # draws nothing


class TPE(PerTrialSampler, TPESampler):
    """Tree-structured Parzen estimator (Bergstra et al. 2011; Watanabe 2023): `optuna.samplers.TPESampler`.

    Args:
        search_space: accepted as by every sampler; the space is read from the trials.
        seed: a non-negative integer; None derives one from the study.
        n_startup_trials: random trials before the first estimate, at least 0.
        n_ei_candidates: draws from the density of good trials, of which the best is taken; at least 1.
        multivariate: one density of all parameters instead of one each; None: where there is one objective.
        group: several such densities, for conditional spaces (experimental in Optuna).
        constant_liar: keep away from what other workers are running.

    Raises:
        ValueError: naming the option that is out of range.
    """

    _original = TPESampler

    def __init__(
        self,
        search_space: Mapping[str, BaseDistribution] | None = None,
        *,
        seed: int | None = None,
        n_startup_trials: int = 10,
        n_ei_candidates: int = 24,
        multivariate: bool | None = None,
        group: bool = False,
        constant_liar: bool = True,
    ) -> None:
        options = {
            "n_startup_trials": _whole("n_startup_trials", n_startup_trials, 0),
            "n_ei_candidates": _whole("n_ei_candidates", n_ei_candidates, 1),
            "multivariate": None if multivariate is None else _truth("multivariate", multivariate),
            "group": _truth("group", group),
            "constant_liar": _truth("constant_liar", constant_liar),
        }
        self._configure(_seed(seed), options)


class GP(PerTrialSampler, GPSampler):
    """Bayesian optimization by a Gaussian process and expected improvement: `optuna.samplers.GPSampler`. Needs torch.

    Args:
        search_space: accepted as by every sampler; the space is read from the trials.
        seed: a non-negative integer; None derives one from the study.
        n_startup_trials: random trials before the first model, at least 0.
        deterministic_objective: whether a configuration always has the same score (experimental in Optuna).

    Raises:
        ValueError: naming the option that is out of range, or the package that is missing.
    """

    _original = GPSampler

    def __init__(
        self,
        search_space: Mapping[str, BaseDistribution] | None = None,
        *,
        seed: int | None = None,
        n_startup_trials: int = 10,
        deterministic_objective: bool = False,
    ) -> None:
        _installed("torch", "the Gaussian process")
        options = {
            "n_startup_trials": _whole("n_startup_trials", n_startup_trials, 0),
            "deterministic_objective": _truth("deterministic_objective", deterministic_objective),
            "warn_independent_sampling": False,
        }
        self._configure(_seed(seed), options)


class CMAES(PerTrialSampler, CmaEsSampler):
    """Covariance matrix adaptation evolution strategy (Hansen 2016): `optuna.samplers.CmaEsSampler`. Needs cmaes.

    Categorical parameters are drawn at random, as are those of the first trials. Optuna keeps the strategy's state in
    the trials; it adds the trial's number to its seed, and is shown the index for it.

    Args:
        search_space: accepted as by every sampler; the space is read from the trials.
        seed: a non-negative integer; None derives one from the study.
        n_startup_trials: complete trials before the strategy starts, at least 0.
        popsize: trials of a generation, at least 4; None: 4 + 3 log(number of parameters).
        consider_pruned_trials: learn from pruned trials' last scores too (experimental in Optuna, as are the rest).
        use_separable_cma: a diagonal covariance matrix, for many parameters.
        with_margin: keep integers and steps from settling on one value too early.
        lr_adapt: adapt the learning rate, for noisy and multimodal objectives.

    Raises:
        ValueError: naming the option that is out of range, or the package that is missing.
    """

    _original = CmaEsSampler

    def __init__(
        self,
        search_space: Mapping[str, BaseDistribution] | None = None,
        *,
        seed: int | None = None,
        n_startup_trials: int = 1,
        popsize: int | None = None,
        consider_pruned_trials: bool = False,
        use_separable_cma: bool = False,
        with_margin: bool = False,
        lr_adapt: bool = False,
    ) -> None:
        _installed("cmaes", "CMA-ES")
        options = {
            "n_startup_trials": _whole("n_startup_trials", n_startup_trials, 0),
            "popsize": None if popsize is None else _whole("popsize", popsize, 4),
            "consider_pruned_trials": _truth("consider_pruned_trials", consider_pruned_trials),
            "use_separable_cma": _truth("use_separable_cma", use_separable_cma),
            "with_margin": _truth("with_margin", with_margin),
            "lr_adapt": _truth("lr_adapt", lr_adapt),
            "warn_independent_sampling": False,
        }
        self._configure(_seed(seed), options)

    def build(self, seed: int) -> BaseSampler:
        return guarded(super().build(seed))

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        shown = copy.copy(trial)
        shown.number = self.index_and_seed(study, trial)[0]
        return self._of(study, trial, _RELATIVE).sample_relative(study, shown, search_space)


class NSGA2(PerTrialSampler, NSGAIISampler):
    """The genetic algorithm NSGA-II (Deb et al. 2002), one objective or several: `optuna.samplers.NSGAIISampler`.

    Args:
        search_space: accepted as by every sampler; the space is read from the trials.
        seed: a non-negative integer; None derives one from the study.
        population_size: complete trials of a generation, at least 2. Optuna's default of 50 would make most studies of
            a comparison a random search; the first generation always is one.
        mutation_prob: of drawing a parameter anew; None: 1 / (number of parameters).
        crossover_prob: of mixing two parents instead of copying one.
        swapping_prob: of taking a parameter from the second parent.

    Raises:
        ValueError: naming the option that is out of range.
    """

    _original = NSGAIISampler

    def __init__(
        self,
        search_space: Mapping[str, BaseDistribution] | None = None,
        *,
        seed: int | None = None,
        population_size: int = 10,
        mutation_prob: float | None = None,
        crossover_prob: float = 0.9,
        swapping_prob: float = 0.5,
    ) -> None:
        options = {
            "population_size": _whole("population_size", population_size, 2),
            "mutation_prob": None if mutation_prob is None else _probability("mutation_prob", mutation_prob),
            "crossover_prob": _probability("crossover_prob", crossover_prob),
            "swapping_prob": _probability("swapping_prob", swapping_prob),
        }
        self._configure(_seed(seed), options)
        self.population_size = population_size

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        # A configuration set by hand was never asked for, and would belong to no generation.
        sampler = self.build(0)
        assert isinstance(sampler, NSGAIISampler)
        sampler.get_trial_generation(study, trial)
        sampler.after_trial(study, trial, state, values)


def _seed(seed: int | None) -> int | None:
    return None if seed is None else _whole("seed", seed, 0)


def _whole(name: str, value: Any, low: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ValueError(f"{name} must be a whole number of at least {low}, got {value!r}.")
    return value


def _probability(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must be a number between 0 and 1, got {value!r}.")
    return float(value)


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, got {value!r}.")
    return value


def _installed(package: str, what: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise ValueError(f"{what} needs the package {package}; install it: pip install {package}.")
