"""A grid as numbers: point i of the product of its axes, and the shuffled order in which points are taken."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution

from ._axes import Points, grid_axes

_MAX_POINTS = 50_000_000  # the order alone takes 4 bytes a point

Order = NDArray[np.int32]


class Grid:
    """The points of a grid, numbered 0 to size - 1; the last parameter in order of name varies fastest."""

    def __init__(self, space: Mapping[str, BaseDistribution], points: Points) -> None:
        self.axes = grid_axes(space, points)
        self.space = {name: space[name] for name in self.axes}
        self.shape = tuple(len(axis) for axis in self.axes.values())
        self.size = math.prod(self.shape)
        if self.size > _MAX_POINTS:
            sizes = " x ".join(f"{name}: {len(axis)}" for name, axis in self.axes.items())
            raise ValueError(f"The grid has {self.size:,} points ({sizes}); give fewer than {_MAX_POINTS:,}.")
        self._positions = {
            name: {_key(self.space[name], value): i for i, value in enumerate(axis)} for name, axis in self.axes.items()
        }
        self._order: tuple[int, Order] | None = None  # of the last seed asked for

    def order(self, seed: int) -> Order:
        """All points, shape (size,), shuffled by the seed."""
        if self._order is None or self._order[0] != seed:
            points = np.arange(self.size, dtype=np.int32)
            self._order = (seed, np.random.default_rng([seed, self.size]).permutation(points))
        return self._order[1]

    def point(self, number: int) -> dict[str, Any]:
        """The parameters of a point."""
        positions = np.unravel_index(number, self.shape)
        return {name: axis[i] for (name, axis), i in zip(self.axes.items(), positions, strict=True)}

    def number(self, params: Mapping[str, Any]) -> int | None:
        """The point with these parameters; None if they lie beside the grid or one is missing."""
        positions = []
        for name in self.axes:
            position = self._position(name, params[name]) if name in params else None
            if position is None:
                return None
            positions.append(position)
        return int(np.ravel_multi_index(positions, self.shape))

    def agreeing(self, order: Order, given: Mapping[str, Any]) -> Iterator[int]:
        """The points of an order that have the given values."""
        for i, name in enumerate(self.axes):
            if name in given:
                position = self._position(name, given[name])
                at = np.unravel_index(order, self.shape)[i]
                order = order[at == (-1 if position is None else position)]
        return (int(point) for point in order)

    def _position(self, name: str, value: Any) -> int | None:
        return self._positions[name].get(_key(self.space[name], value))


def _key(distribution: BaseDistribution, value: Any) -> float | None:
    """A number by which equal values are found, whatever their type; 12 digits, as the axes have."""
    try:
        return float(f"{distribution.to_internal_repr(value):.12g}")
    except ValueError:
        return None
