"""A configuration by hand ('babysitting'): queued for the next free worker, counted in the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import CategoricalDistribution

from .errors import UserError
from .matrix import PlannedStudy
from .plan import ComparisonPlan, Space

BY_HAND = "by_hand"  # the trial's user attribute


def enqueue(plan: ComparisonPlan, studies: Sequence[PlannedStudy], config: Mapping[str, Any]) -> int:
    """Queue ``config`` in each of ``studies``; a worker runs it before it asks the sampler.

    Args:
        plan: the plan.
        studies: where to queue it.
        config: a value for every hyperparameter of the space.

    Returns:
        How many trials were queued.

    Raises:
        UserError: naming the hyperparameter and the values it may have; or the budget is taken. Nothing is queued then.
    """
    values = checked(config, plan.space)
    for opened in studies:
        record = opened.record()
        if plan.budget.fraction(record.live, record.epochs) >= 1.0:
            raise UserError(
                f"the budget of study {opened.study.study_name} is taken; raise it, for example by --budget-trials."
            )
    for opened in studies:
        opened.study.enqueue_trial(values, user_attrs={BY_HAND: True})
    return len(studies)


def checked(config: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """``config`` with its values in the types of ``space``.

    Raises:
        UserError: a name is missing or unknown, or a value is outside its distribution.
    """
    for name in config:
        if name not in space:
            raise UserError(f"{name} is no hyperparameter of this plan; it has {', '.join(space)}.")
    missing = [name for name in space if name not in config]
    if missing:
        raise UserError(f"a queued configuration sets every hyperparameter; missing: {', '.join(missing)}.")
    values = {}
    for name, distribution in space.items():
        value = config[name]
        try:
            inside = distribution._contains(distribution.to_internal_repr(value))
        except (ValueError, TypeError):
            inside = False
        if not inside:
            raise UserError(f"{name}={value!r} is outside {_described(distribution)}.")
        values[name] = distribution.to_external_repr(distribution.to_internal_repr(value))
    return values


def parse(assignments: Sequence[str], space: Space) -> dict[str, Any]:
    """``["C1=12", "act=relu"]`` as a configuration; a choice is known by its text.

    Raises:
        UserError: an assignment that is none, or a value that is no number where one is needed.
    """
    config: dict[str, Any] = {}
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        if not separator:
            raise UserError(f"--set {assignment}: write NAME=VALUE, for example --set C1=12.")
        distribution = space.get(name)
        if isinstance(distribution, CategoricalDistribution):
            config[name] = next((choice for choice in distribution.choices if str(choice) == text), text)
        else:
            try:
                number = float(text)
            except ValueError:
                raise UserError(f"--set {assignment}: {text!r} is no number.") from None
            config[name] = int(number) if number.is_integer() else number
    return config


def _described(distribution: Any) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return "the choices " + ", ".join(map(repr, distribution.choices))
    step = f" in steps of {distribution.step}" if distribution.step not in (None, 1) else ""
    kind = "the whole numbers " if type(distribution).__name__.startswith("Int") else ""
    return f"{kind}{distribution.low} to {distribution.high}{step}"
