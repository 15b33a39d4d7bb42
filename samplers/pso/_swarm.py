"""The particle swarm: from what was evaluated to the next position, in the unit cube, minimising.

An asynchronous swarm (Kennedy & Eberhart 1995; inertia: Shi & Eberhart 1998; c1 = c2 = 1.49618: Clerc &
Kennedy 2002) without a state of its own: where a particle stands, how fast it moves and what is best are
read from the history at every ask. There are no generations, so no worker ever waits for another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_START, _MOVE, _LATIN = 1, 2, 3  # purposes of random numbers: no two share a stream
_SAME = 1e-7  # coordinates nearer than this are one configuration: as near as squares let be told apart
_REDRAWS = 20
_MAX_CELLS = 65_536  # a discrete space up to this size is searched through for what is left


class Box(Protocol):
    """What the swarm needs to know of the cube beside its unit sides."""

    @property
    def discrete(self) -> NDArray[np.bool_]: ...
    @property
    def categorical(self) -> NDArray[np.bool_]: ...
    @property
    def n_cells(self) -> int | None: ...
    def cells(self) -> Floats: ...
    def snap(self, x: Floats) -> Floats: ...
    def embed(self, x: Floats) -> Floats: ...


@dataclass(frozen=True)
class Ranking:
    """Which of the evaluated positions are better.

    Attributes:
        keys: What is compared, first things first; each of shape (m,), lower is better.
        leaders: The rows that may lead the swarm: the best one, or the Pareto front.
    """

    keys: tuple[Floats, ...]
    leaders: Integers

    def first(self, rows: Integers) -> Integers:
        """Those of some rows that no other is better than."""
        for key in self.keys:
            values = key[rows]
            rows = rows[values == values.min(initial=np.inf)]
        return rows


@dataclass(frozen=True)
class History:
    """What was evaluated, one row a finished trial, in order of index.

    Attributes:
        x: Positions, shape (m, D).
        index: The trials' indices, shape (m,); row j belongs to particle ``index[j] % n_particles``.
        ranking: Which of them are better.
        score: What a surrogate learns, shape (m,); lower is better.
        seen: Positions that need no second evaluation, finished, failed and pending, shape (s, D).
    """

    x: Floats
    index: Integers
    ranking: Ranking
    score: Floats
    seen: Floats


class Screen(Protocol):
    """Picks one of several draws of a particle's velocity equation."""

    def __call__(self, candidates: Floats, history: History, index: int, box: Box) -> int: ...


@dataclass(frozen=True)
class Swarm:
    """The options of a swarm; see `PSOSampler` for what they mean."""

    n_particles: int
    n_startup_trials: int
    inertia: float
    cognitive: float
    social: float
    mutation: float
    n_candidates: int
    screen: Screen | None = None

    def ask(self, history: History, index: int, seed: int, keys: Sequence[int], box: Box) -> Floats:
        """The position, shape (D,), of the trial with this index; a function of the arguments alone.

        Args:
            keys: A number for each coordinate (a hash of its name) that fixes its Latin-hypercube column.
        """
        rng = np.random.default_rng([seed, index, _MOVE, *keys])
        candidates = np.empty((0, len(keys)))
        for attempt in range(_REDRAWS):
            if index < self.n_startup_trials:
                draws = latin_hypercube(seed, keys, self.n_startup_trials)[None, index]
            else:
                draws = self._move(history, index, seed, keys, box, rng, attempt)
            candidates = box.snap(_jitter(draws, box, rng, attempt))
            fresh = candidates[~_contains(history.seen, candidates)]
            if len(fresh) == 1 or (len(fresh) and (self.screen is None or not len(history.x))):
                return np.asarray(fresh[0])
            if len(fresh) and self.screen is not None:
                return np.asarray(fresh[self.screen(fresh, history, index, box)])
        return _nearest_fresh(candidates[0], history.seen, box)

    def _move(
        self,
        history: History,
        index: int,
        seed: int,
        keys: Sequence[int],
        box: Box,
        rng: np.random.Generator,
        attempt: int,
    ) -> Floats:
        """Draws of the velocity equation, shape (k, D): x + w v + c1 r1 (p - x) + c2 r2 (g - x)."""
        k, dim = self.n_candidates, len(keys)
        if not len(history.x):
            return rng.random((k, dim))
        x, v, p = self._particle(history, index % self.n_particles, seed, keys)
        g = history.x[_leader(history.ranking, rng)]
        r1, r2 = rng.random((2, k, dim))
        moved: Floats = x + self.inertia * v + self.cognitive * r1 * (p - x) + self.social * r2 * (g - x)
        # A category has no direction to move in: the current, the personal best's or the leader's.
        weights = np.cumsum([max(self.inertia, 1e-9), self.cognitive, self.social])
        pick = np.searchsorted(weights / weights[-1], rng.random((k, dim)), side="right")
        moved = np.where(box.categorical, np.choose(np.minimum(pick, 2), [x, p, g]), moved)
        mutation = min(1.0, self.mutation + 0.05 * attempt)
        mutated = box.discrete & (rng.random((k, dim)) < mutation)
        return np.where(mutated, rng.random((k, dim)), moved)

    def _particle(
        self, history: History, particle: int, seed: int, keys: Sequence[int]
    ) -> tuple[Floats, Floats, Floats]:
        """Position, velocity and personal best, shape (D,) each, of a particle before its next move."""
        own = np.flatnonzero(history.index % self.n_particles == particle)
        rng = np.random.default_rng([seed, particle, _START, *keys])
        target = rng.random(len(keys))
        if not len(own):  # nothing of it has finished: it stands where chance puts it
            return target, np.zeros(len(keys)), target
        best = history.ranking.first(own)[0]
        initial = own[history.index[own] < self.n_startup_trials]
        path = [history.x[j] for j in own[history.index[own] >= self.n_startup_trials][-2:]]
        if len(initial) and len(path) < 2:
            path.insert(0, history.x[history.ranking.first(initial)[0]])
        x = path[-1]
        v = x - path[-2] if len(path) > 1 else (target - x) / 2
        return x, v, history.x[best]


def latin_hypercube(seed: int, keys: Sequence[int], n: int) -> Floats:
    """n points, one in each of n strata of every coordinate, shape (n, D) (McKay, Beckman & Conover 1979).

    A coordinate's column depends on its key alone, not on the other coordinates.
    """
    columns = []
    for key in keys:
        rng = np.random.default_rng([seed, key, _LATIN])
        columns.append((rng.permutation(n) + rng.random(n)) / n)
    return np.stack(columns, axis=1)


def _leader(ranking: Ranking, rng: np.random.Generator) -> Any:
    """The best row; of a Pareto front, the less crowded of two drawn at random (Raquel & Naval 2005)."""
    if len(ranking.leaders) == 1:
        return ranking.leaders[0]
    return ranking.first(rng.choice(ranking.leaders, size=2))[0]


def _jitter(x: Floats, box: Box, rng: np.random.Generator, attempt: int) -> Floats:
    """Growing noise for what has been evaluated before; none at the first attempt."""
    if attempt == 0:
        return x
    sigma = 0.01 * 1.3**attempt
    noisy = x + sigma * rng.standard_normal(x.shape)
    anew = box.categorical & (rng.random(x.shape) < 0.05 * attempt)
    return np.where(box.categorical, np.where(anew, rng.random(x.shape), x), noisy)


def _contains(seen: Floats, x: Floats) -> NDArray[np.bool_]:
    """Which rows of x, shape (k, D), are among the rows of seen, shape (s, D)."""
    around = ((seen > x.min(axis=0) - _SAME) & (seen < x.max(axis=0) + _SAME)).all(axis=1)
    seen = seen[around]
    squares = (x**2).sum(axis=1)[:, None] + (seen**2).sum(axis=1) - 2.0 * x @ seen.T
    return np.asarray((squares < _SAME**2).any(axis=1))


def _nearest_fresh(x: Floats, seen: Floats, box: Box) -> Floats:
    """What is left of a small discrete space, nearest to x; x itself where nothing is (or it is large)."""
    if box.n_cells is None or box.n_cells > _MAX_CELLS:
        return x
    cells = box.cells()
    known = {row.tobytes() for row in seen.round(9)}
    fresh = cells[[row.tobytes() not in known for row in cells.round(9)]]
    if not len(fresh):
        return x
    return np.asarray(fresh[np.argmin(((fresh - x) ** 2).sum(axis=1))])
