"""Point i of a scrambled Sobol sequence, and the values that its coordinates stand for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from scipy.stats import qmc

MAX_DIMENSIONS: int = qmc.Sobol.MAXDIM


def sobol_point(seed: int, dimensions: int, index: int) -> list[float]:
    """Point ``index`` of the Sobol sequence (Sobol 1967; directions: Joe & Kuo 2008), D numbers in [0, 1).

    It is scrambled by a random linear matrix and a digital shift (Matousek 1998), drawn from the seed alone, so that
    every call with this seed walks along one sequence.

    Args:
        seed: of the scrambling.
        dimensions: D, at most `MAX_DIMENSIONS`.
        index: at least 0, less than 2**30.
    """
    sequence = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(seed))
    if index:
        sequence.fast_forward(index)
    point: list[float] = sequence.random(1)[0].tolist()
    return point


def value_at(distribution: BaseDistribution, u: float) -> Any:
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
        return min(max(low_ * (1.0 - u) + high_ * u, low_), high_)
    raise ValueError(f"{type(distribution).__name__} is not a distribution that the sequence knows.")


def _geometric(low: float, high: float, u: float) -> float:
    return math.exp(math.log(low) + u * (math.log(high) - math.log(low)))
