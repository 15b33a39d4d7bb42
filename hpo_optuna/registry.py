"""Samplers by name: the one dotted line from the engine to the shelf."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Mapping
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler

from .errors import UserError

SAMPLERS = {
    "grid_search": "hpo_optuna.samplers.grid_search:GridSearchSampler",
    "random_search": "hpo_optuna.samplers.random_search:RandomSearchSampler",
    "pso": "hpo_optuna.samplers.pso:PSOSampler",
    "qmc": "hpo_optuna.samplers.qmc:QMCSampler",
    "spsa": "hpo_optuna.samplers.spsa:SPSASampler",
    # Optuna's own, built anew for each trial.
    "tpe": "hpo_optuna.optuna_samplers:TPE",
    "gp": "hpo_optuna.optuna_samplers:GP",
    "cmaes": "hpo_optuna.optuna_samplers:CMAES",
    "nsga2": "hpo_optuna.optuna_samplers:NSGA2",
}


def make_sampler(
    name: str, space: Mapping[str, BaseDistribution], *, seed: int | None = None, **options: Any
) -> BaseSampler:
    """Build a sampler.

    Args:
        name: a key of :data:`SAMPLERS`, or ``"your_module:YourSampler"``, whose constructor takes
            ``(search_space, *, seed, **options)``.
        space: name -> Optuna distribution.
        seed: of the sampler's randomness.
        options: further keyword arguments of the sampler.

    Raises:
        UserError: an unknown name, a module that does not import, or options that the sampler refuses.
    """
    module_name, class_name = _target(name)
    if not class_name:
        near = difflib.get_close_matches(name, SAMPLERS, n=2)
        meant = f"did you mean {' or '.join(near)}? There are" if near else "use one of"
        raise UserError(f"unknown sampler {name!r}; {meant} {', '.join(SAMPLERS)}, or 'your_module:YourSampler'.")
    try:
        make = getattr(importlib.import_module(module_name), class_name)
    except Exception as error:  # the user's module may fail in any way
        raise UserError(f"sampler {name!r} cannot be loaded: {type(error).__name__}: {error}.") from error
    try:
        sampler = make(dict(space), seed=seed, **options)
    except (TypeError, ValueError) as error:
        raise UserError(f"sampler {name!r} refuses its options {options!r}: {error}") from error
    if not isinstance(sampler, BaseSampler):
        raise UserError(f"{name!r} builds a {type(sampler).__name__}, which is no Optuna sampler.")
    return sampler


def figure_of(name: str) -> Callable[..., Any] | None:
    """The figure that a sampler's module draws of a study: its function ``figure(study, *, sampler)``, if it has one.

    It gives a plotly figure, rebuilt from the study's trials alone; ``sampler`` carries the options of the search.
    """
    module_name, _ = _target(name)
    try:
        draw = getattr(importlib.import_module(module_name), "figure", None)
    except Exception:  # a sampler that is not installed here, or an empty name
        return None
    return draw if callable(draw) else None


def _target(name: str) -> tuple[str, str]:
    module_name, _, class_name = SAMPLERS.get(name, name).partition(":")
    return module_name, class_name
