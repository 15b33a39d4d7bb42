"""Simultaneous-perturbation stochastic approximation in the unit cube, minimising (Spall 1992, 1998).

One iteration costs two evaluations, however many the parameters D: at theta + c_k delta and theta - c_k delta, where
delta is a vector of random signs. Their difference is a noisy slope along delta, and over all signs an estimate of the
gradient:

    g_k = (y_plus - y_minus) / (2 c_k delta),    theta <- theta - a_k g_k,
    a_k = a / (A + k + 1)^0.602,    c_k = c / (k + 1)^0.101.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ALPHA, GAMMA = 0.602, 0.101  # the smallest exponents of the theory, best for few iterations (Spall 1998, III.B)
_FIRST = 5  # pairs that set the scale of the differences
_LONGEST = 2.0  # no difference counts for more than this many usual ones
_START, _SIGNS = 1, 2  # purposes of random numbers: no two share a stream


@dataclass(frozen=True)
class Difference:
    """What the two evaluations of iteration ``k`` say: y_plus - y_minus; the coordinates, shape (D,), that both had."""

    k: int
    value: float
    moved: Flags


@dataclass(frozen=True)
class Jump:
    """An evaluation from elsewhere, at x, shape (D,), that was better than all before it."""

    x: Floats


@dataclass(frozen=True)
class Descent:
    """The gains of the iteration; see `SPSASampler` for what they mean."""

    step: float
    perturbation: float
    stability: float

    def reach(self, k: int, least: Floats) -> Floats:
        """c_k, shape (D,): at least half a bin, so that both evaluations lie in different bins of a discrete one."""
        return np.asarray(np.maximum(self.perturbation / (k + 1) ** GAMMA, least))

    def iterate(
        self, start: Floats, events: Iterable[Difference | Jump], keys: Sequence[int], seed: int, least: Floats
    ) -> Floats:
        """Theta, shape (D,), after what was evaluated, in the order of index; a function of the arguments alone.

        The gain a is not known in advance. It is chosen such that the first difference moves every coordinate by
        ``step`` (Spall 1998, III.B), where the usual difference is the median of the first five.

        Args:
            start: Theta before the first evaluation, shape (D,).
            events: Differences and jumps in the order in which they count.
            keys: A number for each coordinate (a hash of its name) that fixes its signs.
            seed: Of the signs.
            least: Half of the widest bin of each coordinate, shape (D,); 0 for continuous ones.
        """
        theta, sizes = start, list[float]()
        for event in events:
            if isinstance(event, Jump):
                theta = event.x
                continue
            if len(sizes) < _FIRST and np.isfinite(event.value):
                sizes.append(abs(event.value))
            ratio = _ratio(event.value, float(np.median(sizes)) if sizes else 0.0)
            gain = self.step * ((self.stability + 1.0) / (self.stability + event.k + 1.0)) ** ALPHA
            slope = ratio * self.perturbation / self.reach(event.k, least)
            move = gain * slope * signs(seed, event.k, keys)
            theta = np.clip(theta - np.where(event.moved, move, 0.0), 0.0, 1.0)
        return theta

    def pair(self, theta: Floats, k: int, keys: Sequence[int], seed: int, least: Floats) -> tuple[Floats, Floats]:
        """The two points to evaluate, shape (D,) each; theta moves so far inward that both lie in the cube."""
        reach = self.reach(k, least)
        theta = np.clip(theta, reach, 1.0 - reach - 1e-9)  # Sadegh 1997; the last bin does not include its lower end
        delta = reach * signs(seed, k, keys)
        return theta + delta, theta - delta


def start(seed: int, keys: Sequence[int]) -> Floats:
    """The first theta, shape (D,): drawn from the middle half of every side."""
    return np.array([0.25 + 0.5 * np.random.default_rng([seed, _START, key]).random() for key in keys])


def signs(seed: int, k: int, keys: Sequence[int]) -> Floats:
    """Rademacher's signs of iteration k, -1 or 1, shape (D,): a parameter more changes no other's."""
    return np.array([np.random.default_rng([seed, k, _SIGNS, key]).choice([-1.0, 1.0]) for key in keys])


def _ratio(value: float, usual: float) -> Any:
    """A difference in units of the usual one, bounded: a diverged evaluation must not throw theta out of the cube."""
    if not np.isfinite(value):
        return 0.0 if np.isnan(value) else np.copysign(_LONGEST, value)
    return float(np.clip(value / usual, -_LONGEST, _LONGEST)) if usual > 0.0 else 0.0
