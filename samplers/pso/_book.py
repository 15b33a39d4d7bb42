"""The trials of a study as arrays, read once each: an optimisation, which a sampler may lose at any moment."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from ._cube import Cube, Floats
from ._index import study_seed
from ._ranking import expected_values, rank, score
from ._swarm import History

_WEIGHTS = 4  # purpose of random numbers; 1 to 3 are the swarm's
_FEW = 3  # up to so many trials are read one by one, more by one query for all
_MAX_CUBES = 64

Rows = dict[str, NDArray[Any]]  # what is asked of trials, a column each


class Book:
    """What this process has read of one study.

    A finished trial never changes, so each is read and converted once; the few that were not finished are read
    again. Storages that cache (all but the journal's) answer this without a query in the usual case: a second
    reading of the trial list at every ask would cost a fifth of an ask on SQLite.
    """

    def __init__(self) -> None:
        self.trials: list[FrozenTrial] = []
        self._open: set[int] = set()
        self._rows = _rows(0, 1)
        self._spaces: list[dict[str, BaseDistribution]] = []  # the different spaces that trials had
        self._space_ids: dict[Any, int] = {}
        self._changes: list[int] = []  # numbers of trials, in the order they were read
        self._cubes: dict[Any, tuple[int, Floats]] = {}  # positions, and how many changes they know
        self._reports: dict[int, tuple[int, Floats]] = {}  # likewise, the values reported at a step
        self._lock = threading.RLock()

    def view(self, study: Study, trial: FrozenTrial, seed: int | None) -> View:
        """The study as one trial sees it.

        A fresh trial sees the trials before it. One that comes from the queue (enqueued or retried) may be older
        than others that are finished: it sees all.
        """
        queued = bool(trial.params) or any(name in trial.system_attrs for name in ("fixed_params", "retry_history"))
        with self._lock:
            self._update(study, trial.number, read_all=queued)
            if seed is None:
                seed = study_seed([trial] if trial.number == 0 else self.trials[:1], study.study_name)
            n = len(self.trials) if queued else trial.number
            index = trial_indices({name: column[:n] for name, column in self._rows.items()})
            number = np.arange(n)
            number = number[number != trial.number]
            rows = {name: column[number] for name, column in self._rows.items()}
            return View(self, study.directions, seed, int(index[trial.number]), number, index[number], rows)

    def overview(self, study: Study) -> View:
        """The study as the next trial would see it."""
        self._update(study, 0, read_all=True)
        rows = {name: column[: len(self.trials)] for name, column in self._rows.items()}
        index = trial_indices(rows)
        number = np.arange(len(self.trials))
        return View(self, study.directions, 0, int(index[-1]), number, index[:-1], rows)

    def _update(self, study: Study, number: int, *, read_all: bool) -> None:
        storage, study_id = study._storage, study._study_id
        if self.trials and number > 0:
            first = storage.get_trial(storage.get_trial_id_from_study_id_trial_number(study_id, 0))
            if first.datetime_start != self.trials[0].datetime_start and 0 not in self._open:
                self._forget()  # another study under the same name
        wanted = [*sorted(i for i in self._open if i < number), *range(len(self.trials), number)]
        if not read_all and len(wanted) <= _FEW:
            ids = [storage.get_trial_id_from_study_id_trial_number(study_id, i) for i in wanted]
            fresh = [storage.get_trial(i) for i in ids]
        else:
            fresh = storage.get_all_trials(study_id, deepcopy=False)
        for trial in fresh:
            if trial.number >= len(self.trials) or trial.number in self._open:
                self._write(trial, len(study.directions))

    def _write(self, trial: FrozenTrial, n_objectives: int) -> None:
        number = trial.number
        if number == len(self.trials):
            self.trials.append(trial)
            if number >= len(self._rows["state"]):
                grown = _rows(max(64, 2 * number), n_objectives)
                for name, column in self._rows.items():
                    grown[name][:number] = column[:number]
                self._rows = grown
        self.trials[number] = trial
        (self._open.discard if trial.state.is_finished() else self._open.add)(number)
        history = trial.system_attrs.get("retry_history")
        row = {
            "state": trial.state.value,
            "bare": not trial.params,
            "retry": bool(history),
            "original": history[0] if history else number,
            "space": self._space_id(trial.distributions),
            "violation": sum(max(0.0, c) for c in trial.constraints.values()),
            "values": _values(trial, n_objectives),
            "step": max(trial.intermediate_values, default=-1),
        }
        for name, value in row.items():
            self._rows[name][number] = value
        self._changes.append(number)

    def _space_id(self, space: dict[str, BaseDistribution]) -> int:
        key = tuple(sorted((name, repr(distribution)) for name, distribution in space.items()))
        if key not in self._space_ids:
            self._space_ids[key] = len(self._spaces)
            self._spaces.append(space)
        return self._space_ids[key]

    def spaces(self, ids: NDArray[np.int64]) -> list[dict[str, BaseDistribution]]:
        return [self._spaces[i] for i in np.unique(ids)]

    def positions(self, cube: Cube, number: NDArray[np.int64]) -> Floats:
        """Positions of trials in a cube, shape (m, D); NaN where a trial has none."""
        key = tuple((name, repr(cube.space[name])) for name in cube.names)
        with self._lock:
            known, x = self._cubes.pop(key, (0, np.empty((0, len(cube.names)))))
            if len(x) < len(self.trials):
                x = np.concatenate([x, np.full((len(self._rows["state"]) - len(x), len(cube.names)), np.nan)])
            for changed in set(self._changes[known:]):
                trial = self.trials[changed]
                u = cube.to_unit({**trial.system_attrs.get("fixed_params", {}), **trial.params})
                x[changed] = np.nan if u is None else u
            while len(self._cubes) >= _MAX_CUBES:
                del self._cubes[next(iter(self._cubes))]
            self._cubes[key] = (len(self._changes), x)
            return np.asarray(x[number])

    def reports(self, step: int, number: NDArray[np.int64]) -> Floats:
        """What trials reported at a step, shape (m,); NaN where one did not."""
        with self._lock:
            known, column = self._reports.get(step, (0, np.empty(0)))
            if len(column) < len(self.trials):
                column = np.concatenate([column, np.full(len(self._rows["state"]) - len(column), np.nan)])
            for changed in set(self._changes[known:]):
                column[changed] = self.trials[changed].intermediate_values.get(step, np.nan)
            self._reports[step] = (len(self._changes), column)
            return np.asarray(column[number])

    def _forget(self) -> None:
        lock = self._lock
        self.__init__()  # type: ignore[misc]
        self._lock = lock


@dataclass(frozen=True)
class View:
    """The trials that one trial sees, m of them, and which trial it is."""

    book: Book
    directions: list[StudyDirection]
    seed: int
    index: int
    number: NDArray[np.int64]
    indices: NDArray[np.int64]
    rows: Rows

    @cached_property
    def spaces(self) -> list[dict[str, BaseDistribution]]:
        """The different spaces that the evaluated trials had."""
        return self.book.spaces(self.rows["space"][_is_evidence(self.rows)])

    def common_space(self) -> dict[str, BaseDistribution]:
        """The parameters that all evaluated trials have, each with one distribution."""
        first = self.spaces[0] if self.spaces else {}
        return {name: d for name, d in first.items() if all(space.get(name) == d for space in self.spaces)}

    def is_common(self, name: str) -> bool:
        """Whether all evaluated trials have this parameter, in whatever range."""
        return all(name in space for space in self.spaces)

    def is_complete(self, cube: Cube) -> bool:
        """Whether a position in the cube says all of a trial: no evaluated trial had other parameters."""
        return all(name in cube.space or d.single() for space in self.spaces for name, d in space.items())

    def history(self, cube: Cube, *, repeat: bool = False) -> History:
        """The trials as positions and merits; the sign of what is maximised flips here and nowhere else.

        Args:
            repeat: Whether a configuration may be proposed again.
        """
        x = self.book.positions(cube, self.number)
        known = ~np.isnan(x).any(axis=1)
        evidence = np.flatnonzero(known & _is_evidence(self.rows))
        evidence = evidence[np.argsort(self.indices[evidence], kind="stable")]
        sign = np.array([-1.0 if d == StudyDirection.MAXIMIZE else 1.0 for d in self.directions])
        pruned = self.rows["state"][evidence] == TrialState.PRUNED.value
        values = self.rows["values"][evidence] * sign
        violation = self.rows["violation"][evidence]
        weights = np.random.default_rng([self.seed, self.index, _WEIGHTS]).dirichlet(np.ones(len(sign)))
        return History(
            x=x[evidence],
            index=self.indices[evidence],
            ranking=rank(values, pruned, violation),
            score=score(values, pruned, violation, weights, self._expected(evidence, values, pruned, sign)),
            seen=x[:0] if repeat else x[known],
        )

    def _expected(self, rows: NDArray[np.int64], values: Floats, pruned: NDArray[np.bool_], sign: Floats) -> Floats:
        """What pruned trials would have ended at, shape (m,); see `expected_values`."""
        if len(sign) > 1:  # Optuna prunes no trial of several objectives
            return np.full(len(values), np.nan)
        steps, number = self.rows["step"][rows], self.number[rows]
        return expected_values(values[:, 0], pruned, steps, lambda step: sign[0] * self.book.reports(step, number))


def trial_indices(rows: Rows) -> NDArray[np.int64]:
    """The indices of n trials and of a fresh one after them, shape (n + 1,); see `_index.trial_indices`."""
    retried = np.zeros(len(rows["state"]), dtype=bool)
    retries = np.flatnonzero(rows["retry"])
    retried[rows["original"][retries]] = True
    void = (rows["state"] == TrialState.FAIL.value) & rows["bare"] & ~retried
    count = np.append(0, np.cumsum(~rows["retry"] & ~void))
    index = count.copy()
    index[retries] = count[rows["original"][retries]]
    return index


def _rows(n: int, n_objectives: int) -> Rows:
    return {
        "state": np.zeros(n, dtype=np.int8),
        "bare": np.zeros(n, dtype=bool),
        "retry": np.zeros(n, dtype=bool),
        "original": np.zeros(n, dtype=np.int64),  # the first of its retry history, or its own number
        "space": np.zeros(n, dtype=np.int64),
        "violation": np.zeros(n),
        "values": np.zeros((n, n_objectives)),
        "step": np.zeros(n, dtype=np.int64),  # of the last report; -1 without one
    }


def _is_evidence(rows: Rows) -> NDArray[np.bool_]:
    return np.asarray((rows["state"] == TrialState.COMPLETE.value) | (rows["state"] == TrialState.PRUNED.value))


def _values(trial: FrozenTrial, n_objectives: int) -> list[float]:
    """The values of a trial; NaN where a pruned one has none."""
    values = trial.values
    return list(values) if values is not None and len(values) == n_objectives else [np.nan] * n_objectives
