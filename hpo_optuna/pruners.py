"""Pruners by name, and those of Optuna's that forget or double something over a death made to keep the promises."""

from __future__ import annotations

import copy
import difflib
import warnings
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from optuna import pruners
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from .errors import UserError
from .records import read_trials

_INDEX = "pruner:index"  # the trial's system attribute that Hyperband's bracket is read from


@dataclass(frozen=True, init=False)
class PrunerSpec:
    """A pruner by name, with its options: ``PrunerSpec("median", n_startup_trials=5)``.

    Args:
        name: a key of :data:`PRUNERS`.
        options: keyword arguments of Optuna's pruner of that name.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __init__(self, name: str, **options: Any) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "options", options)


class SuccessiveHalvingPruner(pruners.SuccessiveHalvingPruner):
    """Optuna's, where failed trials compete on no rung: a trial that died would stand there beside its retry."""

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        return super().prune(_WithoutFailed(study), trial)  # type: ignore[arg-type]  # all that it reads of a study


class HyperbandPruner(pruners.HyperbandPruner):
    """Optuna's, where a trial's bracket goes by its index: by its number, a kill would shift all that follow.

    Failed trials belong to no bracket, as in :class:`SuccessiveHalvingPruner`.
    """

    def _get_bracket_id(self, study: Study, trial: FrozenTrial) -> int:
        if trial.state == TrialState.FAIL:
            return -1
        if not self._pruners:
            self._try_initialization(study)  # a fresh process knows the brackets before its first report
        if not self._pruners or self._n_brackets is None:
            return 0
        n = zlib.crc32(f"{study.study_name}_{_index(study, trial)}".encode()) % self._total_trial_allocation_budget
        for bracket in range(self._n_brackets):
            n -= self._trial_allocation_budgets[bracket]
            if n < 0:
                return bracket
        raise AssertionError("the budgets add up to their total")


def _index(study: Study, trial: FrozenTrial) -> int:
    """The trial's index, written on it when it is first needed: those of others then cost no look at the table."""
    written = trial.system_attrs.get(_INDEX)
    if written is None:
        if trial.state != TrialState.RUNNING:
            return trial.number  # not asked for by this pruner: added by hand
        written = read_trials(study._storage.get_all_trials(study._study_id, deepcopy=False))[trial.number].index
        study._storage.set_trial_system_attr(trial._trial_id, _INDEX, written)
    return int(written)


class _WithoutFailed:
    """What successive halving reads of a study, without the failed trials."""

    def __init__(self, study: Study) -> None:
        self.direction, self._storage, self._study = study.direction, study._storage, study

    def get_trials(self, deepcopy: bool = True) -> list[FrozenTrial]:
        return [t for t in self._study.get_trials(deepcopy=deepcopy) if t.state != TrialState.FAIL]


PRUNERS: dict[str, Callable[..., BasePruner]] = {
    "median": pruners.MedianPruner,
    "percentile": pruners.PercentilePruner,
    "successive_halving": SuccessiveHalvingPruner,
    "hyperband": HyperbandPruner,
    "threshold": pruners.ThresholdPruner,
    "patient": pruners.PatientPruner,
    "wilcoxon": pruners.WilcoxonPruner,
    "none": pruners.NopPruner,
}


def make_pruner(name: str, **options: Any) -> BasePruner:
    """Build a pruner.

    Args:
        name: a key of :data:`PRUNERS`.
        options: of Optuna's pruner of that name; ``patient`` takes its ``wrapped_pruner`` by name too, and wraps none
            by default.

    Raises:
        UserError: an unknown name, or options that the pruner refuses.
    """
    if name not in PRUNERS:
        near = difflib.get_close_matches(str(name), PRUNERS, n=1)
        meant = f"did you mean {near[0]}? There are" if near else "use one of"
        raise UserError(f"unknown pruner {name!r}; {meant} {', '.join(PRUNERS)}, or an Optuna pruner.")
    if name == "patient":
        options = {"wrapped_pruner": None, **options}
        if options["wrapped_pruner"] is not None:
            options["wrapped_pruner"] = as_pruner(options["wrapped_pruner"])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # patient and Wilcoxon, chosen by name
            return PRUNERS[name](**options)
    except (TypeError, ValueError) as error:
        raise UserError(f"pruner {name!r} refuses its options {options!r}: {error}") from error


def as_pruner(pruner: BasePruner | PrunerSpec | str | None) -> BasePruner:
    """The pruner that is meant, by whatever means; one of Optuna's and the same one by name are equal.

    Args:
        pruner: an Optuna pruner, a :class:`PrunerSpec`, a name, or None for no pruning.

    Raises:
        UserError: it is none of these.
    """
    if pruner is None:
        made: BasePruner = pruners.NopPruner()
    elif isinstance(pruner, str):
        made = make_pruner(pruner)
    elif isinstance(pruner, PrunerSpec):
        made = make_pruner(pruner.name, **pruner.options)
    elif isinstance(pruner, BasePruner):
        made = copy.deepcopy(pruner)
    else:
        raise UserError(
            f"pruner must be an Optuna pruner, a PrunerSpec, a name ({', '.join(PRUNERS)}) or None, got {pruner!r}."
        )
    for part in _parts(made):
        for ours in (SuccessiveHalvingPruner, HyperbandPruner):
            if type(part) is ours.__base__:
                part.__class__ = ours
    return made


def for_epochs(pruner: BasePruner, epochs: int | None) -> BasePruner:
    """A copy for trials of so many epochs (None: not known), which a study may write on.

    Optuna's ``"auto"`` is guessed from the trials that happen to be complete at a process's first report; a process
    that resumes the study might guess otherwise.
    """
    made = copy.deepcopy(pruner)
    if epochs is None:
        return made
    for part in _parts(made):
        if isinstance(part, HyperbandPruner) and part._max_resource == "auto":
            part._max_resource = epochs
        if isinstance(part, SuccessiveHalvingPruner) and part._min_resource is None:
            part._min_resource = max((epochs - 1) // 100, 1)  # Optuna's guess, where all trials have as many epochs
    return made


def _parts(pruner: BasePruner) -> list[BasePruner]:
    """The pruner, and the one that it wraps."""
    wrapped = pruner._wrapped_pruner if isinstance(pruner, pruners.PatientPruner) else None
    return [pruner] if wrapped is None else [pruner, *_parts(wrapped)]
