"""Samplers by name: the one dotted line from the engine to the shelf."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler

from .errors import UserError

SAMPLERS = {
    "grid_search": "hpo_optuna.samplers.grid_search:GridSearchSampler",
    "random_search": "hpo_optuna.samplers.random_search:RandomSearchSampler",
    "pso": "hpo_optuna.samplers.pso:PSOSampler",
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
    target = SAMPLERS.get(name, name)
    module_name, _, class_name = target.partition(":")
    if not class_name:
        raise UserError(f"unknown sampler {name!r}; use one of {', '.join(SAMPLERS)}, or 'your_module:YourSampler'.")
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
