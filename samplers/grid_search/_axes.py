"""The values a grid takes on each parameter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

Points = int | Mapping[str, int | Sequence[Any]]
_MAX_VALUES = 1_000_000  # of one parameter: each is a Python number


def grid_axes(space: Mapping[str, BaseDistribution], points: Points) -> dict[str, tuple[Any, ...]]:
    """The grid's values by parameter; parameters in order of name, so that a grid is its content, not its writing.

    Raises:
        ValueError: for a name, a count or a value that does not fit the space, naming it.
    """
    if not space:
        raise ValueError("search_space must name at least one parameter, got an empty mapping.")
    for name, distribution in space.items():
        if not isinstance(distribution, CategoricalDistribution | FloatDistribution | IntDistribution):
            raise ValueError(f"search_space[{name!r}] must be an Optuna distribution, got {distribution!r}.")
    if isinstance(points, Mapping):
        unknown = sorted(set(points) - set(space))
        if unknown:
            raise ValueError(f"points names {unknown[0]!r}, but the space has only {sorted(space)}.")
        missing = sorted(set(space) - set(points))
        if missing:
            raise ValueError(f"points has no entry for {missing[0]!r}: give a number of points or a list of values.")
    return {
        name: _axis(name, space[name], points[name] if isinstance(points, Mapping) else points)
        for name in sorted(space)
    }


def _axis(name: str, distribution: BaseDistribution, wanted: int | Sequence[Any]) -> tuple[Any, ...]:
    if isinstance(wanted, bool) or not isinstance(wanted, int | Sequence) or isinstance(wanted, str):
        raise ValueError(f"points of {name!r} must be a number of points or a list of values, got {wanted!r}.")
    if not isinstance(wanted, int):
        return _explicit(name, distribution, wanted)
    if wanted < 1:
        raise ValueError(f"points of {name!r} must be at least 1, got {wanted}.")
    if wanted > _MAX_VALUES:
        raise ValueError(f"points of {name!r} must be at most {_MAX_VALUES:,}, got {wanted}.")
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices  # no two of its choices are nearer than others: take all
    if isinstance(distribution, IntDistribution):
        return _integers(distribution, wanted)
    assert isinstance(distribution, FloatDistribution)
    return _floats(distribution, wanted)


def _explicit(name: str, distribution: BaseDistribution, values: Sequence[Any]) -> tuple[Any, ...]:
    if not values:
        raise ValueError(f"points of {name!r} must have at least one value, got an empty list.")
    axis: list[Any] = []
    for value in values:
        try:
            internal = distribution.to_internal_repr(value)
        except ValueError:
            internal = math.nan
        if math.isnan(internal) or not distribution._contains(internal):
            raise ValueError(f"points of {name!r} has {value!r}, which is not a value of {distribution}.")
        axis.append(distribution.to_external_repr(internal))
    if len({distribution.to_internal_repr(value) for value in axis}) < len(axis):
        raise ValueError(f"points of {name!r} names a value twice: {list(values)}.")
    return tuple(axis)


def _integers(distribution: IntDistribution, wanted: int) -> tuple[int, ...]:
    low, high, step = distribution.low, distribution.high, distribution.step
    if distribution.log:
        values = np.rint(_spread(low, high, wanted, log=True)).astype(int)
    else:
        values = low + step * np.rint(_spread(0, (high - low) // step, wanted)).astype(int)
    return tuple(int(value) for value in np.unique(np.clip(values, low, high)))


def _floats(distribution: FloatDistribution, wanted: int) -> tuple[float, ...]:
    low, high, step = distribution.low, distribution.high, distribution.step
    if step is None:
        values = _spread(low, high, wanted, log=distribution.log)
    else:
        values = low + step * np.unique(np.rint(_spread(0, round((high - low) / step), wanted)))
    # Twelve digits: 0.3, as a user would enqueue it, and not 0.30000000000000004.
    tidy = (min(max(float(f"{value:.12g}"), low), high) for value in values)
    return tuple(dict.fromkeys(tidy))


def _spread(low: float, high: float, n: int, *, log: bool = False) -> np.ndarray[Any, np.dtype[np.float64]]:
    """n values from low to high, both included, at equal distances (equal ratios if log); for n = 1 the middle."""
    if n == 1:
        return np.array([math.sqrt(low) * math.sqrt(high) if log else low + (high - low) / 2])
    return np.geomspace(low, high, n) if log else np.linspace(low, high, n)
