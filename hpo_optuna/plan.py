"""What is compared: frozen, validated, and told apart by a fingerprint."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.pruners import BasePruner, MedianPruner

from .errors import UserError
from .objectives import Direction, check_directions, check_several, directions_of
from .pruners import PrunerSpec, as_pruner, for_epochs
from .records import study_name

Space: TypeAlias = Mapping[str, BaseDistribution]
TaskFunction: TypeAlias = Callable[..., Iterator[Any]]


@dataclass(frozen=True, init=False)
class SamplerSpec:
    """A sampler by name, with its options: ``SamplerSpec("grid_search", points=3)``.

    Args:
        name: a name of the registry (``grid_search``, ``pso``, ``tpe``, ...) or ``"your_module:YourSampler"``.
        options: keyword arguments of the sampler's constructor, beside the space and the seed.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __init__(self, name: str, **options: Any) -> None:
        if not isinstance(name, str) or not name:
            raise UserError(f"a sampler is named by a non-empty string, got {name!r}.")
        for option in {"space", "seed"} & options.keys():
            raise UserError(f"sampler {name!r} has its {option} from the plan; leave out {option}={options[option]!r}.")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "options", options)


@dataclass(frozen=True)
class Budget:
    """What each study may spend: trials, epochs, or whichever is spent first.

    Args:
        trials: complete and pruned trials of a study; failed ones cost nothing.
        epochs: reported epochs of a study; a trial starts while fewer are spent.
    """

    trials: int | None = None
    epochs: int | None = None

    def __post_init__(self) -> None:
        if self.trials is None and self.epochs is None:
            raise UserError("a budget needs trials or epochs: Budget(trials=27) or Budget(epochs=270).")
        for name in ("trials", "epochs"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise UserError(f"a budget's {name} must be a whole number of at least 1, got {value!r}.")

    def fraction(self, trials: int, epochs: int) -> float:
        """How much of the budget is spent, 1.0 when it is."""
        spent = [used / whole for used, whole in ((trials, self.trials), (epochs, self.epochs)) if whole]
        return max(spent)


def _default_pruner() -> BasePruner:
    # Warm-up 2: a third of the epochs saved, the best of 15 trials lost in 2 % of studies (simulated on LeNet5).
    return MedianPruner(n_startup_trials=5, n_warmup_steps=2)


@dataclass(frozen=True)
class ComparisonPlan:
    """A comparison of samplers on one task: every sampler gets the same budget, ``replicates`` times.

    Args:
        name: the first part of the studies' names; letters, digits and ``._-``.
        task: a generator function ``task(config, *, seed)`` that yields one validation score per epoch, or an object
            that is called like one, as :class:`hpo_optuna.tasks.LeNet5Task`.
        space: name -> Optuna distribution.
        samplers: label -> :class:`SamplerSpec`; the label is the second part of the studies' names.
        budget: what each study may spend.
        replicates: how often each sampler is run, with different seeds; sampler against sampler, replicate r has the
            same training seeds.
        seed: where all randomness begins; at least 0.
        direction: ``"maximize"`` or ``"minimize"`` the score; a pair of them for two objectives, which takes
            ``pruner=None`` and scores with two values each.
        pruner: an Optuna pruner, or one by name: ``"hyperband"``, ``PrunerSpec("median", n_startup_trials=5)``;
            ``"none"`` or None turns pruning off. Default: ``MedianPruner(n_startup_trials=5,
            n_warmup_steps=2)``.
        audit: share, in [0, 1], of the trials that the pruner stops that train on unreported, so that the report can
            say what pruning lost; the search is the same with any share, and it may change between two runs.
        reference: of two objectives, the values against which fronts are measured (hypervolume): worse than whatever
            is of interest. None: the worst value of each that any study has met. The search does not know it.

    Raises:
        UserError: naming the field, its value and the cure.
    """

    name: str
    task: TaskFunction
    space: Space
    samplers: Mapping[str, SamplerSpec]
    budget: Budget
    replicates: int = 1
    seed: int = 0
    direction: Direction | tuple[Direction, Direction] = "maximize"
    pruner: BasePruner | PrunerSpec | str | None = field(default_factory=_default_pruner)
    audit: float = 0.1
    reference: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.samplers, Mapping) or not self.samplers:
            raise UserError(
                "a plan needs at least one sampler: samplers={'random': SamplerSpec('random_search')}, "
                f"got {self.samplers!r}."
            )
        for what, names in (("plan name", [self.name]), ("sampler label", list(self.samplers))):
            for name in names:
                if not isinstance(name, str) or not re.fullmatch(r"[\w.-]+", name):
                    raise UserError(f"a {what} is made of letters, digits and '._-', got {name!r}.")
        if not callable(self.task):
            raise UserError(f"the task must be a generator function of (config, *, seed), got {self.task!r}.")
        if not isinstance(self.space, Mapping) or not self.space:
            raise UserError(f"the space must map at least one name to a distribution, got {self.space!r}.")
        for name, distribution in self.space.items():
            if not isinstance(name, str) or not name:
                raise UserError(f"a hyperparameter is named by a non-empty string, got {name!r} in the space.")
            if not isinstance(distribution, BaseDistribution):
                raise UserError(
                    f"space[{name!r}] must be an Optuna distribution, for example IntDistribution(2, 32), "
                    f"got {distribution!r}."
                )
            # Optuna takes nan and inf for bounds, and fails trials later.
            if isinstance(distribution, FloatDistribution) and not math.isfinite(distribution.high - distribution.low):
                raise UserError(f"space[{name!r}] must have finite bounds, got {distribution!r}.")
        for label, spec in self.samplers.items():
            if not isinstance(spec, SamplerSpec):
                raise UserError(f"samplers[{label!r}] must be a SamplerSpec, got {spec!r}.")
        if not isinstance(self.budget, Budget):
            raise UserError(f"the budget must be a Budget, for example Budget(trials=27), got {self.budget!r}.")
        for field_name, value, least in (("replicates", self.replicates, 1), ("seed", self.seed, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise UserError(f"{field_name} must be a whole number of at least {least}, got {value!r}.")
        check_directions(self.direction, self.task)
        object.__setattr__(self, "pruner", as_pruner(self.pruner))
        check_several(self.direction, self.pruner, self.reference)
        if isinstance(self.audit, bool) or not isinstance(self.audit, int | float) or not 0 <= self.audit <= 1:
            raise UserError(f"audit must be a share of the pruned trials between 0 and 1, got {self.audit!r}.")
        object.__setattr__(self, "space", MappingProxyType(dict(self.space)))
        object.__setattr__(self, "samplers", MappingProxyType(dict(self.samplers)))

    def __reduce__(self) -> tuple[Any, ...]:
        # A mapping proxy does not pickle, and a plan made in a notebook travels to its workers.
        fields = (dict(self.space), dict(self.samplers), self.budget, self.replicates, self.seed)
        return ComparisonPlan, (self.name, self.task, *fields, self.direction, self.pruner, self.audit, self.reference)

    @property
    def directions(self) -> tuple[Direction, ...]:
        """One for each objective."""
        return directions_of(self.direction)

    def study_pruner(self) -> BasePruner:
        """A pruner for one study, which may write on it; the plan's own stays as it is."""
        return for_epochs(as_pruner(self.pruner), getattr(self.task, "max_steps", None))

    def study_name(self, label: str, replicate: int) -> str:
        """``<plan>/<label>/seed-<replicate>``."""
        return study_name(self.name, label, replicate)

    def fingerprint(self, label: str) -> dict[str, Any]:
        """What the results of a study depend on, as plain JSON values: all but the budget, the replicates
        and the audit.

        The task's data must be prepared, since their content is part of it.
        """
        spec = self.samplers[label]
        fingerprint: dict[str, Any] = canonical(
            {
                "space": {name: json.loads(distribution_to_json(d)) for name, d in self.space.items()},
                "task": task_fingerprint(self.task),
                "direction": "/".join(self.directions),
                "pruner": canonical(self.study_pruner()),
                "sampler": {"name": spec.name, "options": dict(spec.options)},
                "seed": self.seed,
            }
        )
        return fingerprint


def task_fingerprint(task: Any) -> dict[str, Any]:
    """The task's own fingerprint beside its name; of a plain generator function, its name."""
    name = getattr(task, "__qualname__", None) or type(task).__qualname__
    return {"name": name, **getattr(task, "fingerprint", {})}


def canonical(value: Any) -> Any:
    """``value`` in JSON's own types, the same for equal values in every process."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(k): canonical(v) for k, v in value.items()}
    if isinstance(value, list | tuple | range):
        return [canonical(v) for v in value]
    if isinstance(value, set | frozenset):
        return sorted((canonical(v) for v in value), key=repr)
    if isinstance(value, np.generic | np.ndarray):
        return canonical(value.tolist())
    if hasattr(value, "__dict__") and not callable(value):
        return {"class": type(value).__qualname__, **{k: canonical(v) for k, v in vars(value).items()}}
    return getattr(value, "__qualname__", None) or type(value).__qualname__


def sampler_seed(plan: ComparisonPlan, replicate: int) -> int:
    """The seed of every sampler of a replicate, 32 bits."""
    return int(np.random.SeedSequence([plan.seed, replicate]).generate_state(1)[0])


def training_seed(plan: ComparisonPlan, replicate: int, index: int) -> int:
    """The seed of one trial's training, 31 bits: the same for every sampler, another for every index."""
    return int(np.random.SeedSequence([plan.seed, replicate, index]).generate_state(1)[0] >> 1)


def corners(space: Space) -> Iterator[dict[str, Any]]:
    """Configurations at the ends of ``space``: all low, all high, and every end of each parameter, others low."""
    ends = {name: _ends(distribution) for name, distribution in space.items()}
    low = {name: values[0] for name, values in ends.items()}
    yield low
    yield {name: values[-1] for name, values in ends.items()}
    for name, values in ends.items():
        yield from ({**low, name: value} for value in values[1:])


def _ends(distribution: BaseDistribution) -> list[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    return [distribution.low, distribution.high]  # type: ignore[attr-defined]


def suggest(trial: Any, name: str, distribution: BaseDistribution) -> Any:
    """Ask ``trial`` for one value by Optuna's public calls."""
    match distribution:
        case FloatDistribution(low=low, high=high, log=log, step=step):
            return trial.suggest_float(name, low, high, step=step, log=log)
        case IntDistribution(low=low, high=high, log=log, step=step):
            return trial.suggest_int(name, low, high, step=step, log=log)
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(name, choices)
    raise UserError(f"space[{name!r}] is a {type(distribution).__name__}; use Float, Int or Categorical.")
