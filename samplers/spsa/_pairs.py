"""The trials of a study as what the descent follows: differences of pairs, and what came from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from ._cube import Cube
from ._descent import Difference, Floats, Jump
from ._index import trial_indices

_CENTRE = "spsa:centre"  # what a pair was drawn around, name -> coordinate: the one thing that is written


def centre_of(trial: FrozenTrial, cube: Cube) -> Floats | None:
    """The centre, shape (D,), that a trial was drawn around; None where it was not, or in another space."""
    written: Mapping[str, float] = trial.system_attrs.get(_CENTRE, {})
    return np.array([written[n] for n in cube.names]) if all(n in written for n in cube.names) else None


def write_centre(study: Study, trial: FrozenTrial, cube: Cube, centre: Floats) -> None:
    """Tell the other half of the pair, whichever worker asks for it, what to be drawn around."""
    written = dict(zip(cube.names, centre.tolist(), strict=True))
    study._storage.set_trial_system_attr(trial._trial_id, _CENTRE, written)


def partners_centre(trials: Sequence[FrozenTrial], index: int, cube: Cube) -> Floats | None:
    """The centre of the other half of the pair of this index, if that was asked for before."""
    indices = trial_indices(trials)
    others = [t for t in trials if indices[t.number] == index ^ 1 and t.state != TrialState.WAITING]
    return next((c for t in reversed(others) if (c := centre_of(t, cube)) is not None), None)


def events(trials: Sequence[FrozenTrial], cube: Cube, direction: StudyDirection) -> Iterator[Difference | Jump]:
    """What the finished trials say, in the order of their index; the sign of what is maximised flips here."""
    sign = -1.0 if direction == StudyDirection.MAXIMIZE else 1.0
    finished = _by_index(trials)
    best = np.inf
    for index in sorted(finished):
        trial = finished[index]
        value = sign * trial.values[0] if trial.state == TrialState.COMPLETE else np.inf
        x = cube.to_unit(trial.params)
        if _CENTRE not in trial.system_attrs and value < best and x is not None:
            yield Jump(x)
        best = min(best, value)
        plus = finished.get(index - 1)
        if index % 2 and plus is not None and _is_pair(plus, trial):
            both = [n in plus.params and n in trial.params and n in plus.system_attrs[_CENTRE] for n in cube.names]
            yield Difference(index // 2, _difference(plus, trial, sign), np.array(both, dtype=bool) & ~cube.categorical)


def best_position(trials: Sequence[FrozenTrial], cube: Cube, direction: StudyDirection) -> Floats | None:
    """Where the best complete trial of this space stands, shape (D,); ties go to the earlier one."""
    sign = -1.0 if direction == StudyDirection.MAXIMIZE else 1.0
    complete = [t for _, t in sorted(_by_index(trials).items()) if t.state == TrialState.COMPLETE]
    for trial in sorted(complete, key=lambda t: sign * t.values[0]):
        x = cube.to_unit(trial.params)
        if x is not None:
            return x
    return None


def _by_index(trials: Sequence[FrozenTrial]) -> dict[int, FrozenTrial]:
    indices = trial_indices(trials)
    return {indices[t.number]: t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)}


def _is_pair(plus: FrozenTrial, minus: FrozenTrial) -> bool:
    """Whether both were drawn around one centre; two workers that asked at the same moment may have had two."""
    return _CENTRE in plus.system_attrs and plus.system_attrs[_CENTRE] == minus.system_attrs.get(_CENTRE)


def _difference(plus: FrozenTrial, minus: FrozenTrial, sign: float) -> float:
    """How much worse the plus half is: by the values, or, where one was pruned, by the last report that both have.

    A pruned half is never taken for better than a complete one: it may have ended because it diverged.
    """
    if plus.state == minus.state == TrialState.COMPLETE:
        return _minus(sign * plus.values[0], sign * minus.values[0])
    steps = plus.intermediate_values.keys() & minus.intermediate_values.keys()
    if steps:
        last = max(steps)
        value = _minus(sign * plus.intermediate_values[last], sign * minus.intermediate_values[last])
    else:  # one ended before its first report: no better than the other
        value = float(np.inf if minus.intermediate_values or minus.state == TrialState.COMPLETE else -np.inf)
        if not plus.intermediate_values and not minus.intermediate_values and plus.state == minus.state:
            return 0.0
    if plus.state == TrialState.COMPLETE:
        return min(value, 0.0)
    return max(value, 0.0) if minus.state == TrialState.COMPLETE else value


def _minus(a: Any, b: Any) -> float:
    return 0.0 if a == b or np.isnan(a - b) else float(a - b)
