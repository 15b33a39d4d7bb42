"""One objective or two: directions, and what a task's score says of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from optuna.pruners import NopPruner

from .errors import UserError

Direction: TypeAlias = Literal["maximize", "minimize"]


def directions_of(direction: Any) -> tuple[Direction, ...]:
    """A plan's direction as a tuple.

    Raises:
        UserError: it is no direction, or there are more than two.
    """
    found = tuple(direction) if isinstance(direction, list | tuple) else (direction,)
    for one in found:
        if one not in ("maximize", "minimize"):
            raise UserError(f"direction must be 'maximize' or 'minimize', or two of them, got {direction!r}.")
    if not 1 <= len(found) <= 2:
        raise UserError(f"a plan has one objective or two, got direction={direction!r}.")
    return found


def check_directions(direction: Any, task: Any) -> None:
    """Whether the plan's direction is one, and the one in which its task's scores are better, if the task says so.

    Raises:
        UserError: with the cure.
    """
    asked = directions_of(direction)
    better = getattr(task, "direction", None)
    if better is None or None in (known := tuple(better) if isinstance(better, tuple) else (better,)):
        return
    if known != asked:
        names = metric_names(task, len(known))
        wanted = " and ".join(f"{name} is to be {one}d" for name, one in zip(names, known, strict=True))
        raise UserError(
            f"the plan has direction={direction!r}, but of its task's scores {wanted}; "
            f"give the plan direction={better!r}, or the task another metric."
        )


def check_several(direction: Any, pruner: Any, reference: Any) -> None:
    """What a plan with two objectives cannot have, and what only such a plan has.

    Raises:
        UserError: a pruner, or a reference point that is none.
    """
    n = len(directions_of(direction))
    if n > 1 and not (pruner is None or isinstance(pruner, NopPruner)):
        raise UserError(
            "trials with several objectives cannot be pruned: Optuna takes no reports of them; pruner=None."
        )
    if reference is None:
        return
    numbers = isinstance(reference, Sequence) and all(isinstance(v, int | float) for v in reference)
    if n == 1 or not numbers or len(reference) != n or not all(map(math.isfinite, reference)):
        raise UserError(f"reference is one finite number for each of two objectives, got {reference!r}.")


def values_of(score: Any) -> tuple[float, ...]:
    """What a trial is worth whose last score this is, objective by objective.

    A score is a number, several in a tuple, list or array, or an object: with an attribute ``values`` where it has
    several, with ``final`` where its worth is not ``float(score)``.
    """
    if isinstance(score, tuple | list) or getattr(score, "shape", None):
        return tuple(float(v) for v in score)
    several = getattr(score, "values", None)
    if several is not None and not callable(several):
        return tuple(float(v) for v in several)
    return (float(getattr(score, "final", score)),)


def metric_names(task: Any, n: int = 1) -> list[str]:
    """What the objectives of a task are called; the first, what its scores are called."""
    first = str(getattr(task, "score_name", None) or getattr(task, "metric", "score"))
    several = [str(name) for name in getattr(task, "metrics", None) or ()]
    if n == 1:
        return [first]
    return several if len(several) == n else [f"objective {i}" for i in range(1, n + 1)]
