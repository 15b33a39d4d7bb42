"""Fronts of points with two objectives: arrays in, numbers out; numpy only. Smaller is better in every column."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]


def nondominated(points: Array) -> NDArray[np.bool_]:
    """Which rows no other row beats: at most as large in both columns and smaller in one. Equal rows stand together.

    Args:
        points: shape (n, 2).
    """
    front = np.zeros(len(points), dtype=bool)
    lowest = np.inf
    for first in np.unique(points[:, 0]):  # rising: only a lower second column can save a row
        rows = np.flatnonzero(points[:, 0] == first)
        best = points[rows, 1].min()
        if best < lowest:
            front[rows[points[rows, 1] == best]] = True
            lowest = best
    return front


def hypervolume(points: Array, reference: Array) -> float:
    """Area between the points and ``reference``: what they dominate of the plane, exact, by one sweep.

    Zitzler and Thiele, PPSN V (1998). Points that are not better than the reference in both columns add nothing.

    Args:
        points: shape (n, 2).
        reference: shape (2,).
    """
    inside = points[(points < reference).all(axis=1)]
    area, height = 0.0, float(reference[1])
    for x, y in inside[np.lexsort((inside[:, 1], inside[:, 0]))]:
        if y < height:
            area += float(reference[0] - x) * (height - float(y))
            height = float(y)
    return area
