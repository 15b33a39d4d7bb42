"""Best score so far against what was spent: trials, epochs or seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from .records import EXHAUSTED, StudyRecord, TrialRecord
from .registry import make_sampler
from .units import counted

Array: TypeAlias = NDArray[np.float64]
Axis: TypeAlias = Literal["trials", "epochs", "seconds"]
AXES: tuple[Axis, ...] = get_args(Axis)


@dataclass(frozen=True)
class Curve:
    """The best score of one study as a function of what it spent: steps, monotone by construction.

    Attributes:
        cost: what was spent when each new best was reached; shape (k,), increasing.
        best: the best score from there on; shape (k,), each better than the one before.
        spent: all that was spent, at most the budget.
        done: whether the study is at its end, so that the curve stays flat from ``spent`` on.
    """

    cost: Array
    best: Array
    spent: float
    done: bool

    def at(self, grid: Array) -> Array:
        """The best score at each cost of ``grid``; NaN before the first complete trial and beyond an unfinished end."""
        step = np.searchsorted(self.cost, grid, side="right") - 1
        values = np.where(step >= 0, self.best[np.maximum(step, 0)] if len(self.best) else np.nan, np.nan)
        return values if self.done else np.where(grid <= self.spent, values, np.nan)

    @property
    def final(self) -> float | None:
        """The best score within the budget; None before the first complete trial."""
        return float(self.best[-1]) if len(self.best) else None


def curve(record: StudyRecord, axis: Axis = "trials") -> Curve:
    """The study's curve, cut at its planned budget.

    A pruned trial costs one trial and the epochs and seconds it ran; a failed one no trial, but its epochs and
    seconds; a void one, or one whose retry took its place, nothing. Trials count in the order of their index, on the
    axis of seconds in the order of their end. Seconds are those spent in trials, summed: pauses between two runs and
    the other studies' trials cost a study nothing.
    """
    trials = within_budget(record)
    if axis == "seconds":
        trials = sorted(trials, key=lambda t: (t[0].end is None, t[0].end, t[0].index))
    sign = -1.0 if record.direction == "maximize" else 1.0
    spent, lowest = 0.0, math.inf
    cost: list[float] = []
    best: list[float] = []
    for trial, epochs, whole in trials:
        spent += {"trials": float(trial.finished), "epochs": float(epochs), "seconds": trial.seconds or 0.0}[axis]
        if not whole or trial.state != "COMPLETE" or trial.value is None or not math.isfinite(trial.value):
            continue
        if sign * trial.value < lowest:
            lowest = sign * trial.value
            cost.append(spent)
            best.append(trial.value)
    return Curve(np.array(cost), np.array(best), spent, is_done(record))


def within_budget(record: StudyRecord) -> list[tuple[TrialRecord, int, bool]]:
    """(trial, its epochs within the budget, whether all of it is) of the trials that count, by index.

    A trial may start while epochs are left and end beyond them; its score was not reached within the budget.
    """
    planned = record.attrs.get("planned") or {}
    trials_left = planned.get("trials") or math.inf
    epochs_left = planned.get("epochs") or math.inf
    kept: list[tuple[TrialRecord, int, bool]] = []
    for trial in sorted((t for t in record if t.finished or t.failed), key=lambda t: (t.index, t.number)):
        if trials_left < 1 or epochs_left < 1:
            break
        epochs = int(min(trial.epochs, epochs_left))
        kept.append((trial, epochs, epochs == trial.epochs))
        trials_left -= trial.finished
        epochs_left -= epochs
    return kept


def is_done(record: StudyRecord) -> bool:
    """Whether the study has spent its planned budget, or its sampler has nothing more to give."""
    planned = record.attrs.get("planned") or {}
    limits = ((len(record.finished), planned.get("trials")), (record.epochs, planned.get("epochs")))
    if any(limit is not None and used >= limit for used, limit in limits):
        return record.count("RUNNING") == 0
    return is_exhausted(record)


def is_exhausted(record: StudyRecord) -> bool:
    """Whether every point of a finite sampler, as a grid, was tried before the budget was spent."""
    if record.count("RUNNING") or record.count("WAITING"):
        return False
    if record.attrs.get(EXHAUSTED):
        return True
    points = grid_points(record.attrs.get("fingerprint") or {})
    return points is not None and len({t.index for t in record if t.finished or t.failed}) >= points


def grid_points(fingerprint: Mapping[str, Any]) -> int | None:
    """How many points the sampler of a study has; None for an endless one, or where it cannot be told."""
    import json

    from optuna.distributions import json_to_distribution

    try:
        sampler = fingerprint["sampler"]
        space = {name: json_to_distribution(json.dumps(d)) for name, d in fingerprint["space"].items()}
        points = getattr(make_sampler(sampler["name"], space, seed=0, **sampler["options"]), "n_points", None)
    except (KeyError, TypeError, ValueError):  # made by another tool, or by a sampler that is not installed here
        return None
    return None if points is None else int(points)


def common_grid(curves: Sequence[Curve], axis: Axis, size: int = 200) -> Array:
    """Costs at which to compare ``curves``: every trial, or ``size`` equal steps to the largest cost; at least one."""
    end = max((c.spent for c in curves), default=0.0)
    if end <= 0:
        return np.array([1.0])
    if axis != "seconds" and end <= 2 * size:
        return np.arange(1.0, round(end) + 1.0)
    return np.linspace(end / size, end, size)


def values_of(curves: Sequence[Curve], grid: Array) -> Array:
    """The curves on a common grid; shape (len(curves), len(grid))."""
    return np.array([c.at(grid) for c in curves]).reshape(len(curves), len(grid))


def early_ends(records: Sequence[StudyRecord]) -> list[str]:
    """One sentence for each sampler whose points were all tried before the budget was spent."""
    found: dict[str, list[int]] = {}
    for record in records:
        planned = record.attrs.get("planned") or {}
        trials = planned.get("trials")
        if is_exhausted(record) and (trials is None or len(record.finished) < trials):
            found.setdefault(record.label, []).append(len(record.finished))
    return [
        f"{label} has tried all its points after {counted(max(ends), 'trial')}; its curve stays flat from there."
        for label, ends in found.items()
    ]
