"""Search space <-> unit cube: logarithmic scales become linear, discrete values become centres of bins."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cube:
    """The unit cube of a space; one coordinate a parameter, in order of name.

    Floats are scaled, by their logarithm if ``log``. Integers and floats with a step lie in the centres of bins of
    equal width; integers with ``log`` in bins of equal ratio, [log(v - 1/2), log(v + 1/2)] for the value v. The
    level of a categorical parameter has a bin too, but no order: see ``categorical``.
    """

    space: Mapping[str, BaseDistribution]

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self.space))

    @cached_property
    def levels(self) -> tuple[int | None, ...]:
        """How many values each parameter has; None for a continuous one."""
        return tuple(_levels(self.space[name]) for name in self.names)

    @cached_property
    def discrete(self) -> NDArray[np.bool_]:
        return np.array([n is not None for n in self.levels], dtype=bool)

    @cached_property
    def categorical(self) -> NDArray[np.bool_]:
        return np.array([isinstance(self.space[n], CategoricalDistribution) for n in self.names], dtype=bool)

    @cached_property
    def n_cells(self) -> int | None:
        """How many configurations there are; None if a parameter is continuous."""
        return math.prod(n for n in self.levels if n is not None) if self.discrete.all() else None

    def cells(self) -> Floats:
        """All configurations of a discrete space, shape (n_cells, D)."""
        axes = [
            centres(self.space[name], np.arange(n, dtype=float))
            for name, n in zip(self.names, self.levels, strict=True)
            if n is not None
        ]
        return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)

    def to_unit(self, params: Mapping[str, Any]) -> Floats | None:
        """Coordinates, shape (D,), of evaluated parameters; None if one is missing or outside of the space."""
        x = np.empty(len(self.names))
        for j, name in enumerate(self.names):
            if name not in params:
                return None
            try:
                internal = self.space[name].to_internal_repr(params[name])
            except ValueError:
                return None
            if not self.space[name]._contains(internal):
                return None
            x[j] = _to_unit(self.space[name], internal)
        return x

    def to_params(self, x: Floats) -> dict[str, Any]:
        """The parameters, of Python's types and inside their distributions, at the coordinates x, shape (D,)."""
        return {name: to_value(self.space[name], float(u)) for name, u in zip(self.names, x, strict=True)}

    def embed(self, x: Floats) -> Floats:
        """Coordinates for distances, shape (k, E): categories at the corners of a simplex, all 1 apart."""
        if not self.categorical.any():
            return x
        parts = []
        for j, n in enumerate(self.levels):
            if self.categorical[j] and n is not None:
                parts.append(_simplex(n)[np.floor(x[:, j] * n).astype(int)])
            else:
                parts.append(x[:, j : j + 1])
        return np.concatenate(parts, axis=1)

    def snap(self, x: Floats) -> Floats:
        """Move coordinates, shape (k, D), into the cube and to the centres of their bins."""
        x = np.clip(x, 0.0, 1.0)
        for j, name in enumerate(self.names):
            if self.discrete[j]:
                x[:, j] = centres(self.space[name], _level(self.space[name], x[:, j]))
        return x


def to_value(distribution: BaseDistribution, u: float) -> Any:
    """The value of a distribution at the coordinate u in [0, 1]."""
    if isinstance(distribution, FloatDistribution) and distribution.step is None:
        low, high = distribution.low, distribution.high
        if u <= 0.0 or u >= 1.0:
            return high if u >= 1.0 else low  # exactly, whatever exp and log round to
        value = math.exp(_mix(math.log(low), math.log(high), u)) if distribution.log else _mix(low, high, u)
        return min(max(value, low), high)
    level = int(_level(distribution, np.array([u]))[0])
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[level]
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    assert distribution.step is not None
    return min(distribution.low + distribution.step * level, distribution.high)


def centres(distribution: BaseDistribution, level: Floats) -> Floats:
    """The coordinates of levels 0, 1, ... of a discrete distribution."""
    if isinstance(distribution, IntDistribution) and distribution.log:
        start, width = _log_range(distribution)
        return np.asarray((np.log(distribution.low + level) - start) / width)
    n = _levels(distribution)
    assert n is not None
    return (level + 0.5) / n


def _levels(distribution: BaseDistribution) -> int | None:
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return (distribution.high - distribution.low) // distribution.step + 1
    assert isinstance(distribution, FloatDistribution)
    if distribution.step is None:
        return None
    return round((distribution.high - distribution.low) / distribution.step) + 1


def _level(distribution: BaseDistribution, u: Floats) -> Floats:
    """The level of the bin that u in [0, 1] lies in."""
    n = _levels(distribution)
    assert n is not None
    if isinstance(distribution, IntDistribution) and distribution.log:
        start, width = _log_range(distribution)
        level = np.rint(np.exp(start + u * width)) - distribution.low
    else:
        level = np.floor(u * n)
    return np.asarray(np.clip(level, 0, n - 1))


def _to_unit(distribution: BaseDistribution, internal: float) -> float:
    if isinstance(distribution, FloatDistribution) and distribution.step is None:
        low, high = distribution.low, distribution.high
        if distribution.log:
            return math.log(internal / low) / math.log(high / low)
        half = high / 2 - low / 2  # half of the range: the whole of the widest one overflows
        return (internal / 2 - low / 2) / half
    level = internal
    if isinstance(distribution, FloatDistribution | IntDistribution):
        assert distribution.step is not None
        level = round((internal - distribution.low) / distribution.step)
    return float(centres(distribution, np.array([float(level)]))[0])


def _simplex(n: int) -> Floats:
    """The n corners, shape (n, n - 1), of a simplex with sides of length 1."""
    corners = np.eye(n) - 1.0 / n
    return np.asarray(np.linalg.svd(corners)[0][:, : n - 1] / math.sqrt(2.0))


def _log_range(distribution: IntDistribution) -> tuple[float, float]:
    start = math.log(distribution.low - 0.5)
    return start, math.log(distribution.high + 0.5) - start


def _mix(low: float, high: float, u: float) -> float:
    return low * (1.0 - u) + high * u  # not low + u * (high - low), which overflows for the widest ranges
