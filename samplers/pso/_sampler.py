"""The particle swarm on Optuna: trials in, parameters out, nothing remembered in between."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from ._book import Book, View
from ._cube import Cube
from ._screens import gp_screen, rbf_screen
from ._swarm import Screen, Swarm

ScreenName = Literal["rbf", "gp"]


@dataclass(frozen=True)
class _Defaults:
    """Options that go together, found by measurement (see the README)."""

    screen: Screen | None
    n_particles: int
    n_startup_trials: int
    inertia: float
    n_candidates: int


_DEFAULTS: dict[ScreenName | None, _Defaults] = {
    "rbf": _Defaults(rbf_screen, n_particles=6, n_startup_trials=10, inertia=0.5, n_candidates=100),
    "gp": _Defaults(gp_screen, n_particles=5, n_startup_trials=10, inertia=0.55, n_candidates=30),
    None: _Defaults(None, n_particles=5, n_startup_trials=14, inertia=0.5, n_candidates=1),
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
        screen:
            What picks one of several draws of the velocity equation: "rbf", a cubic radial basis function of
            what was evaluated, with a term against collapse; "gp", a Gaussian process; None, nothing: one draw.
        n_startup_trials:
            How many trials are points of a Latin hypercube (McKay et al. 1979) before particles move.
        inertia, cognitive, social:
            The weights w, c1 and c2 of the velocity equation.
        mutation:
            The probability by which an integer, step or category is drawn anew, for each coordinate.
        n_candidates:
            How many draws the screen picks from.

    Options left at None take values that go with the screen.

    Raises:
        ValueError: for an option outside its range, naming it.
    """

    SCREENS: ClassVar[tuple[ScreenName | None, ...]] = tuple(_DEFAULTS)

    def __init__(
        self,
        search_space: Mapping[str, BaseDistribution] | None = None,
        *,
        seed: int | None = None,
        n_particles: int | None = None,
        screen: ScreenName | None = "rbf",
        n_startup_trials: int | None = None,
        inertia: float | None = None,
        cognitive: float = 1.49618,
        social: float = 1.49618,
        mutation: float = 0.05,
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
            mutation=_within("mutation", mutation, 0.0, 1.0),
            n_candidates=_at_least("n_candidates", default.n_candidates if n_candidates is None else n_candidates, 1),
            screen=default.screen,
        )
        self._cache: dict[str, Any] = {}  # what was read of the studies: an optimisation, nothing to keep

    @property
    def n_particles(self) -> int:
        """The size of the swarm; the trial of index i belongs to particle ``i % n_particles``."""
        return self._swarm.n_particles

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        view = self._view(study, trial)
        if self._space is None:
            return _movable(view.common_space())
        # What some trials do not have (a conditional parameter) would leave these trials without a position.
        return {name: d for name, d in self._space.items() if view.is_common(name)}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if not search_space:
            return {}
        view = self._view(study, trial)
        cube = Cube(search_space)
        history = view.history(cube, repeat=not view.is_complete(cube))
        x = self._swarm.ask(history, view.index, view.seed, _keys(cube.names), cube)
        return cube.to_params(x)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        # A parameter that not every trial has moves on its own, by the trials that have it.
        view = self._view(study, trial)
        cube = Cube({param_name: param_distribution})
        swarm = replace(self._swarm, screen=None, n_candidates=1)
        x = swarm.ask(view.history(cube, repeat=True), view.index, view.seed, _keys(cube.names), cube)
        return cube.to_params(x)[param_name]

    def _view(self, study: Study, trial: FrozenTrial) -> View:
        """The study as this trial sees it at its first suggestion."""
        key = (study.study_name, study._study_id, trial.number, trial.datetime_start)
        last = self._cache.get("last")
        if last is None or last[0] != key:
            books = self._cache.setdefault("books", {})
            book = books.setdefault(key[:2], Book())
            last = self._cache["last"] = (key, book.view(study, trial, self._seed))
        view: View = last[1]
        return view

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": {}}


def _movable(space: Mapping[str, BaseDistribution]) -> dict[str, BaseDistribution]:
    return {name: space[name] for name in sorted(space) if not space[name].single()}


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
