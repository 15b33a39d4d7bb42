"""A plan from a file or from those that ship, with the command line's overrides."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
import traceback
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle

from .errors import UserError
from .plan import Budget, ComparisonPlan


def load_plan(study: str) -> ComparisonPlan:
    """The ``PLAN`` of a file, or of a plan that ships with the package.

    Args:
        study: a path ending in ``.py``, or a name as ``lenet5_digits``.

    Raises:
        UserError: there is no such plan, its file fails, or it holds no PLAN.
    """
    path = Path(study)
    shipped = {p.stem: p for p in Path(str(files("hpo_optuna.studies"))).glob("[!_]*.py")}
    if path.suffix != ".py":
        if study not in shipped:
            raise UserError(
                f"no plan {study!r}: name a file ending in .py, or one that ships: {', '.join(sorted(shipped))}."
            )
        path = shipped[study]
    if not path.is_file():
        what = f"the plan {study} is a folder" if path.is_dir() else f"there is no plan file {study}"
        raise UserError(f"{what}; name a file ending in .py, or a plan that ships: {', '.join(sorted(shipped))}.")
    module = _execute(path)
    plan = getattr(module, "PLAN", None)
    if not isinstance(plan, ComparisonPlan):
        found = "has no PLAN" if plan is None else f"has a PLAN of type {type(plan).__name__}"
        raise UserError(f"the plan file {study} {found}; it must define PLAN = ComparisonPlan(...).")
    return plan


def _execute(path: Path) -> ModuleType:
    name = f"hpo_optuna_plan_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.append(folder)  # a plan imports the user's model that lies beside it
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(spec.origin)]
        where = f" in line {lines[-1]}" if lines else ""
        what = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}".removesuffix(": ")
        raise UserError(f"the plan file {path} fails{where}: {what}") from error
    cloudpickle.register_pickle_by_value(module)  # worker processes cannot import it by this name
    return module


def override(
    plan: ComparisonPlan,
    *,
    budget_trials: int | None = None,
    budget_epochs: int | None = None,
    replicates: int | None = None,
    pruner: str | None = None,
    audit: float | None = None,
    task: Mapping[str, Any] | None = None,
) -> ComparisonPlan:
    """``plan`` with another budget, other replicates, another pruner or audit, or other fields of its task.

    Raises:
        UserError: a value is out of range, or the task has no such field.
    """
    changes: dict[str, Any] = {}
    if budget_trials is not None or budget_epochs is not None:
        trials = plan.budget.trials if budget_trials is None else budget_trials
        epochs = plan.budget.epochs if budget_epochs is None else budget_epochs
        changes["budget"] = Budget(trials=trials, epochs=epochs)
    if replicates is not None:
        changes["replicates"] = replicates
    if pruner is not None:
        changes["pruner"] = pruner
    if audit is not None:
        changes["audit"] = audit
    fields = {name: value for name, value in (task or {}).items() if value is not None}
    if fields:
        known: set[str] = (
            {f.name for f in dataclasses.fields(plan.task)} if dataclasses.is_dataclass(plan.task) else set()
        )
        for name, value in fields.items():
            if name not in known:
                flag = "--" + name.replace("_", "-")
                raise UserError(f"{flag} {value}: the task of plan {plan.name} has no {name} to change.")
        try:
            changes["task"] = dataclasses.replace(plan.task, **fields)  # type: ignore[type-var]
        except (TypeError, ValueError) as error:
            raise UserError(str(error)) from error
    return dataclasses.replace(plan, **changes)
