"""The particle swarm on Optuna: trials in, parameters out, nothing remembered in between."""

from __future__ import annotations

import datetime
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from ._cube import Cube, to_value
from ._index import study_seed, trial_indices
from ._ranking import rank, score
from ._swarm import Floats, History, Swarm, latin_hypercube

_WEIGHTS = 4  # purpose of random numbers; 1 to 3 are the swarm's


@dataclass(frozen=True)
class _Defaults:
    """Options that go together, found by measurement."""

    n_particles: int
    n_startup_trials: int
    inertia: float
    mutation: float
    n_candidates: int


_DEFAULTS = {
    None: _Defaults(n_particles=5, n_startup_trials=14, inertia=0.5, mutation=0.05, n_candidates=1),
}


class PSOSampler(BaseSampler):
    """Asynchronous particle swarm optimization that is a pure function of the study's trials.

    The trial of index i belongs to particle ``i % n_particles``. Its position is a draw of that particle's
    velocity equation (Kennedy & Eberhart 1995, with the inertia weight of Shi & Eberhart 1998),

        v = inertia * v + cognitive * r1 * (own best - x) + social * r2 * (leader - x),

    in the unit cube of the space: logarithmic parameters by their logarithm, integers and steps in bins,
    categories by choosing the current, the own best's or the leader's. Particle, velocity and bests are read
    from the trials at every ask, so any number of processes continue the same swarm, now or after a crash.

    Pruned trials move their particle but are never bests; failed ones leave it where it was; no configuration
    is proposed twice while another is left.

    Args:
        search_space:
            The declared space, name -> distribution. None infers it from the trials: what all of them have.
        seed:
            A non-negative integer. None derives one from the study (its name and the start of its first
            trial), the same in every process.
        n_particles:
            The size of the swarm, at least 2. A property of the search, not of the number of workers.
        n_startup_trials:
            How many trials are points of a Latin hypercube (McKay et al. 1979) before particles move.
        inertia, cognitive, social:
            The weights w, c1 and c2 of the velocity equation.
        mutation:
            The probability by which an integer, step or category is drawn anew, for each coordinate.

    Raises:
        ValueError: for an option outside its range, naming it.
    """

    SCREENS: ClassVar[tuple[None, ...]] = tuple(_DEFAULTS)

    def __init__(
        self,
        search_space: Mapping[str, BaseDistribution] | None = None,
        *,
        seed: int | None = None,
        n_particles: int | None = None,
        screen: None = None,
        n_startup_trials: int | None = None,
        inertia: float | None = None,
        cognitive: float = 1.49618,
        social: float = 1.49618,
        mutation: float | None = None,
        n_candidates: int | None = None,
    ) -> None:
        if screen not in _DEFAULTS:
            raise ValueError(f"screen must be one of {list(_DEFAULTS)}, got {screen!r}.")
        default = _DEFAULTS[screen]
        if seed is not None and seed < 0:
            raise ValueError(f"seed must be a non-negative integer or None, got {seed}.")
        for name, distribution in (search_space or {}).items():
            if not isinstance(distribution, BaseDistribution):
                raise ValueError(f"search_space[{name!r}] must be an Optuna distribution, got {distribution!r}.")
        particles = default.n_particles if n_particles is None else n_particles
        if n_startup_trials is None:
            n_startup_trials = max(default.n_startup_trials, particles)
        self._space = None if search_space is None else _movable(search_space)
        self._seed = seed
        self._swarm = Swarm(
            n_particles=_at_least("n_particles", particles, 2),
            n_startup_trials=_at_least("n_startup_trials", n_startup_trials, 1),
            inertia=_within("inertia", default.inertia if inertia is None else inertia, 0.0, 1.0),
            cognitive=_within("cognitive", cognitive, 0.0, 4.0),
            social=_within("social", social, 0.0, 4.0),
            mutation=_within("mutation", default.mutation if mutation is None else mutation, 0.0, 1.0),
            n_candidates=_at_least("n_candidates", n_candidates or default.n_candidates, 1),
        )
        self._last: _View | None = None

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        if self._space is not None:
            return dict(self._space)
        finished = [t for t in self._view(study, trial).trials if t.state in _EVIDENCE]
        return _movable(_intersection(finished))

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if not search_space:
            return {}
        view = self._view(study, trial)
        cube = Cube(search_space)
        x = self._swarm.ask(view.history(cube), view.index, view.seed, _keys(cube.names), cube)
        return cube.to_params(x)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        # A parameter that not every trial has: its own swarm, of those that have it, on one coordinate.
        view = self._view(study, trial)
        if param_distribution.single():
            return to_value(param_distribution, 0.5)
        cube = Cube({param_name: param_distribution})
        keys = _keys(cube.names)
        if view.index < self._swarm.n_startup_trials:
            u = latin_hypercube(view.seed, keys, self._swarm.n_startup_trials)[view.index, 0]
            return to_value(param_distribution, float(u))
        x = self._swarm.ask(view.history(cube, repeat=True), view.index, view.seed, keys, cube)
        return cube.to_params(x)[param_name]

    def _view(self, study: Study, trial: FrozenTrial) -> _View:
        """The study as this trial sees it; kept until the next trial, so that it reads the trials once."""
        key = (study.study_name, study._study_id, trial.number, trial.datetime_start)
        view = self._last
        if view is None or view.key != key:
            # Not study.get_trials: pruners such as Hyperband show a sampler part of the trials only.
            trials = study._storage.get_all_trials(study._study_id, deepcopy=False)
            seed = study_seed(trials, study.study_name) if self._seed is None else self._seed
            indices = trial_indices(trials)
            view = self._last = _View(key, trials, seed, trial.number, indices, study.directions)
        return view


_EVIDENCE = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class _View:
    key: tuple[str, int, int, datetime.datetime | None]
    trials: Sequence[FrozenTrial]
    seed: int
    number: int
    indices: Mapping[int, int]
    directions: Sequence[StudyDirection]

    @property
    def index(self) -> int:
        return self.indices[self.number]

    def history(self, cube: Cube, *, repeat: bool = False) -> History:
        """Trials as arrays; the sign of what is maximised flips here and nowhere else.

        Args:
            repeat: Whether a configuration may be proposed again.
        """
        rows: list[tuple[int, Floats, FrozenTrial]] = []
        seen: list[Floats] = []
        for trial in self.trials:
            if trial.number == self.number:
                continue
            x = cube.to_unit({**trial.system_attrs.get("fixed_params", {}), **trial.params})
            if x is None:
                continue
            if not repeat:
                seen.append(x)
            if trial.state in _EVIDENCE:
                rows.append((self.indices[trial.number], x, trial))
        rows.sort(key=lambda row: row[0])
        dim, k = len(cube.names), len(self.directions)
        sign = np.array([-1.0 if d == StudyDirection.MAXIMIZE else 1.0 for d in self.directions])
        values = np.array([_values(t, k) for _, _, t in rows], dtype=float).reshape(-1, k) * sign
        pruned = np.array([t.state == TrialState.PRUNED for _, _, t in rows], dtype=bool)
        violation = np.array([sum(max(0.0, c) for c in t.constraints.values()) for _, _, t in rows])
        order, n_leaders = rank(values, pruned, violation)
        weights = np.random.default_rng([self.seed, self.index, _WEIGHTS]).dirichlet(np.ones(k))
        return History(
            x=np.array([x for _, x, _ in rows]).reshape(-1, dim),
            index=np.array([i for i, _, _ in rows], dtype=np.int64),
            order=order,
            n_leaders=n_leaders,
            score=score(values, pruned, violation, weights),
            seen=np.array(seen).reshape(-1, dim),
        )


def _values(trial: FrozenTrial, n_objectives: int) -> list[float]:
    """The values of a trial; NaN where a pruned one has none."""
    values = trial.values
    return list(values) if values is not None and len(values) == n_objectives else [np.nan] * n_objectives


def _movable(space: Mapping[str, BaseDistribution]) -> dict[str, BaseDistribution]:
    return {name: space[name] for name in sorted(space) if not space[name].single()}


def _intersection(trials: Sequence[FrozenTrial]) -> dict[str, BaseDistribution]:
    """What all trials have, with the same distribution."""
    common = dict(trials[0].distributions) if trials else {}
    for trial in trials[1:]:
        common = {name: d for name, d in common.items() if trial.distributions.get(name) == d}
    return common


def _keys(names: Sequence[str]) -> list[int]:
    return [zlib.crc32(name.encode()) for name in names]


def _at_least(name: str, value: int, low: int) -> int:
    if value < low:
        raise ValueError(f"{name} must be at least {low}, got {value}.")
    return value


def _within(name: str, value: float, low: float, high: float) -> float:
    if not low <= value <= high:
        raise ValueError(f"{name} must be between {low:g} and {high:g}, got {value}.")
    return value
